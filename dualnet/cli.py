"""The commands: parse, one library call, say where the result lies.

Heavy parts are imported inside the commands, so that `--help` answers at once.
Exit status: 0 done, 1 a failure, 2 bad input with one line on standard error.
"""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import dualnet
from dualnet.errors import DualNetError
from dualnet.framework import load_framework
from dualnet.options import (
    AdjudicatedTable,
    CacheFolder,
    ConfigFile,
    Data,
    Format,
    Join,
    Mapping,
    Overrides,
    Pictures,
    Preset,
    Workers,
    name_data,
)
from dualnet.wording import number_of

app = typer.Typer(
    name="dualnet",
    help="Train, judge and look inside classifiers that read a chest radiograph "
    "together with the patient's record. Not a medical device.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _dualnet(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    del debug  # read in `main`, before anything can fail
    if version:
        typer.echo(f"dualnet {dualnet.__version__}")
        raise typer.Exit


@app.command()
def phantom(  # noqa: PLR0913 - one argument an option
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    images: Annotated[int, typer.Option(min=1, help="Radiographs.")] = 2400,
    patients: Annotated[int, typer.Option(min=1, help="Patients.")] = 700,
    seed: Annotated[int, typer.Option(min=0, help="Decides what is drawn.")] = 0,
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


@app.command()
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


@app.command()
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
    from dualnet.config import read_config
    from dualnet.jobs.prepare import prepare_data

    options = name_data(
        data=data,
        format=format,
        mapping=mapping,
        pictures=pictures,
        cache=cache,
        image_size=image_size,
        workers=workers,
    )
    config = read_config(overrides=[*options, *(overrides or [])])
    prepared = prepare_data(config, verify=verify, repair=repair)
    typer.echo(
        f"{number_of(len(prepared), 'picture')}, {len(prepared.rejects):,} refused: "
        f"{prepared.folder}"
    )


@app.command()
def explore(  # noqa: PLR0913 - one argument an option
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    data: Data = None,
    format: Format = None,  # noqa: A002 - the option's name
    mapping: Mapping = None,
    pictures: Pictures = None,
    cache: CacheFolder = None,
    workers: Workers = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides what is drawn.")] = 0,
    overrides: Overrides = None,
) -> None:
    """Show on one page what a dataset holds and gives away."""
    from dualnet.config import read_config
    from dualnet.jobs.explore import explore_data

    options = name_data(
        data=data,
        format=format,
        mapping=mapping,
        pictures=pictures,
        cache=cache,
        workers=workers,
    )
    config = read_config(overrides=[*options, f"seed={seed}", *(overrides or [])])
    explored = explore_data(config, out)
    for remark in explored.remarks:
        typer.echo(f"- {remark.text}")
    typer.echo(f"report: {explored.report}")


@app.command()
def export_folders(  # noqa: PLR0913 - one argument an option
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
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
    from dualnet.config import read_config
    from dualnet.jobs.export_folders import export_folders as export

    named = name_data(data=data, format=format, mapping=mapping, pictures=pictures)
    options = [*named, f"seed={seed}"]
    config = read_config(overrides=[*options, *(overrides or [])])
    exported = export(
        config, out, finding=finding, against=against, copy=copy, split=split
    )
    for line in exported.lines():
        typer.echo(line)
    typer.echo(f"folders: {out}")


@app.command()
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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that lies there.")
    ] = False,
) -> None:
    """Train a model and write its run folder."""
    from dualnet.config import read_config

    options = name_data(
        data=data,
        format=format,
        mapping=mapping,
        pictures=pictures,
        cache=cache,
        sample=sample,
    )
    settings = read_config(
        preset=preset, file=config, overrides=[*options, *(overrides or [])]
    )
    load_framework()  # slow: after all words are checked
    from dualnet.jobs.train import train_run

    train_run(settings, run, overwrite=overwrite)
    typer.echo(f"run folder: {run}")


@app.command()
def evaluate(  # noqa: PLR0913 - one argument an option
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Another dataset; none: the run's.")
    ] = None,
    format: Format = None,  # noqa: A002 - the option's name
    mapping: Mapping = None,
    pictures: Pictures = None,
    part: Annotated[
        str | None, typer.Option(help="train, val or test; none: test.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Draw patients: about so many pictures.")
    ] = None,
    cache: CacheFolder = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; none: RUN/evaluation.")
    ] = None,
    training_patients: Annotated[
        str,
        typer.Option(
            help="Patients that the run was fitted on: refuse, leave-out or score."
        ),
    ] = "refuse",
    join: Join = None,
    adjudicated: AdjudicatedTable = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Find out what the model reads.")
    ] = False,
) -> None:
    """Judge a run beside its baselines, in numbers and words."""
    load_framework()
    from dualnet.jobs.evaluate import evaluate_run

    result = evaluate_run(
        run,
        data=data,
        format=format,
        mapping=mapping,
        pictures=pictures,
        part=part,
        sample=sample,
        cache=cache,
        out=out,
        training_patients=training_patients,
        joins=join or (),
        adjudicated=adjudicated,
        audit=audit,
    )
    typer.echo(result.evaluation.text())
    typer.echo(f"evaluation: {result.folder}")


@app.command()
def judge(  # noqa: PLR0913 - one argument an option
    predictions: Annotated[
        Path, typer.Argument(help="CSV or Parquet: a row a radiograph.")
    ],
    truth: Annotated[
        Path, typer.Argument(help="Dataset folder, NIH's table or another one.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    format: Format = None,  # noqa: A002 - the option's name
    mapping: Mapping = None,
    id_column: Annotated[
        str | None, typer.Option(help="Column of the radiographs; none: found out.")
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(
            help='Of the classes\' columns, such as prob_ or ""; none: found.'
        ),
    ] = None,
    columns: Annotated[
        Path | None, typer.Option(help="YAML that maps the columns instead.")
    ] = None,
    logits: Annotated[
        bool, typer.Option("--logits", help="No probabilities: judge the order only.")
    ] = False,
    resamples: Annotated[
        int | None, typer.Option(min=20, help="Draws of patients; none: 1000.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides what is drawn.")] = 0,
) -> None:
    """Judge anybody's predictions as a run is judged."""
    from dualnet.jobs.judge import judge_predictions

    result = judge_predictions(
        predictions,
        truth,
        out,
        format=format,
        mapping=mapping,
        id_column=id_column,
        prefix=prefix,
        columns=columns,
        logits=logits,
        resamples=resamples,
        seed=seed,
    )
    typer.echo(result.evaluation.text())
    typer.echo(f"evaluation: {result.folder}")


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN", help="Judged runs; each is compared with the first."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; none: comparison.")
    ] = None,
    part: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    training_patients: Annotated[
        str,
        typer.Option(
            help="Patients that a run was fitted on: refuse, leave-out or score."
        ),
    ] = "refuse",
) -> None:
    """Compare judged runs on the same radiographs."""
    from dualnet.jobs.compare import compare_runs

    result = compare_runs(runs, part=part, out=out, training_patients=training_patients)
    typer.echo(result.comparison.text())
    typer.echo(f"comparison: {result.folder}")


@app.command()
def visualize(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The words after the program's name; none: those it was called with.

    Returns:
        The exit status: 0 done, 1 a failure, 2 bad input, 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    _show_log_lines()
    try:
        status = app(words or ["--help"], standalone_mode=False, prog_name="dualnet")
    except (DualNetError, typer.TyperException) as error:
        return _fail(error, status=2, debug=debug)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("stopped", err=True)
        return 130
    except Exception as error:  # noqa: BLE001 - the last door: one line, not a traceback
        return _fail(error, status=1, debug=debug)
    return status if isinstance(status, int) else 0


def _fail(error: Exception, *, status: int, debug: bool) -> int:
    if debug:
        logging.getLogger("dualnet").exception("traceback", exc_info=error)
    if isinstance(error, typer.TyperException):
        said = getattr(error, "format_message", error.__str__)().rstrip(".")
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "dualnet"
        text = f"{command}: {said}. See `{command} --help`."
    elif isinstance(error, DualNetError):
        text = str(error)
    else:
        text = f"dualnet: {type(error).__name__}: {error}. Say --debug for a traceback."
    typer.echo(" ".join(text.split()), err=True)
    return status


def _show_log_lines() -> None:
    """Sends dualnet's log lines to standard error, plainly."""
    # TensorFlow says on every start which instructions it was built for.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logger = logging.getLogger("dualnet")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
