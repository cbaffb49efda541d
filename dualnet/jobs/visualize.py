"""`dualnet visualize`: what each stage of a model makes of radiographs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.images import read_original
from dualnet.errors import ConfigError
from dualnet.explain.activations import (
    activation_layers,
    compute_activations,
    compute_prepared,
    first_filters,
    fusion_parts,
    split_logits,
)
from dualnet.explain.channels import compute_statistics
from dualnet.jobs.chosen import Row, choose_rows, describe_record, make_inputs
from dualnet.jobs.finished import FinishedRun, load_model, read_run
from dualnet.jobs.visualize_classes import compare_classes
from dualnet.jobs.visualize_filters import find_filters
from dualnet.jobs.visualize_rows import compare_epochs, compare_pictures, name_model
from dualnet.plots.pages import ActivationPage, write_activation_pages
from dualnet.plots.patch_pages import write_patch_page
from dualnet.plots.row_pages import write_row_page
from dualnet.runs import write_table

PART = "test"  # of the run's radiographs, unless another is named
RADIOGRAPH = ("--image", "--image-id", "--metadata")
SAMPLE = ("--part", "--sample")


def visualize_run(  # noqa: PLR0913 (one argument an option)
    path: Path,
    *,
    images: Sequence[Path] = (),
    image_ids: Sequence[str] = (),
    metadata: str | None = None,
    layers: Sequence[str] | None = None,
    finding: str | None = None,
    against: str | None = None,
    epochs: bool = False,
    filters: bool = False,
    part: str | None = None,
    sample: int | None = None,
    out: Path | None = None,
) -> Path:
    """Draws the intermediate activations of a run's model.

    Of one radiograph; of several, side by side; of one over the epochs; of one class
    beside another; or what excites each channel most.

    Args:
        path: The run folder.
        images: Picture files; their record is unknown but for `metadata`, unless they
            are the run's own files.
        image_ids: Radiographs of the run's records; with neither, the first one of
            the test part that has a finding.
        metadata: Fields that replace the records', such as `age=57,view=AP`.
        layers: Layer names or patterns; none: all stages.
        finding: A class whose mean is shown beside that of `against`; none: no means.
        against: The other class; none: the one without any finding.
        epochs: Whether one radiograph is shown after each epoch that was kept.
        filters: Whether kernels and strongest patches are shown.
        part: Part of the run's radiographs that means and patches are of; none: test.
        sample: Radiographs at most, of either class; none: as each says.
        out: Folder to write; none: a folder of `activations` in the run folder.

    Returns:
        The folder with one PNG a stage and `index.html`.
    """
    mode = _find_mode(finding=finding, epochs=epochs, filters=filters)
    _check_options(
        mode,
        {
            "--image": images,
            "--image-id": image_ids,
            "--metadata": metadata,
            "--against": against,
            "--part": part,
            "--sample": sample,
        },
    )
    run = read_run(path)
    if finding is not None:
        page = compare_classes(
            run,
            finding=finding,
            against=against,
            part=part or PART,
            sample=sample,
            layers=layers,
        )
        folder = out or _folder(run, page.title)
        write_row_page(folder, page)
    elif filters:
        found = find_filters(run, part=part or PART, sample=sample, layers=layers)
        folder = out or _folder(run, "filters")
        write_patch_page(folder, found)
    else:
        rows = choose_rows(run, images=images, image_ids=image_ids, metadata=metadata)
        folder = out or _folder(run, _name(rows, epochs=epochs))
        _draw_rows(run, rows, layers, epochs=epochs, folder=folder)
    return folder


def make_page(
    run: FinishedRun, row: Row, layers: Sequence[str] | None = None
) -> ActivationPage:
    """Computes what one page of activations shows.

    Args:
        run: Whose model to look into.
        row: One record: `image_id`, `path` and the metadata columns.
        layers: Layer names or patterns; none: all stages.

    Returns:
        The arrays and names to draw.
    """
    model = load_model(run)
    inputs = make_inputs(run, [row])
    activations = compute_activations(model, inputs, layers)
    parts = fusion_parts(model)
    always = compute_activations(
        model, inputs, ["probabilities", *(["fusion"] if parts else [])]
    )
    shares = split_logits(model, always["fusion"]) if parts else {}
    page = ActivationPage(
        image_id=row["image_id"],
        class_names=run.answered,
        probabilities=always["probabilities"][0],
        layers=activation_layers(model, layers),
        activations={name: values[0] for name, values in activations.items()},
        record=describe_record(run, row),
        feature_names=run.encoder.feature_names if "metadata" in inputs else (),
        feature_values=inputs.get("metadata", np.zeros((1, 0), "float32"))[0],
        fusion_parts=parts,
        logit_parts={name: share[0] for name, share in shares.items()},
        findings=row.get("findings"),
        model=name_model(run),
        activation=run.activation,
    )
    if "image" not in inputs:
        return page
    prepared = compute_prepared(model, inputs)
    return replace(
        page,
        image=inputs["image"][0, :, :, 0].astype("uint8"),
        picture=read_original(Path(row["path"])),
        prepared=None if prepared is None else prepared[0],
        filters=first_filters(model),
    )


def tabulate_channels(page: ActivationPage) -> pd.DataFrame:
    """Tells what each channel of each stage does, as `channels.csv` has it.

    Args:
        page: The activations of one radiograph.

    Returns:
        One row a channel: `layer`, `kind`, `channel`, `mean`, `standard_deviation`,
        `greatest`, `share_above_0`, `dead`.
    """
    tables = []
    for name, kind in page.layers:
        statistics = compute_statistics(page.activations[name])
        tables.append(
            pd.DataFrame(
                {
                    "layer": name,
                    "kind": kind,
                    "channel": np.arange(statistics.num_channels),
                    "mean": statistics.mean,
                    "standard_deviation": statistics.deviation,
                    "greatest": statistics.maximum,
                    "share_above_0": statistics.positive,
                    "dead": statistics.dead,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _draw_rows(
    run: FinishedRun,
    rows: Sequence[Row],
    layers: Sequence[str] | None,
    *,
    epochs: bool,
    folder: Path,
) -> None:
    if epochs:
        if len(rows) > 1:
            raise ConfigError(
                "--epochs: must be of one radiograph. "
                f"Received: {len(rows)}. Name one of them."
            )
        write_row_page(folder, compare_epochs(run, rows[0], layers))
    elif len(rows) > 1:
        write_row_page(folder, compare_pictures(run, rows, layers))
    else:
        page = make_page(run, rows[0], layers)
        write_activation_pages(folder, page)
        write_table(folder / "channels.csv", tabulate_channels(page))


def _find_mode(**chosen: object) -> str:
    """Returns the option that says what is drawn; empty for radiographs."""
    modes = [f"--{name}" for name, value in chosen.items() if value]
    if len(modes) > 1:
        raise ConfigError(
            f"{', '.join(modes)}: must be one of them. Received: {len(modes)}. "
            "Draw one after the other."
        )
    return modes[0] if modes else ""


def _check_options(mode: str, options: Mapping[str, object]) -> None:
    """Refuses what the chosen drawing does not read."""
    read = {"": RADIOGRAPH, "--epochs": RADIOGRAPH, "--filters": SAMPLE}
    allowed = read.get(mode, (*SAMPLE, "--against"))
    for option, value in options.items():
        if value and option not in allowed:
            where = f"beside {mode}" if mode else "without --finding or --filters"
            raise ConfigError(
                f"{option}: must not stand {where}. Received: {_say(value)}. "
                "Leave it out."
            )


def _say(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _name(rows: Sequence[Row], *, epochs: bool) -> str:
    """Returns the folder's name: the radiographs, by their names without suffix."""
    # a name is a path in some datasets
    names = [Path(str(row["image_id"]).replace("/", "-")).stem for row in rows]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return " beside ".join(names[:2]) + more + (" epochs" if epochs else "")


def _folder(run: FinishedRun, name: str) -> Path:
    return run.folder.activations / name.replace(" ", "_")
