"""`kill -9` at random moments, some inside a save: the run comes out the same."""

import hashlib
import logging
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import keras
import pandas as pd
import pytest

from dualnet.runs import RunFolder
from dualnet.training.checkpoint import list_checkpoints

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.slow

KILLS = 20
ALIKE = ["epoch", "loss", "val_loss", "val_macro_auroc", "learning_rate"]


class Trainer:
    """Runs `dualnet train` in processes of their own."""

    def __init__(self, data: Path, cache: Path) -> None:
        settings = {
            "data.image_size": 32,
            "data.workers": 1,
            "split.rare_findings": "train",
            "split.train": 0.5,
            "split.val": 0.25,
            "split.test": 0.25,
            "training.epochs": 6,
            "training.batch_size": 8,
            "training.imbalance": "balanced_sampling",
            "training.checkpoint_minutes": 0,
            "training.tensorboard": "false",
        }
        self._new = ["--preset", "xnet", "--data", str(data), "--cache", str(cache)]
        for key, value in settings.items():
            self._new += ["--set", f"{key}={value}"]

    def start(self, run: Path) -> subprocess.Popen[str]:
        new = ["--resume"] if (run / "config.yaml").exists() else self._new
        command = [sys.executable, "-m", "dualnet", "train", "--run", str(run), *new]
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def finish(self, run: Path) -> str:
        process = self.start(run)
        _, said = process.communicate(timeout=600)
        assert process.returncode == 0, said
        return said

    def kill_after(
        self, run: Path, seconds: float, *, saving: bool
    ) -> tuple[bool, str]:
        """Kills a process; says whether it lived, and what it had said.

        Args:
            run: The run folder.
            seconds: After so long.
            saving: As soon, then, as it writes a checkpoint.

        Returns:
            Whether it had not ended by itself, and its standard error.
        """
        process = self.start(run)
        time.sleep(seconds)
        while saving and process.poll() is None and not is_saving(run):
            pass
        alive = process.poll() is None
        process.kill()
        _, said = process.communicate(timeout=60)
        return alive, said


def is_saving(run: Path) -> bool:
    return any((run / "checkpoints").glob(".*-epoch-*"))


def hash_weights(run: Path) -> str:
    weights = keras.saving.load_model(run / "model.keras").get_weights()
    return hashlib.sha256(b"".join(one.tobytes() for one in weights)).hexdigest()


def read_alike(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "history.csv")[ALIKE]


@pytest.fixture(scope="module")
def trainer(small_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    return Trainer(small_phantom, tmp_path_factory.mktemp("cache") / "small")


@pytest.fixture(scope="module")
def never_stopped(
    trainer: Trainer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, float]:
    """The run that nobody killed, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("runs")
    trainer.finish(folder / "warm")  # fills the cache
    began = time.monotonic()
    trainer.finish(folder / "never")
    return folder / "never", time.monotonic() - began


def count_epochs(said: str) -> int:
    """The last epoch of the image half that was told, 0 where none was."""
    return max(map(int, re.findall(r"^epoch (\d+)/", said, re.M)), default=0)


@pytest.mark.timeout(3600)
def test_twenty_kills_change_no_bit_and_lose_no_epoch(
    trainer: Trainer, never_stopped: tuple[Path, float], tmp_path: Path
) -> None:
    never, seconds = never_stopped
    random_moments = random.Random(0)
    killed = inside_a_save = runs = 0
    while killed < KILLS:
        run = tmp_path / str(runs)
        runs += 1
        alive, epochs = True, 0
        while alive and killed < KILLS:
            alive, said = trainer.kill_after(
                run, random_moments.uniform(0, seconds), saving=killed % 2 == 0
            )
            killed += alive
            epochs = max(epochs, count_epochs(said))
            inside_a_save += alive and is_saving(run)
            images = list_checkpoints(run / "checkpoints", "image")
            kept = int(images[0].name.split("-")[2]) if images else 0
            assert kept >= epochs or not alive or RunFolder(run).is_fitted
        trainer.finish(run)
        assert hash_weights(run) == hash_weights(never)
        pd.testing.assert_frame_equal(read_alike(run), read_alike(never))
        assert not list(run.glob(".checkpoints*"))
    logger.info("%s kills, %s inside a save, %s runs", killed, inside_a_save, runs)
    assert inside_a_save >= KILLS // 4
