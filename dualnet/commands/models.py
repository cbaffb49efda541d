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
    Join,
    Mapping,
    Overrides,
    Pictures,
    Preset,
    Run,
    all_overrides,
)
from dualnet.stopping import Stopped, stop_on_signals


def train(  # noqa: PLR0913 - one argument an option
    context: typer.Context,
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.")
    ] = False,
) -> None:
    """Train a model and write its run folder."""
    from dualnet.config_layers import read_config
    from dualnet.errors import ConfigError
    from dualnet.resuming import describe_stop, read_resumed

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
    if resume and overwrite:
        raise ConfigError(
            "--resume: must stand without --overwrite. Received: both. "
            "Say which: go on with the run, or replace it."
        )
    if resume:
        source = context.get_parameter_source("preset")
        named = source is not None and source.name != "DEFAULT"
        settings = read_resumed(
            run, preset=preset if named else None, file=config, overrides=options
        )
    else:
        settings = read_config(preset=preset, file=config, overrides=options)
    load_framework()  # slow: after all words are checked
    from dualnet.jobs.resume import resume_run
    from dualnet.jobs.train import train_run

    try:
        with stop_on_signals() as stop:
            if resume:
                resume_run(settings, run, stop=stop)
            else:
                train_run(settings, run, overwrite=overwrite, stop=stop)
    except Stopped as stopped:
        typer.echo(f"{stopped}: {describe_stop(run)}", err=True)
        raise typer.Exit(stopped.status) from None
    typer.echo(f"run folder: {run}")
    typer.echo(f"training page: {run / 'training.html'}")


def visualize(  # noqa: PLR0913 - one argument an option
    run: Run,
    image: Annotated[
        list[Path] | None, typer.Option(help="A picture file; may be repeated.")
    ] = None,
    image_id: Annotated[
        list[str] | None,
        typer.Option(help="A radiograph of the run's records; may be repeated."),
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            help="Such as age=57,view=AP,follow_up=0,sex=F; the rest unknown."
        ),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(help="Layer name or pattern; may be repeated; none: all stages."),
    ] = None,
    finding: Annotated[
        str | None, typer.Option(help="Mean activations of this class …")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="… beside this one's; none: no finding.")
    ] = None,
    epochs: Annotated[
        bool, typer.Option("--epochs", help="One radiograph after each kept epoch.")
    ] = False,
    filters: Annotated[
        bool, typer.Option("--filters", help="Kernels, and what excites each channel.")
    ] = False,
    part: Annotated[
        str | None,
        typer.Option(help="Of --finding, --filters: train, val or test; none: test."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Of --finding, --filters: radiographs at most."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; none: RUN/activations/….")
    ] = None,
) -> None:
    """Draw the intermediate activations of a run's model."""
    load_framework()
    from dualnet.jobs.visualize import visualize_run

    folder = visualize_run(
        run,
        images=image or (),
        image_ids=image_id or (),
        metadata=metadata,
        layers=layers,
        finding=finding,
        against=against,
        epochs=epochs,
        filters=filters,
        part=part,
        sample=sample,
        out=out,
    )
    typer.echo(f"activations: {folder / 'index.html'}")


def embedding(
    run: Run,
    part: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    sample: Annotated[
        int, typer.Option(min=1, help="Draw patients: about so many pictures.")
    ] = 1000,
    method: Annotated[str, typer.Option(help="Of the map: tsne or pca.")] = "tsne",
    join: Join = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Decides what is drawn; none: the run's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; none: RUN/embedding.")
    ] = None,
) -> None:
    """Map a model's features; ask its layers what they know."""
    load_framework()
    from dualnet.jobs.embedding import map_embedding

    folder = map_embedding(
        run,
        part=part,
        sample=sample,
        method=method,
        joins=join or (),
        seed=seed,
        out=out,
    )
    typer.echo((folder / "probes.txt").read_text("utf-8").rstrip())
    typer.echo(f"embedding: {folder}")
