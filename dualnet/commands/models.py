"""The commands on models: train one, look inside one."""

from pathlib import Path
from typing import Annotated

import typer

from dualnet.framework import load_framework
from dualnet.options import (
    CacheFolder,
    ConfigFile,
    Data,
    Format,
    Mapping,
    Overrides,
    Pictures,
    Preset,
    Run,
    all_overrides,
)


def train(  # noqa: PLR0913 - one argument an option
    run: Annotated[Path, typer.Option("--run", help="Run folder to write.")],
    preset: Preset = "xnet",
    data: Data = None,
    format: Format = None,  # noqa: A002 - the option's name
    mapping: Mapping = None,
    pictures: Pictures = None,
    cache: CacheFolder = None,
    sample: Annotated[
        int | None, typer.Option(min=3, help="Draw patients: about so many pictures.")
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    init_from: Annotated[
        Path | None,
        typer.Option("--init-from", help="A run whose weights this one begins with."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that lies there.")
    ] = False,
) -> None:
    """Train a model and write its run folder."""
    from dualnet.config import read_config

    options = all_overrides(
        overrides,
        data=data,
        format=format,
        mapping=mapping,
        pictures=pictures,
        cache=cache,
        sample=sample,
    )
    if init_from is not None:
        options.insert(0, f"model.init_from={init_from}")
    settings = read_config(preset=preset, file=config, overrides=options)
    load_framework()  # slow: after all words are checked
    from dualnet.jobs.train import train_run

    train_run(settings, run, overwrite=overwrite)
    typer.echo(f"run folder: {run}")
    typer.echo(f"training page: {run / 'training.html'}")


def visualize(
    run: Run,
    image: Annotated[Path | None, typer.Option(help="A picture file.")] = None,
    image_id: Annotated[
        str | None, typer.Option(help="A radiograph of the run's records.")
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            help="Such as age=57,view=AP,follow_up=0,sex=F; the rest unknown."
        ),
    ] = None,
    layers: Annotated[
        list[str] | None, typer.Option(help="Layer name or pattern; none: all stages.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; none: RUN/activations/….")
    ] = None,
) -> None:
    """Draw the intermediate activations for one radiograph."""
    load_framework()
    from dualnet.jobs.visualize import visualize_run

    folder = visualize_run(
        run, image=image, image_id=image_id, metadata=metadata, layers=layers, out=out
    )
    typer.echo(f"activations: {folder / 'index.html'}")
