"""The commands on datasets: draw, download, prepare, explore, export."""

from pathlib import Path
from typing import Annotated

import typer

from dualnet.options import (
    CacheFolder,
    Data,
    FolderToWrite,
    Format,
    Mapping,
    Out,
    Overrides,
    Pictures,
    Seed,
    Workers,
    all_overrides,
)
from dualnet.wording import number_of


def phantom(  # noqa: PLR0913 - one argument an option
    out: FolderToWrite,
    images: Annotated[int, typer.Option(min=1, help="Radiographs.")] = 2400,
    patients: Annotated[int, typer.Option(min=1, help="Patients.")] = 700,
    seed: Seed = 0,
    size: Annotated[int, typer.Option(min=32, max=1024, help="Side, pixels.")] = 256,
    record_tells: Annotated[
        bool,
        typer.Option(
            "--record-tells/--no-record-tells",
            help="Whether findings depend on age, sex, view and follow-up.",
        ),
    ] = True,
    shortcut: Annotated[
        str, typer.Option(help="none, or border: a mark there tells Effusion.")
    ] = "none",
    workers: Workers = None,
) -> None:
    """Draw synthetic radiographs in NIH's format: the phantom."""
    from dualnet.data.phantom import make_phantom
    from dualnet.jobs.sources import count_cores
    from dualnet.progress import show_progress

    with show_progress("drawing the phantom") as progress:
        make_phantom(
            out,
            num_images=images,
            num_patients=patients,
            seed=seed,
            size=size,
            workers=workers or count_cores(),
            progress=progress,
            dependence=record_tells,
            shortcut=shortcut,
        )
    typer.echo(
        f"{number_of(images, 'radiograph')} of {number_of(patients, 'patient')}: {out}"
    )


def download(
    dataset: Annotated[
        str, typer.Argument(help="nih, chest_xray or covid_radiography.")
    ],
    dest: Annotated[Path, typer.Argument(help="Folder to fill.")],
    only: Annotated[
        str | None, typer.Option(help="NIH's archives, such as 1,2; none: all twelve.")
    ] = None,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep archives once unpacked.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=12, help="Files at once.")] = 4,
) -> int:
    """Download NIH's radiographs; say how to get other sets."""
    from dualnet.jobs.download import download_dataset

    done = download_dataset(
        dataset, dest, only=only, keep_archives=keep_archives, workers=workers
    )
    for line in done.lines:
        typer.echo(line)
    return 0 if done.complete else 1


def prepare(  # noqa: PLR0913 - one argument an option
    data: Data = None,
    format: Format = None,  # noqa: A002 - the option's name
    mapping: Mapping = None,
    pictures: Pictures = None,
    cache: CacheFolder = None,
    image_size: Annotated[
        int, typer.Option(min=32, max=1024, help="Side, pixels.")
    ] = 256,
    workers: Workers = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Recompute every checksum.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make again what is damaged.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Decode every picture once into the packed cache."""
    from dualnet.config_layers import read_config
    from dualnet.jobs.prepare import prepare_data

    options = all_overrides(
        overrides,
        data=data,
        format=format,
        mapping=mapping,
        pictures=pictures,
        cache=cache,
        image_size=image_size,
        workers=workers,
    )
    config = read_config(overrides=options)
    prepared = prepare_data(config, verify=verify, repair=repair)
    typer.echo(
        f"{number_of(len(prepared), 'picture')}, {len(prepared.rejects):,} refused: "
        f"{prepared.folder}"
    )


def explore(  # noqa: PLR0913 - one argument an option
    out: Out,
    data: Data = None,
    format: Format = None,  # noqa: A002 - the option's name
    mapping: Mapping = None,
    pictures: Pictures = None,
    cache: CacheFolder = None,
    workers: Workers = None,
    seed: Seed = 0,
    overrides: Overrides = None,
) -> None:
    """Show on one page what a dataset holds and gives away."""
    from dualnet.config_layers import read_config
    from dualnet.jobs.explore import explore_data

    options = all_overrides(
        overrides,
        seed=seed,
        data=data,
        format=format,
        mapping=mapping,
        pictures=pictures,
        cache=cache,
        workers=workers,
    )
    config = read_config(overrides=options)
    explored = explore_data(config, out)
    for remark in explored.remarks:
        typer.echo(f"- {remark.text}")
    typer.echo(f"report: {explored.report}")


def export_folders(  # noqa: PLR0913 - one argument an option
    out: FolderToWrite,
    finding: Annotated[str, typer.Option(help="Class: this is among the labels.")],
    against: Annotated[str, typer.Option(help="The other class.")],
    data: Data = None,
    format: Format = None,  # noqa: A002 - the option's name
    mapping: Mapping = None,
    pictures: Pictures = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy pictures; else link them.")
    ] = False,
    split: Annotated[
        bool, typer.Option("--split", help="Folders train, val, test, by patient.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Decides who goes where.")] = 0,
    overrides: Overrides = None,
) -> None:
    """Sort the pictures of two classes into folders."""
    from dualnet.config_layers import read_config
    from dualnet.jobs.export_folders import export_folders as export

    options = all_overrides(
        overrides,
        seed=seed,
        data=data,
        format=format,
        mapping=mapping,
        pictures=pictures,
    )
    config = read_config(overrides=options)
    exported = export(
        config, out, finding=finding, against=against, copy=copy, split=split
    )
    for line in exported.lines():
        typer.echo(line)
    typer.echo(f"folders: {out}")
