"""What a model makes of one class of radiographs, beside another."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dualnet.data.membership import select_members
from dualnet.errors import RecordError
from dualnet.explain.activations import activation_layers
from dualnet.explain.class_means import Effects, compute_class_means, compute_effects
from dualnet.jobs.finished import FinishedRun, load_model
from dualnet.jobs.picture_sample import draw_one_a_patient, read_batches, take_part
from dualnet.jobs.visualize_rows import (
    PROBABILITIES,
    as_map_rows,
    name_model,
    name_units,
    say_dead,
    tell_classes,
)
from dualnet.plots.activation_rows import StageRows
from dualnet.plots.activation_views import say_kind
from dualnet.plots.row_pages import RowPage
from dualnet.plots.style import display_name
from dualnet.wording import format_number, number_of

NUM_OF_CLASS = 200  # radiographs of either class, unless somebody says another number

logger = logging.getLogger(__name__)


def compare_classes(
    run: FinishedRun,
    *,
    finding: str,
    against: str | None = None,
    part: str = "test",
    sample: int | None = None,
    layers: Sequence[str] | None = None,
) -> RowPage:
    """Computes the mean activations of one class beside another's.

    Args:
        run: Whose model to look into.
        finding: Radiographs with this among their labels are the asked class.
        against: Those with this, and without `finding`, are the other; none: the class
            without any finding.
        part: Part of the run's radiographs.
        sample: Radiographs at most of either class, one a patient; none:
            `NUM_OF_CLASS`.
        layers: Layer names or patterns; none: all stages.

    Returns:
        The page: a row a class, then their difference; the channels that differ most.
    """
    other = against or run.vocabulary.negative
    table, members = _draw_classes(
        run, finding, other, part=part, most=sample or NUM_OF_CLASS
    )
    model = load_model(run)
    asked = [*(layers or [name for name, _ in activation_layers(model)])]
    found = compute_class_means(
        model, read_batches(run, table), members, [*asked, PROBABILITIES]
    )
    counts = int(members.sum()), int((~members).sum())
    labels = [
        f"{display_name(name)}, mean of {count}"
        for name, count in zip((finding, other), counts, strict=True)
    ]
    images = None if found.images is None else _add_difference(found.images)
    stages = []
    for name, kind in activation_layers(model, asked):
        effects = compute_effects(found.levels[name], members, seed=run.config.seed)
        values = as_map_rows(_add_difference(found.means[name]))
        stages.append(
            StageRows(
                name=name,
                kind=say_kind(kind, run.activation),
                activations=values,
                labels=[*labels, "difference"],
                images=images if values.ndim == 4 else None,
                order=effects.order.tolist(),
                notes={
                    channel: f"d {format_number(float(size), sign=True, digits=2)}"
                    for channel, size in enumerate(effects.sizes)
                },
                note=_describe(effects) + say_dead(kind, found.dead[name]),
                unit_names=name_units(run, kind),
                difference=True,
            )
        )
    return RowPage(
        title=f"{display_name(finding)} against {display_name(other)}",
        lead=f"Mean activations on the {part} part, one radiograph a patient, the "
        f"channels that differ most first. {name_model(run)}",
        labels=[*labels, "difference"],
        images=images,
        stages=stages,
        tables=[
            tell_classes(
                run,
                found.means[PROBABILITIES],
                labels,
                caption="Mean probabilities",
            )
        ],
    )


def _describe(effects: Effects) -> str:
    count = len(effects.sizes)
    beyond = int((np.abs(effects.sizes) > effects.chance).sum())
    return (
        "d: difference of a channel's means in standard deviations; "
        f"{beyond} of {count} channels beyond {format_number(effects.chance, digits=2)}, "
        "which the greatest reaches in 5 % of shuffles"
    )


def _draw_classes(
    run: FinishedRun, finding: str, other: str, *, part: str, most: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Draws radiographs of two classes, each of another patient."""
    table = take_part(run, part)
    members = select_members(
        table["findings"], run.vocabulary, finding=finding, against=other
    )
    for name, present in ((finding, members.positive), (other, members.negative)):
        if not present.any():
            raise RecordError(
                f"--part {part}: must hold a radiograph of each class. Received: "
                f"{name!r} with 0 of {number_of(len(table), 'radiograph')}. "
                "Name another class or another part."
            )
    seed = run.config.seed
    asked = draw_one_a_patient(table[members.positive], most=most, seed=seed)
    others = table[members.negative]
    shared = others["patient_id"].isin(asked["patient_id"])
    if shared.any():
        logger.info(
            "%s of %s of %s left out: their patient has %s on another one",
            f"{int(shared.sum()):,}",
            number_of(len(others), "radiograph"),
            other,
            finding,
        )
    others = others[~shared]
    if others.empty:
        raise RecordError(
            f"--against: a patient must have it and not {finding}. Received: none of "
            f"{other!r} in the {part} part. Name another class or another part."
        )
    against = draw_one_a_patient(others, most=most, seed=seed)
    drawn = pd.concat([asked, against], ignore_index=True)
    return drawn, np.arange(len(drawn)) < len(asked)


def _add_difference(means: np.ndarray) -> np.ndarray:
    return np.concatenate([means, means[:1] - means[1:]])
