"""Follows a training: draws its epochs for TensorBoard, writes its page as it goes on.

Drawing stops the training, so it has a share of the time: what would pass it waits for
a later epoch. The first epoch and the last are always drawn. Measured on two busy cores
(`benchmarks/following.py`), residual branch, 1,318 pictures of 128 pixels, 12 epochs: 1.8 %
of the epochs' time while it runs, and one processor second besides.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from PIL import Image

from dualnet.data.labels import find_columns
from dualnet.evaluation.scores.truth import Truth, make_truth
from dualnet.files import atomic_path
from dualnet.findings import Vocabulary
from dualnet.jobs.training_page import write_run_page
from dualnet.plots.style import display_name, render_figure
from dualnet.plots.training.epoch_figures import (
    gives_answers,
    plot_epoch_confusion,
    plot_epoch_roc,
)
from dualnet.plots.training.samples import plot_samples
from dualnet.runs import RunFolder
from dualnet.training.following import FirstBatch, Images

SHARE = 0.01  # of the time, for the page, and as much for the figures
NUM_SAMPLES = 12
SEXES = {"M": "male", "F": "female"}


class Budget:
    """Lets something be done as long as it takes no more than a share of the time.

    Args:
        share: Of all the time since it was made.
        clock: Returns seconds.
    """

    def __init__(
        self, share: float = SHARE, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._share = share
        self._clock = clock
        self._began = clock()
        self._spent = 0.0
        self._last = 0.0
        self.is_due = False

    def spend(self, work: Callable[[], None], *, always: bool = False) -> None:
        """Does the work, or notes that it is due.

        Args:
            work: What takes time; it is thought to take as long as it did last.
            always: Whether it is done whatever it takes; that is not counted, as it
                does not grow with the time.
        """
        started = self._clock()
        allowed = self._share * (started - self._began)
        self.is_due = not always and self._spent + self._last > allowed
        if self.is_due:
            return
        work()
        self._last = self._clock() - started
        if not always:
            self._spent += self._last


class RunFollower:
    """Follows the training of a run.

    Args:
        run: The run folder; configuration, split and certificate lie in it.
        train: Records of the training part, in the order of its batches' rows.
        val: Those of the validation part, in the order in which it is predicted.
        vocabulary: Names the classes.
        class_names: Those that the model answers.
        tensorboard: Whether figures are drawn for the event files.
        clock: Returns seconds.
    """

    def __init__(
        self,
        run: RunFolder,
        *,
        train: pd.DataFrame,
        val: pd.DataFrame,
        vocabulary: Vocabulary,
        class_names: Sequence[str],
        tensorboard: bool,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._run = run
        self._train = train
        self._truth = make_truth(val, vocabulary)
        self._columns = find_columns(class_names, vocabulary)
        self._tensorboard = tensorboard
        self._clock = clock
        self._last: tuple[int, np.ndarray] | None = None

    def begin(self, batch: FirstBatch) -> Images:
        """Draws what the model is fed, and a page that says that it runs."""
        self._page = Budget(clock=self._clock)
        self._figures = Budget(clock=self._clock)
        images = {}
        if batch.images is not None:
            rows = batch.rows[:NUM_SAMPLES]
            captions = [
                describe_record(row)
                for row in self._train.iloc[rows].to_dict("records")
            ]
            figure = plot_samples(batch.images[:NUM_SAMPLES], captions)
            pixels = render_figure(figure)[..., 0]  # gray has three alike
            with atomic_path(self._run.samples) as unfinished:
                Image.fromarray(pixels).save(unfinished)
            images["samples"] = pixels
        write_run_page(self._run, "running")
        return images

    def end_epoch(self, number: int, probabilities: np.ndarray) -> Images:
        """Draws the epoch, and writes the page anew, if there is time for it."""
        is_first = self._last is None
        self._last = number, probabilities
        self._page.spend(self._write_page, always=is_first)
        return self._draw(always=is_first)

    def end(self) -> Images:
        """Draws the last epoch, if there was no time for it."""
        if self._last is None:
            return {}
        if self._page.is_due:
            self._write_page()
        return self._draw(always=True) if self._figures.is_due else {}

    def _write_page(self) -> None:
        write_run_page(self._run, "running")

    def _draw(self, *, always: bool) -> Images:
        images: dict[str, np.ndarray] = {}
        if self._tensorboard and self._last is not None:
            number, answered = self._last
            said = np.full(self._truth.labels.shape, np.nan)
            said[:, self._columns] = answered

            def draw() -> None:
                images.update(draw_epoch(self._truth, number, said))

            self._figures.spend(draw, always=always)
        return images


def draw_epoch(
    truth: Truth, number: int, probabilities: np.ndarray
) -> dict[str, np.ndarray]:
    """Draws what a model says of the validation part after an epoch.

    Args:
        truth: What the validation part is.
        number: Of the epoch, from 1.
        probabilities: Shape (n, num_classes); NaN: a class that is not answered.

    Returns:
        `roc`, and `confusion` where the model gives one answer a radiograph; uint8,
        shape (height, width, 3).
    """
    drawn = {"roc": plot_epoch_roc(truth, probabilities, epoch=number)}
    if gives_answers(probabilities):
        drawn["confusion"] = plot_epoch_confusion(truth, probabilities, epoch=number)
    return {name: render_figure(figure) for name, figure in drawn.items()}


def describe_record(row: dict) -> Sequence[str]:
    """Says in lines what a radiograph is labelled with and what its record says.

    Its name is left out: NIH's holds the patient's number.

    Args:
        row: Of a records table.

    Returns:
        Labels, then age, sex, view and follow-up number, those that are known.

    Example:
        >>> row = {"findings": ("Edema",), "age_years": 57.0, "sex": "F"}
        >>> describe_record({**row, "view_position": "AP", "follow_up": 3})
        ('Edema', '57 y, female, AP, follow-up 3')
    """
    said = [
        "" if pd.isna(row["age_years"]) else f"{row['age_years']:.0f} y",
        "" if pd.isna(row["sex"]) else SEXES.get(row["sex"], row["sex"]),
        "" if pd.isna(row["view_position"]) else row["view_position"],
        "" if pd.isna(row["follow_up"]) else f"follow-up {row['follow_up']}",
    ]
    record = ", ".join(one for one in said if one) or "nothing is known"
    return ", ".join(display_name(one) for one in row["findings"]), record
