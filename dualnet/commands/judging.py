"""The commands that judge: a run, anybody's predictions, runs side by side."""

from pathlib import Path
from typing import Annotated

import typer

from dualnet.framework import load_framework
from dualnet.options import (
    AdjudicatedTable,
    CacheFolder,
    Format,
    Join,
    Mapping,
    Out,
    Pictures,
    Run,
    Seed,
    TrainingPatients,
)


def evaluate(  # noqa: PLR0913 - one argument an option
    run: Run,
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
    training_patients: TrainingPatients = "refuse",
    join: Join = None,
    adjudicated: AdjudicatedTable = None,
    image_only: Annotated[
        Path | None,
        typer.Option("--image-only", help="Run of pictures alone, as a baseline."),
    ] = None,
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
        image_only=image_only,
        audit=audit,
    )
    typer.echo(result.evaluation.text())
    typer.echo(f"evaluation: {result.folder}")


def judge(  # noqa: PLR0913 - one argument an option
    predictions: Annotated[
        Path, typer.Argument(help="CSV or Parquet: a row a radiograph.")
    ],
    truth: Annotated[
        Path, typer.Argument(help="Dataset folder, NIH's table or another one.")
    ],
    out: Out,
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
    validation: Annotated[
        Path | None,
        typer.Option(help="Predictions of others: fit temperature and thresholds."),
    ] = None,
    trained_on: Annotated[
        Path | None,
        typer.Option(help="List of the radiographs that the model was fitted on."),
    ] = None,
    training_patients: TrainingPatients = "refuse",
    join: Join = None,
    adjudicated: AdjudicatedTable = None,
    resamples: Annotated[
        int | None, typer.Option(min=20, help="Draws of patients; none: 1000.")
    ] = None,
    seed: Seed = 0,
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
        validation=validation,
        trained_on=trained_on,
        training_patients=training_patients,
        joins=join or (),
        adjudicated=adjudicated,
        resamples=resamples,
        seed=seed,
    )
    typer.echo(result.evaluation.text())
    typer.echo(f"evaluation: {result.folder}")


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
    training_patients: TrainingPatients = "refuse",
) -> None:
    """Compare judged runs on the same radiographs."""
    from dualnet.jobs.compare import compare_runs

    result = compare_runs(runs, part=part, out=out, training_patients=training_patients)
    typer.echo(result.comparison.text())
    typer.echo(f"comparison: {result.folder}")
