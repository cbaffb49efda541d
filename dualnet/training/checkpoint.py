"""Checkpoints on disk: whole or absent, checked by their checksums, never pickled.

    checkpoints/image-epoch-0003-step-000120/    3 epochs, and 120 batches of the next
      arrays.npz      weights, random state, optimizer, sums of the running epoch
      state.json      where training stands; what the callbacks remember
      manifest.json   size and SHA-256 of both

Each is written beside itself, flushed and renamed, so a stop at any moment leaves those
before it. One that is not as it was written is passed over, with the reason.
"""

import json
import logging
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dualnet.errors import RunError
from dualnet.files import durable_folder, sha256

logger = logging.getLogger(__name__)

FORMAT = 1  # raised when a checkpoint of before can no longer be read
KEPT = 3  # of each stage
ARRAYS, STATE, MANIFEST = "arrays.npz", "state.json", "manifest.json"

_NAME = re.compile(r"(?P<stage>\w+)-epoch-(?P<epoch>\d+)-step-(?P<step>\d+)")
_UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """All that training goes on from, to the same bits.

    Args:
        stage: Which model of the run is being fitted: `fused`, `image` or `metadata`.
        epoch: Epochs done.
        step: Batches done of the next epoch.
        finished: Whether no epoch is left to do.
        digests: Of the configuration and the data, by name.
        spent: Seconds and processor seconds of the run's fitting so far.
        variables: Names of the model's variables, by group, as `arrays` numbers them.
        callbacks: What each callback remembers, by its name.
        arrays: The variables' values as `group/number`, and the callbacks' arrays.
    """

    stage: str
    epoch: int
    step: int
    finished: bool
    digests: Mapping[str, str]
    spent: Mapping[str, float]
    variables: Mapping[str, list[str]]
    callbacks: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    @property
    def name(self) -> str:
        """Name of the folder."""
        return f"{self.stage}-epoch-{self.epoch:04d}-step-{self.step:06d}"

    @property
    def last_epoch(self) -> int:
        """The epoch, from 0, of the last batch that was done."""
        return self.epoch if self.step else max(0, self.epoch - 1)


class DamagedCheckpoint(RunError):  # noqa: N818  # a state of the disk, said in a log
    """A checkpoint that is not as it was written."""


class UnreadableCheckpoint(DamagedCheckpoint):
    """A checkpoint that the disk does not give now; it may be whole all the same."""


def write_checkpoint(
    folder: Path, checkpoint: Checkpoint, *, every_epoch: bool = False
) -> Path:
    """Writes a checkpoint, then removes all but the newest `KEPT` of its stage.

    Args:
        folder: Where the run's checkpoints lie.
        checkpoint: What is to be kept.
        every_epoch: Whether those at an epoch's end are kept besides, all of them.

    Returns:
        The checkpoint's folder.

    Raises:
        StorageError: If it cannot be written; those before it stay.
    """
    path = folder / checkpoint.name
    values = {
        field.name: getattr(checkpoint, field.name)
        for field in fields(checkpoint)
        if field.name != "arrays"
    }
    with durable_folder(path) as unfinished:
        np.savez(unfinished / ARRAYS, allow_pickle=False, **checkpoint.arrays)
        (unfinished / STATE).write_text(json.dumps(values), encoding="utf-8")
        files = {
            name: {
                "bytes": (unfinished / name).stat().st_size,
                "sha256": sha256(unfinished / name),
            }
            for name in (ARRAYS, STATE)
        }
        manifest = json.dumps({"format": FORMAT, "files": files}, indent=2)
        (unfinished / MANIFEST).write_text(manifest, encoding="utf-8")
    for old in list_checkpoints(folder, checkpoint.stage)[KEPT:]:
        if not (every_epoch and ends_epoch(old)):
            shutil.rmtree(old, ignore_errors=True)
    return path


def list_checkpoints(folder: Path, stage: str | None = None) -> list[Path]:
    """Lists the checkpoints of a run, the newest first.

    Args:
        folder: Where they lie; may be absent.
        stage: Which model's; none: all.

    Returns:
        Their folders.
    """
    if not folder.is_dir():
        return []
    found = [(match, path) for path in folder.iterdir() if (match := _match(path))]
    of_stage = [
        (int(match["epoch"]), int(match["step"]), path)
        for match, path in found
        if stage is None or match["stage"] == stage
    ]
    return [path for *_, path in sorted(of_stage, reverse=True)]


def ends_epoch(path: Path) -> bool:
    """Returns whether a checkpoint stands at an epoch's end.

    Args:
        path: Its folder.
    """
    match = _NAME.fullmatch(path.name)
    return match is not None and int(match["step"]) == 0


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint, if every byte of it is as it was written.

    Args:
        path: Its folder.

    Returns:
        The checkpoint.

    Raises:
        DamagedCheckpoint: If it is not; the message is the reason.
    """
    values, written = _read_state(path)
    _check_file(path / ARRAYS, written)
    with (
        _naming(ARRAYS),
        np.load(path / ARRAYS, allow_pickle=False) as archive,
    ):
        arrays = {name: archive[name] for name in archive.files}
    with _naming(STATE):
        return Checkpoint(**values, arrays=arrays)


def find_checkpoint(
    folder: Path, stage: str, digests: Mapping[str, str]
) -> Checkpoint | None:
    """Finds the newest checkpoint that is whole; says which are not, and why.

    Args:
        folder: Where the run's checkpoints lie.
        stage: Which model's.
        digests: Of the configuration and the data that training is to go on with.

    Returns:
        The checkpoint; none: training begins at the beginning.
    """
    damaged = 0
    for path in list_checkpoints(folder, stage):
        try:
            checkpoint = read_checkpoint(path)
        except DamagedCheckpoint as reason:
            damaged += 1
            logger.warning("%s: passed over, %s", path, reason)
            if not isinstance(reason, UnreadableCheckpoint):
                shutil.rmtree(path, ignore_errors=True)
            continue
        _refuse_other(path, checkpoint.digests, digests)
        logger.info("going on from %s", path)
        return checkpoint
    if damaged:
        logger.warning(
            "%s: no checkpoint of the %s model is whole; "
            "its training starts again from the beginning",
            folder,
            stage,
        )
    return None


def refuse_others(folder: Path, digests: Mapping[str, str]) -> None:
    """Refuses checkpoints of another configuration or other data.

    Args:
        folder: Where the run's checkpoints lie.
        digests: Of the configuration and the data that training is to go on with.

    Raises:
        RunError: If there is one; it is named, and what differs.
    """
    for path in list_checkpoints(folder):
        with suppress(DamagedCheckpoint):  # passed over when training goes on
            _refuse_other(path, _read_state(path)[0]["digests"], digests)


def read_spent(folder: Path) -> dict[str, float]:
    """Reads how long a run's fitting had taken at its newest checkpoint.

    Args:
        folder: Where the run's checkpoints lie; may be absent.

    Returns:
        `seconds` and `processor_seconds`, by any of its checkpoints; 0 where there are
        none.
    """
    spent: list[dict[str, float]] = []
    for path in list_checkpoints(folder):
        with suppress(DamagedCheckpoint):
            spent.append(_read_state(path)[0]["spent"])
    return {
        name: max((one[name] for one in spent), default=0.0)
        for name in ("seconds", "processor_seconds")
    }


def remove_remnants(folder: Path) -> None:
    """Removes what a process left that was ended while it wrote a checkpoint.

    Args:
        folder: Where the run's checkpoints lie; may be absent.
    """
    for path in folder.glob(".*-epoch-*"):
        shutil.rmtree(path, ignore_errors=True)


def _match(path: Path) -> re.Match[str] | None:
    return _NAME.fullmatch(path.name) if path.is_dir() else None


def _read_state(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads `state.json`, checked, and what the manifest says of the arrays."""
    with _naming(MANIFEST):
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        if manifest["format"] != FORMAT:
            raise DamagedCheckpoint(f"{MANIFEST} is of format {manifest['format']!r}")
        arrays, state = manifest["files"][ARRAYS], manifest["files"][STATE]
    _check_file(path / STATE, state)
    with _naming(STATE):
        return json.loads((path / STATE).read_text("utf-8")), arrays


def _check_file(file: Path, written: Mapping[str, Any]) -> None:
    with _naming(file.name):
        size = file.stat().st_size
        if size != written["bytes"]:
            raise DamagedCheckpoint(
                f"{file.name} has {size:,} bytes, not the {written['bytes']:,} "
                "that were written"
            )
        if sha256(file) != written["sha256"]:
            raise DamagedCheckpoint(
                f"{file.name} is not as it was written: its SHA-256 is another"
            )


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Names the file that is absent, cannot be read, or says something else."""
    try:
        yield
    except DamagedCheckpoint:
        raise
    except FileNotFoundError as error:
        raise DamagedCheckpoint(f"{name} is absent") from error
    except OSError as error:
        raise UnreadableCheckpoint(
            f"{name} cannot be read: {error.strerror}"
        ) from error
    except _UNREADABLE as error:
        raise DamagedCheckpoint(
            f"{name} is not as it was written: {type(error).__name__}"
        ) from error


def _refuse_other(
    path: Path, written: Mapping[str, str], digests: Mapping[str, str]
) -> None:
    differ = [
        name for name in digests if written.get(name, digests[name]) != digests[name]
    ]
    if differ:
        what = " and ".join(differ)
        raise RunError(
            f"{path}: must be of the same {what} as the run that goes on. Received: a "
            f"checkpoint of another {what}. Put back what was changed, or begin again "
            "with --overwrite."
        )
