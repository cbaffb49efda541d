"""The run folder: what lies in it, written whole, read with checks.

runs/<name>/
  config.yaml            the whole configuration
  environment.json       versions, precision and compilation that were chosen
  records.csv            the records that were used, with their part's patients
  details.csv            what the dataset says of them besides, if it does
  split.csv, split.json  the parts; the certificate that no patient is in two, and the
                         vocabulary
  metadata_encoder.json  fitted on the training part
  model.keras            the best model by validation macro AUROC
  calibration.json       temperature and operating points, fitted on the val part
  history.csv            one row an epoch; finding_history.csv: AUROC by finding
  halves.json            how each half was fitted and joined, where it was
  training.html          the page to follow a training by; training.png, samples.png
  MODEL_CARD.md          the model card: written by `train`, completed by `evaluate`
  checkpoints/           where training stands, until the run is finished
  tensorboard/  evaluation/  activations/  explanations/
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

import dualnet
from dualnet.config import Config, format_config, parse_config
from dualnet.errors import RunError
from dualnet.files import LOCK, atomic_path, write_json, write_text

FORMAT = 1  # raised when a run folder of before can no longer be read
CONFIG = "config.yaml"
NEEDED = (
    CONFIG,
    "environment.json",
    "records.csv",
    "split.csv",
    "split.json",
    "metadata_encoder.json",
    "model.keras",
)

# what YAML, JSON and CSV that somebody has changed may raise
UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    yaml.YAMLError,
)
RECORD_TYPES: dict[str, Any] = {
    "image_id": "str",
    "path": "str",
    "patient_id": "str",
    "age_years": "float64",
    "sex": "str",
    "view_position": "str",
    "follow_up": "Int64",
    "findings": "str",
    "source": "str",
}


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run.

    Args:
        path: The folder, `runs/<name>`.
    """

    path: Path

    @property
    def model(self) -> Path:
        """The Keras model, best by validation macro AUROC."""
        return self.path / "model.keras"

    @property
    def metadata_encoder(self) -> Path:
        """The fitted encoder of the metadata."""
        return self.path / "metadata_encoder.json"

    @property
    def split(self) -> Path:
        """The part of each radiograph, as `split.json` certifies it."""
        return self.path / "split.csv"

    @property
    def calibration(self) -> Path:
        """Temperature and operating points, if they were fitted yet."""
        return self.path / "calibration.json"

    @property
    def history(self) -> Path:
        """One row an epoch: losses, scores, seconds, pictures a second."""
        return self.path / "history.csv"

    @property
    def finding_history(self) -> Path:
        """One row an epoch, one column a finding: AUROC on the val part."""
        return self.path / "finding_history.csv"

    @property
    def halves(self) -> Path:
        """How each half of a fused model was fitted and joined, if it was."""
        return self.path / "halves.json"

    @property
    def training_page(self) -> Path:
        """The page to follow a training by."""
        return self.path / "training.html"

    @property
    def training_figure(self) -> Path:
        """The curves of a training, as a picture."""
        return self.path / "training.png"

    @property
    def samples(self) -> Path:
        """Pictures as the model was fed them, and its labels."""
        return self.path / "samples.png"

    @property
    def config(self) -> Path:
        """The whole configuration, which `train` writes first."""
        return self.path / CONFIG

    @property
    def is_begun(self) -> bool:
        """Whether `train` has begun it, or more."""
        return self.config.is_file()

    @property
    def is_fitted(self) -> bool:
        """Whether its model is written, and nothing is left to go on from."""
        return self.model.is_file() and not self.checkpoints.exists()

    @property
    def is_finished(self) -> bool:
        """Whether `train` has come to its end, of which the model card is the last."""
        return self.model.is_file() and self.model_card.is_file()

    @property
    def checkpoints(self) -> Path:
        """What training keeps while it goes on."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """Event files for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def evaluation(self) -> Path:
        """`metrics.json`, `predictions.csv`, `report.html`, `.pdf` and `figures/`."""
        return self.path / "evaluation"

    @property
    def model_card(self) -> Path:
        """What the model is, what it is for and what is known of it."""
        return self.path / "MODEL_CARD.md"

    @property
    def activations(self) -> Path:
        """Pictures of the intermediate activations."""
        return self.path / "activations"

    @property
    def explanations(self) -> Path:
        """Why the model says what it says, a folder a radiograph."""
        return self.path / "explanations"

    def write_config(self, config: Config) -> None:
        """Writes `config.yaml`."""
        write_text(self.config, format_config(config))

    def read_config(self) -> Config:
        """Reads `config.yaml`."""
        file = self.config
        with _reading(file):
            values = yaml.safe_load(file.read_text("utf-8"))
        return parse_config(values, where=str(file))

    def write_environment(self, values: dict[str, Any]) -> None:
        """Writes `environment.json`: the given values after the versions."""
        versions = {"run_format": FORMAT, "dualnet": dualnet.__version__}
        write_json(self.path / "environment.json", {**versions, **values})

    def read_environment(self) -> dict[str, Any]:
        """Reads `environment.json`."""
        return _read_json(self.path / "environment.json")

    def read_calibration(self) -> dict[str, Any]:
        """Reads `calibration.json`."""
        return _read_json(self.calibration)

    def write_records(self, table: pd.DataFrame) -> None:
        """Writes `records.csv`; findings are joined by `|`, as NIH joins them."""
        rows = table.assign(findings=table["findings"].map("|".join))
        write_table(self.path / "records.csv", rows)

    def read_records(self) -> pd.DataFrame:
        """Reads `records.csv` back into a records table (see `data.records`)."""
        file = self.path / "records.csv"
        with _reading(file):
            table = pd.read_csv(
                file, dtype=RECORD_TYPES, keep_default_na=False, na_values=[""]
            ).loc[:, [*RECORD_TYPES]]
            labels = table["findings"]
            tuples = {text: tuple(text.split("|")) for text in labels.unique()}
            return table.assign(findings=labels.map(tuples.__getitem__))

    def read_history(self) -> pd.DataFrame:
        """Reads `history.csv`: one row an epoch; none before the first has ended."""
        if not self.history.is_file():
            return pd.DataFrame({"epoch": []})
        with _reading(self.history):
            return pd.read_csv(self.history)

    def read_finding_history(self) -> pd.DataFrame:
        """Reads `finding_history.csv`: `epoch`, then a column a finding.

        Returns:
            One row an epoch, NaN where undefined; no row where there is no file, as in
            runs of before.
        """
        if not self.finding_history.is_file():
            return pd.DataFrame({"epoch": []})
        with _reading(self.finding_history):
            table = pd.read_csv(self.finding_history)
            areas = dict.fromkeys(table.columns.drop("epoch"), "float64")
            return table.astype({"epoch": "int64", **areas})

    def write_halves(self, values: dict[str, Any]) -> None:
        """Writes `halves.json`."""
        write_json(self.halves, values)

    def read_halves(self) -> dict[str, Any]:
        """Reads `halves.json`; nothing where the halves were not fitted apart."""
        return _read_json(self.halves) if self.halves.is_file() else {}

    def write_details(self, details: pd.DataFrame) -> None:
        """Writes `details.csv`, if it has a column besides `image_id`."""
        if len(details.columns) > 1:
            write_table(self.path / "details.csv", details)

    def write_split(self, split: pd.DataFrame, certificate: dict[str, Any]) -> None:
        """Writes `split.csv` and its certificate `split.json`."""
        write_table(self.split, split)
        write_json(self.path / "split.json", certificate)

    def read_split(self) -> pd.DataFrame:
        """Reads `split.csv`: `image_id`, `patient_id`, `part`."""
        with _reading(self.split):
            table = pd.read_csv(self.split, dtype="str", keep_default_na=False)
            return table.loc[:, ["image_id", "patient_id", "part"]]

    def read_certificate(self) -> dict[str, Any]:
        """Reads `split.json`."""
        return _read_json(self.path / "split.json")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a table as CSV, whole or not at all.

    Args:
        path: The file.
        table: Its rows; the index is left out.
    """
    with atomic_path(path) as unfinished:
        table.to_csv(unfinished, index=False)


def open_run(path: Path) -> RunFolder:
    """Opens a finished run.

    Args:
        path: The run folder.

    Returns:
        The folder, with all that it needs in it.

    Raises:
        RunError: If it is absent, incomplete, or was written by another version.
    """
    if not path.is_dir():
        raise RunError(
            f"{path}: must be a run folder. Received: no such folder. "
            "Name the folder that `dualnet train --run` wrote."
        )
    missing = [name for name in NEEDED if not (path / name).is_file()]
    if missing:
        raise RunError(
            f"{path}: must hold {', '.join(NEEDED)}. "
            f"Received: no {', '.join(missing)}. Train the run to its end."
        )
    run = RunFolder(path)
    _check_format(run)
    return run


def create_run(path: Path, *, overwrite: bool) -> RunFolder:
    """Checks that a new run may be written at `path`; makes nothing yet.

    Args:
        path: The run folder to be.
        overwrite: Whether a run that lies there may be replaced.

    Returns:
        The folder.

    Raises:
        RunError: If something lies there that may not be replaced.
    """
    if path.exists() and not path.is_dir():
        raise RunError(
            f"{path}: must be a folder or nothing. Received: a file. "
            "Name another run folder."
        )
    run = RunFolder(path)
    full = path.is_dir() and any(entry.name != LOCK for entry in path.iterdir())
    if full and not (overwrite and run.is_begun):
        raise RunError(
            f"{path}: must be empty. Received: {_describe_content(run)}. "
            f"Name another folder ({_advise(run, overwrite=overwrite)})."
        )
    return run


def _describe_content(run: RunFolder) -> str:
    if run.is_begun and not run.is_finished:
        return "a run that was stopped"
    return "a folder with files in it"


def _advise(run: RunFolder, *, overwrite: bool) -> str:
    if overwrite:
        return "it holds no run"
    if run.is_begun and not run.is_finished:
        return "--resume goes on with this one, --overwrite replaces it"
    return "--overwrite replaces a run"


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Names the file of a run that cannot be read, or is not as it was written."""
    try:
        yield
    except UNREADABLE as error:
        raise RunError(
            f"{file}: must be as training wrote it. Received: "
            f"{type(error).__name__} while reading. "
            "Restore the file that training wrote, or train the run again."
        ) from error


def _read_json(file: Path) -> dict[str, Any]:
    with _reading(file):
        values = json.loads(file.read_text("utf-8"))
        if not isinstance(values, dict):
            raise TypeError("no mapping")
        return values


def _check_format(run: RunFolder) -> None:
    environment = run.read_environment()
    with _reading(run.path / "environment.json"):
        found, version = environment["run_format"], environment["dualnet"]
    if found != FORMAT:
        raise RunError(
            f"{run.path}: must be of run format {FORMAT}. Received: "
            f"run_format={found!r}, written by dualnet {version}. "
            "Use that version, or train the run again."
        )
