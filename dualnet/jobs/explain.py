"""`dualnet explain`: why a model says what it says of one radiograph and its record."""

import difflib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dualnet.errors import ConfigError, DualNetError
from dualnet.evaluation.probabilities.calibration import Calibration
from dualnet.explain.split_model import Cases, split_model
from dualnet.files import write_json
from dualnet.jobs.calibrate import read_calibration
from dualnet.jobs.chosen import Row, choose_rows, describe_record, make_inputs
from dualnet.jobs.explained import (
    Explained,
    describe_curves,
    describe_neighbours,
    describe_probabilities,
    describe_shares,
)
from dualnet.jobs.explained_picture import explain_picture
from dualnet.jobs.finished import FinishedRun, load_model, read_run
from dualnet.jobs.training_cases import read_training_cases
from dualnet.plots.explanation_page import write_explanation_page
from dualnet.wording import number_of

if TYPE_CHECKING:
    import keras

VALUES = "explanation.json"

logger = logging.getLogger(__name__)


def explain_run(  # noqa: PLR0913 - one argument an option
    path: Path,
    *,
    image: Path | None = None,
    image_id: str | None = None,
    metadata: str | None = None,
    finding: str | None = None,
    method: str | None = None,
    layer: str | None = None,
    out: Path | None = None,
) -> Path:
    """Explains what a run's model says of one radiograph, picture and record together.

    Args:
        path: The run folder.
        image: A picture file; its record is unknown but for `metadata`, unless it is
            one of the run's own files.
        image_id: A radiograph of the run's records; with neither, the first one of
            the test part that has a finding.
        metadata: Fields that replace the record's, such as `age=57,view=AP`.
        finding: The class to explain; none: the likeliest finding.
        method: How the heat map is made, one of `heat_maps.METHODS`; none: `hires_cam`.
        layer: At which layer; none: the method's own.
        out: Folder to write; none: `explanations/<image_id>/<class>` in the run folder.

    Returns:
        The folder with `index.html`, its figures and `explanation.json`.

    Raises:
        ConfigError: If a choice is not the model's, or both pictures are named.
    """
    _check_picture(image, image_id)
    run = read_run(path)
    _check_options(run, finding, method, layer)
    (row,) = choose_rows(
        run,
        images=[] if image is None else [image],
        image_ids=[] if image_id is None else [image_id],
        metadata=metadata,
    )
    inputs = make_inputs(run, [row])
    model = load_model(run)
    explained, remarks = _read_case(run, row, model, inputs)
    judged = read_judged(run)
    if judged is None:
        remarks.append(
            "The run is not judged yet, so that its probabilities have no intervals: "
            f"`dualnet evaluate {run.folder.path}` gives them."
        )
    probabilities = describe_probabilities(explained, judged)
    name = finding or _choose_finding(run, probabilities)
    values = {
        **_describe(run, row, name),
        "calibrated": explained.calibration is not None,
        "probabilities": probabilities,
    }
    heat_map = None
    if "image" in inputs:
        values["picture"], heat_map = explain_picture(
            run, row, model, inputs, name, method=method, layer=layer
        )
    values["curves"] = describe_curves(explained, name)
    values |= _compare(explained, name, remarks)
    values["remarks"] = remarks
    folder = out or _name_folder(run, row, name)
    write_json(folder / VALUES, values)
    gray = inputs["image"][0, :, :, 0].astype("uint8") if "image" in inputs else None
    write_explanation_page(folder, values, image=gray, heat_map=heat_map)
    return folder


def read_judged(run: FinishedRun) -> pd.DataFrame | None:
    """Reads what the run's model said of its test part when it was judged.

    Args:
        run: The run.

    Returns:
        `patient_id` and `findings` of the run's own records, and a column a class that
        it scores; None where there is no evaluation of the test part, or another one.
    """
    file = run.folder.evaluation / "predictions.csv"
    if not file.is_file():
        return None
    try:
        said = pd.read_csv(file, dtype={"image_id": "str"}).set_index("image_id")
        said = said[list(run.answered)].astype("float64")
    except (OSError, ValueError, KeyError):
        logger.info("%s: not as it was written; passed over", file)
        return None
    test = run.records[run.records["part"] == "test"]
    known = test.loc[test["image_id"].isin(said.index)]
    scores = said.reindex(known["image_id"]).reset_index(drop=True)
    told = known[["patient_id", "findings"]].reset_index(drop=True)
    return pd.concat([told, scores], axis=1) if len(known) else None


def _check_picture(image: Path | None, image_id: str | None) -> None:
    if image is not None and image_id is not None:
        raise ConfigError(
            "--image, --image-id: must be one of the two. Received: both. "
            "Leave one of them out."
        )


def _check_options(
    run: FinishedRun, finding: str | None, method: str | None, layer: str | None
) -> None:
    names = run.answered
    if finding is not None and finding not in names:
        near = difflib.get_close_matches(finding, names, n=3)
        hint = f"Near it: {', '.join(near)}. " if near else ""
        raise ConfigError(
            "--finding: must be a class that the model has an output for. "
            f"Received: {finding!r}. {hint}Choose from: {', '.join(names)}."
        )
    if run.config.model.modality == "metadata" and (method or layer):
        raise ConfigError(
            "--method, --layer: need a model that sees pictures. "
            "Received: modality=metadata. Leave them out, or name another run."
        )


def _read_case(
    run: FinishedRun,
    row: Row,
    model: "keras.Model",
    inputs: Mapping[str, np.ndarray],
) -> tuple[Explained, list[str]]:
    """Returns the radiograph to be explained, and what is to be said beforehand."""
    split = split_model(model)
    pictures = split.read_pictures({"image": inputs["image"]}) if split.picture else []
    metadata = inputs.get("metadata", np.zeros((1, 0), np.float32))
    calibration, remarks = _read_calibration(run)
    explained = Explained(
        run=run,
        row=row,
        model=split,
        case=Cases(pictures=pictures, metadata=metadata),
        calibration=calibration,
    )
    return explained, [*_remark(run, row), *remarks]


def _read_calibration(run: FinishedRun) -> tuple[Calibration | None, list[str]]:
    try:
        return read_calibration(run), []
    except DualNetError as error:
        logger.info("not calibrated: %s", error)
        told = "The probabilities are not calibrated: they may be too sure."
        return None, [told]


def _remark(run: FinishedRun, row: Row) -> list[str]:
    """Says what a reader must know before the numbers."""
    remarks = []
    if run.dataset["phantom"]:
        remarks.append("The run was trained on a phantom: its radiographs are drawn.")
    if row.get("part") in {"train", "val"}:
        remarks.append(
            f"This radiograph is of the {row['part']} part: the model was chosen with it, "
            "and may be surer of it than of one that it never met."
        )
    if run.config.model.modality == "image":
        return remarks
    taught = run.taught_missing
    never = [
        field
        for field, value in describe_record(run, row).items()
        if value == "unknown" and not taught[field]
    ]
    if never:
        remarks.append(
            f"Unknown here, and known of every radiograph in training: "
            f"{', '.join(never)}. The model was never taught what that means."
        )
    return remarks


def _choose_finding(
    run: FinishedRun, probabilities: Mapping[str, Mapping[str, Any]]
) -> str:
    findings = [one for one in probabilities if one != run.vocabulary.negative]
    likeliest = max(findings, key=lambda one: probabilities[one]["probability"])
    logger.info("no finding named: explaining %s, the likeliest", likeliest)
    return likeliest


def _describe(run: FinishedRun, row: Row, name: str) -> dict[str, Any]:
    settings = run.config.model
    branch = "" if settings.modality == "metadata" else f"{settings.image_branch}, "
    findings = row.get("findings")
    record = {} if settings.modality == "image" else describe_record(run, row)
    return {
        "image_id": row["image_id"],
        "finding": name,
        "model": f"{branch}{settings.modality}, run {run.folder.path.name}",
        "dataset": run.dataset,
        "part": row.get("part"),
        "record": {field: one.removesuffix(".0") for field, one in record.items()},
        "labels": None if findings is None else list(findings),
    }


def _compare(explained: Explained, name: str, remarks: list[str]) -> dict[str, Any]:
    """Compares with the training part; where that is gone, says so and goes on."""
    try:
        training = read_training_cases(explained.run, explained.model)
    except DualNetError as error:
        logger.info("not compared with the train part: %s", error)
        remarks.append(
            "The pictures of the train part cannot be read, so there are no shares and no "
            "neighbours."
        )
        return {}
    if len(training.table) < training.num_all:
        remarks.append(
            f"Compared with {len(training.table):,} of "
            f"{number_of(training.num_all, 'radiograph')} of the train part."
        )
    column = explained.run.answered.index(name)
    return {
        "shares": describe_shares(explained, training, column),
        "neighbours": describe_neighbours(explained, training, name),
    }


def _name_folder(run: FinishedRun, row: Row, name: str) -> Path:
    stem = Path(row["image_id"].replace("/", "-")).stem  # a path in some datasets
    return run.folder.explanations / stem / name.replace(" ", "_")
