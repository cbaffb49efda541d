"""What it costs to follow a training: page, figures and what is fed, beside the rest.

    python benchmarks/following.py
    python benchmarks/following.py --data NIH_FOLDER --cache CACHE --size 256

Trains a model as `dualnet train` does and counts the seconds in the follower, by the
clock and of the processor, beside those of the whole fit. "While it runs" leaves out
what is drawn whatever it takes, before the first epoch, after it and after the last,
which does not grow with the epochs.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rounds import describe_machine

from dualnet.config_layers import read_config
from dualnet.jobs import train
from dualnet.jobs.follow import RunFollower
from dualnet.training.following import FirstBatch, Images

Times = tuple[float, float]


class TimedFollower(RunFollower):
    """Notes how long each call takes."""

    spent: list[tuple[str, float, float, int]] = []  # noqa: RUF012 (one a process)

    def begin(self, batch: FirstBatch) -> Images:
        """Draws what the model is fed."""
        return self._timed("begin", lambda: super(TimedFollower, self).begin(batch))

    def end_epoch(self, number: int, probabilities: np.ndarray) -> Images:
        """Draws an epoch."""
        return self._timed(
            f"epoch {number}",
            lambda: super(TimedFollower, self).end_epoch(number, probabilities),
        )

    def end(self) -> Images:
        """Draws the last epoch."""
        return self._timed("end", super().end)

    def _timed(self, name: str, draw: Callable[[], Images]) -> Images:
        clock, processor = time.perf_counter(), time.process_time()
        images = draw()
        self.spent.append(
            (
                name,
                time.perf_counter() - clock,
                time.process_time() - processor,
                len(images),
            )
        )
        return images


def main() -> None:
    """Trains once and prints the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--branch", default="residual")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    overrides = [
        f"model.image_branch={options.branch}",
        f"data.image_size={options.size}",
        f"training.epochs={options.epochs}",
        f"training.patience={options.epochs}",
    ]
    for key in ("data", "cache"):
        folder = getattr(options, key)
        if folder is not None:
            overrides.append(f"data.{'path' if key == 'data' else key}={folder}")
    setattr(train, "RunFollower", TimedFollower)  # noqa: B010 (pyright: another type)
    with tempfile.TemporaryDirectory() as folder:
        run = train.train_run(read_config(overrides=overrides), Path(folder) / "run")
        history, fitting = (
            run.read_history(),
            run.read_environment()["spent"]["fitting"],
        )
    print(describe_machine())
    print_shares(fitting, float(history["seconds"].sum()))


def print_shares(fitting: dict[str, Any], epoch_seconds: float) -> None:
    """Prints each call's seconds, then the shares."""
    spent = TimedFollower.spent
    for name, clock, processor, images in spent:
        print(f"{name:9} {clock:6.3f} s, processor {processor:6.3f} s, {images} images")
    always = {"begin", "epoch 1", "end"}
    between = [one for one in spent if one[0] not in always]
    print(
        f"in all {sum(one[1] for one in spent):.2f} s of {fitting['seconds']:.1f} s: "
        f"{100 * sum(one[1] for one in spent) / fitting['seconds']:.2f} % by the clock, "
        f"{100 * sum(one[2] for one in spent) / fitting['processor_seconds']:.2f} % "
        "of the processor"
    )
    print(
        f"while it runs {sum(one[1] for one in between):.2f} s beside "
        f"{epoch_seconds:.1f} s of epochs: "
        f"{100 * sum(one[1] for one in between) / epoch_seconds:.2f} %"
    )


if __name__ == "__main__":
    main()
