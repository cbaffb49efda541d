"""What a run, or anybody's model, has predicted: a judged folder, read and checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dualnet.errors import RunError
from dualnet.jobs.finished import FinishedRun, read_run
from dualnet.runs import UNREADABLE, RunFolder
from dualnet.wording import number_of

PREDICTIONS, METRICS = "predictions.csv", "metrics.json"
KNOWN = ("image_id", "patient_id", "findings")
DEPTH = 2  # RUN/evaluation/PART is two below RUN


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Predictions, and the run that made them.

    Args:
        folder: Where they lie.
        name: What they are called.
        run: The run that made them; None where it is not known.
        class_names: Classes that are scored.
        negative: The class without any finding.
        resamples: How often patients were drawn for the intervals of `metrics.json`.
        seed: What decided these draws.
        judged: How it was judged on its own: `num_images`, `num_patients`, and of
            `model` and each of `baselines` the macro AUROC with its interval.
        phantom: Whether the radiographs are the phantom's.
        table: `image_id` (unique), `patient_id`, `findings` (a set of names), `part`
            (empty where it is not known), and a column of finite scores a class.
    """

    folder: Path
    name: str
    run: FinishedRun | None
    class_names: tuple[str, ...]
    negative: str
    resamples: int
    seed: int
    judged: Mapping[str, Any]
    phantom: bool
    table: pd.DataFrame


def read_predicted(path: Path, part: str) -> Predicted:
    """Reads what was predicted and judged.

    Args:
        path: A run folder, or any folder with `predictions.csv` and `metrics.json`.
        part: Which part of the run's radiographs, where `path` is a run folder.

    Returns:
        The predictions.
    """
    folder = _find_folder(path, part)
    metrics = _read_metrics(folder / METRICS)
    home = _find_run(folder)
    table = _read_table(folder / PREDICTIONS, metrics["class_names"])
    named = [name for name in metrics["class_names"] if name in table]
    return Predicted(
        folder=folder,
        name=_name(folder, home),
        run=None if home is None else read_run(home),
        class_names=tuple(named),
        negative=metrics["negative"],
        resamples=metrics["resamples"],
        seed=metrics["seed"],
        judged=metrics["judged"],
        phantom=metrics["phantom"],
        table=table,
    )


def _find_folder(path: Path, part: str) -> Path:
    if _is_judged(path):
        return path
    if not (path / "config.yaml").is_file():
        raise RunError(
            f"{path}: must be a run folder, or hold {PREDICTIONS} and {METRICS}. "
            f"Received: {'neither' if path.is_dir() else 'no such folder'}. "
            "Name a run, or what `dualnet judge --out` wrote."
        )
    folder = RunFolder(path).evaluation / ("" if part == "test" else part)
    if not _is_judged(folder):
        option = "" if part == "test" else f" --part {part}"
        score = " --training-patients score" if part == "train" else ""
        raise RunError(
            f"{path}: must be evaluated before it is compared. "
            f"Received: no {PREDICTIONS} and {METRICS} in {folder}. "
            f"Run `dualnet evaluate {path}{option}{score}`."
        )
    return folder


def _is_judged(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (PREDICTIONS, METRICS))


def _find_run(folder: Path) -> Path | None:
    """The run folder that predictions lie in, so that its split is known."""
    folder = folder.resolve()
    for home in (folder, *folder.parents[:DEPTH]):
        if (home / "split.csv").is_file() and (home / "config.yaml").is_file():
            return home
    return None


def _name(folder: Path, home: Path | None) -> str:
    folder = folder.resolve()
    if home is None:
        return folder.name
    evaluation = RunFolder(home).evaluation
    if folder in {home, evaluation}:
        return home.name
    return f"{home.name}/{folder.name}"


def _read_metrics(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text("utf-8"))
        return {
            "class_names": [str(name) for name in values["class_names"]],
            "negative": str(values["negative"]),
            "resamples": int(values["intervals"]["resamples"]),
            "seed": int(values["intervals"]["seed"]),
            "judged": _describe_judged(values),
            "phantom": bool((values.get("about") or {}).get("phantom")),
        }
    except UNREADABLE as error:
        raise RunError(
            f"{file}: must be as `dualnet evaluate` or `dualnet judge` wrote it. "
            f"Received: {type(error).__name__} while reading. Judge the model again."
        ) from error


def _describe_judged(values: Mapping[str, Any]) -> dict[str, Any]:
    """Takes the macro AUROCs of the model and its baselines, as far as they are told."""
    blocks = {"model": values.get("model"), **values.get("baselines", {})}
    areas = {
        name: {key: block["macro"][key] for key in ("auroc", "auroc_interval")}
        for name, block in blocks.items()
        if block
    }
    return {
        "num_images": values.get("num_images"),
        "num_patients": values.get("num_patients"),
        "model": areas.pop("model", None),
        "baselines": areas,
    }


def _read_table(file: Path, class_names: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(
            file,
            dtype=dict.fromkeys((*KNOWN, "part"), "str"),
            keep_default_na=False,
            na_values={name: ["", "nan", "NaN"] for name in class_names},
        )
        scored = [name for name in class_names if name in table]
        scored = [name for name in scored if not table[name].isna().all()]
        table = table.astype(dict.fromkeys(scored, "float64"))
    except UNREADABLE as error:
        raise RunError(
            f"{file}: must be a table of predictions. "
            f"Received: {type(error).__name__} while reading. Judge the model again."
        ) from error
    _check_table(file, table, scored)
    parts = table["part"] if "part" in table else pd.Series("", index=table.index)
    labels = {text: frozenset(text.split("|")) for text in table["findings"].unique()}
    return table[[*KNOWN, *scored]].assign(
        findings=table["findings"].map(labels.__getitem__), part=parts
    )


def _check_table(file: Path, table: pd.DataFrame, scored: list[str]) -> None:
    missing = [name for name in KNOWN if name not in table]
    if missing or not scored or table.empty:
        raise RunError(
            f"{file}: must have {', '.join(KNOWN)} and a column of scores a class. "
            f"Received: {number_of(len(table), 'row')}, "
            f"no {', '.join(missing) or 'class'}. Judge the model again."
        )
    twice = table["image_id"].duplicated()
    if twice.any():
        raise RunError(
            f"{file}: each radiograph must stand there once. "
            f"Received: {table.loc[twice, 'image_id'].iloc[0]} again "
            f"({number_of(int(twice.sum()), 'such row')}). Judge the model again."
        )
    finite = np.isfinite(table[scored].to_numpy())
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise RunError(
            f"{file}: scores must be finite. Received: {scored[column]}="
            f"{table[scored].iloc[row, column]} of {table['image_id'].iloc[row]} "
            f"({number_of(int((~finite).any(axis=1).sum()), 'such row')}). "
            "Predict these radiographs again."
        )
