"""One model and several inputs, or one input and several epochs, side by side."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dualnet.errors import ConfigError, RunError
from dualnet.explain.activations import activation_layers, compute_activations
from dualnet.explain.channels import compute_statistics
from dualnet.jobs.chosen import Row, describe_record, make_inputs
from dualnet.jobs.epoch_models import choose_epochs, find_stage, load_epochs
from dualnet.jobs.finished import FinishedRun, load_model
from dualnet.plots.activation_curves import StageCurves
from dualnet.plots.activation_rows import StageRows
from dualnet.plots.activation_views import as_maps, say_kind
from dualnet.plots.row_pages import RowPage, Table
from dualnet.plots.style import display_name
from dualnet.wording import format_number, number_of

if TYPE_CHECKING:
    import keras

MAX_PICTURES = 8  # rows that a person can still compare
PROBABILITIES = "probabilities"  # the page has their table
SCORES = ("logits", PROBABILITIES)  # by name and by kind


def compare_pictures(
    run: FinishedRun, rows: Sequence[Row], layers: Sequence[str] | None = None
) -> RowPage:
    """Computes the activations of several radiographs, to be shown side by side.

    Args:
        run: Whose model to look into.
        rows: Their records.
        layers: Layer names or patterns; none: all stages.

    Returns:
        The page, a row a radiograph.

    Raises:
        ConfigError: If they are too many.
    """
    if len(rows) > MAX_PICTURES:
        raise ConfigError(
            f"--image, --image-id: must be at most {MAX_PICTURES} together. "
            f"Received: {len(rows)}. Name fewer."
        )
    model, inputs = load_model(run), make_inputs(run, rows)
    labels = [str(row["image_id"]) for row in rows]
    activations = compute_activations(model, inputs, layers)
    said = compute_activations(model, inputs, [PROBABILITIES])[PROBABILITIES]
    images = inputs["image"][..., 0] if "image" in inputs else None
    return RowPage(
        title=f"Activations of {number_of(len(rows), 'radiograph')}",
        lead=f"The channels most active over all of them. {name_model(run)}",
        labels=labels,
        images=images,
        stages=_make_stages(run, model, activations, labels, images),
        tables=[_tell_records(run, rows, labels), tell_classes(run, said, labels)],
    )


def compare_epochs(
    run: FinishedRun, row: Row, layers: Sequence[str] | None = None
) -> RowPage:
    """Computes the activations of one radiograph after each epoch that was kept.

    Args:
        run: Whose checkpoints to look into.
        row: The record.
        layers: Layer names or patterns; none: all stages.

    Returns:
        The page, a row an epoch.

    Raises:
        RunError: If no checkpoint is whole.
    """
    stage = find_stage(run)
    inputs = make_inputs(run, [row])
    epochs, found, said, model = [], [], [], None
    for epoch, model in load_epochs(run, stage, choose_epochs(run, stage)):
        epochs.append(epoch)
        found.append(compute_activations(model, inputs, layers))
        said.append(compute_activations(model, inputs, [PROBABILITIES]))
    if model is None:
        raise RunError(
            f"{run.folder.checkpoints}: at least one checkpoint must be as it was "
            "written. Received: none that is whole. Train the run again."
        )
    labels = [f"epoch {epoch}" for epoch in epochs]
    activations = _join(found)
    images = inputs["image"][..., 0] if "image" in inputs else None
    half = f"The {stage} half alone, as it was fitted. "
    return RowPage(
        title=f"Activations of {row['image_id']} over the epochs",
        lead="After each epoch that was kept, the channels most active over all. "
        f"{half if stage != run.config.model.modality else ''}{name_model(run)}",
        labels=labels,
        images=images,
        stages=_make_stages(run, model, activations, labels, images),
        tables=[tell_classes(run, _join(said)[PROBABILITIES], labels)],
        curves=_make_curves(epochs, activations),
    )


def tell_classes(
    run: FinishedRun,
    probabilities: np.ndarray,
    labels: Sequence[str],
    *,
    caption: str = "Probabilities",
) -> Table:
    """Returns the table of probabilities, the likeliest class first.

    Args:
        run: Whose classes they are.
        probabilities: Shape (rows, classes).
        labels: What each row is.
        caption: What they are.
    """
    order = np.argsort(-probabilities.max(axis=0), kind="stable")
    return Table(
        caption=caption,
        head=["class", *labels],
        rows=[
            [
                display_name(run.answered[index]),
                *(format_number(float(value)) for value in probabilities[:, index]),
            ]
            for index in order
        ],
    )


def name_model(run: FinishedRun) -> str:
    """Returns the line that says which model a page is of.

    Args:
        run: The model's.
    """
    model = run.config.model
    return f"{model.image_branch}, {model.modality}, run {run.folder.path.name}"


def name_units(run: FinishedRun, kind: str) -> Sequence[str]:
    """Returns the names of a stage's units, if they have any: those of the classes.

    Args:
        run: Whose classes they are.
        kind: The stage's.
    """
    named = kind in SCORES
    return [display_name(name) for name in run.answered] if named else ()


def say_dead(
    kind: str, dead: np.ndarray, rows: Sequence[np.ndarray] | np.ndarray = ()
) -> str:
    """Says how many channels are dead; nothing of scores, which may all be below 0.

    Args:
        kind: The stage's.
        dead: Whether each channel is dead in all inputs, bool, shape (channels,).
        rows: Activations of each input, to be counted alone too.

    Returns:
        Words that follow others.
    """
    if kind in SCORES:
        return ""
    alone = ", ".join(str(compute_statistics(one).num_dead) for one in rows)
    counted = f"; row by row {alone}" if alone else ""
    return f"; {int(dead.sum())} of {len(dead)} channels dead in all{counted}"


def as_map_rows(values: np.ndarray) -> np.ndarray:
    """Returns activations, rows first, as vectors or maps of two sides.

    Args:
        values: Shape (rows, ..., channels).
    """
    return values if values.ndim == 2 else np.stack([as_maps(one) for one in values])


def _make_stages(
    run: FinishedRun,
    model: "keras.Model",
    activations: Mapping[str, np.ndarray],
    labels: Sequence[str],
    images: np.ndarray | None,
) -> list[StageRows]:
    kinds = dict(activation_layers(model, list(activations)))
    stages = []
    for name, given in activations.items():
        values = as_map_rows(given)
        statistics = compute_statistics(values)
        stages.append(
            StageRows(
                name=name,
                kind=say_kind(kinds[name], run.activation),
                activations=values,
                labels=labels,
                images=images if values.ndim == 4 else None,
                order=statistics.order.tolist(),
                note="most active first"
                + say_dead(kinds[name], statistics.dead, values),
                unit_names=name_units(run, kinds[name]),
            )
        )
    return stages


def _make_curves(
    epochs: Sequence[int], activations: Mapping[str, np.ndarray]
) -> StageCurves:
    """Measures each epoch's distance to the last as a share of the last's size."""
    distances, dead = {}, {}
    for name, values in activations.items():
        last = values[-1].astype(np.float64)
        size = float(np.linalg.norm(last)) or 1.0
        distances[name] = np.array(
            [np.linalg.norm(one - last) / size for one in values]
        )
        if name not in SCORES:  # they may all be below 0
            shares = [compute_statistics(one).dead.mean() for one in values]
            dead[name] = np.array(shares)
    return StageCurves(epochs=epochs, distances=distances, dead=dead)


def _tell_records(
    run: FinishedRun, rows: Sequence[Row], labels: Sequence[str]
) -> Table:
    told = [describe_record(run, row) for row in rows]
    fields = list(told[0])
    findings = [row.get("findings") for row in rows]
    said = ["not known" if one is None else ", ".join(one) for one in findings]
    return Table(
        caption="Records",
        head=["", *labels],
        rows=[
            *([field, *(one[field] for one in told)] for field in fields),
            ["labels", *(display_name(one) for one in said)],
        ],
    )


def _join(found: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}
