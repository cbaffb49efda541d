"""Following a run: drawing has its share of the time; what is said of a radiograph."""

from pathlib import Path

import numpy as np
import pytest
from truth_cases import TINY, make_table

from dualnet.jobs import follow, training_page
from dualnet.jobs.follow import Budget, RunFollower, describe_record
from dualnet.jobs.training_page import noting_a_stop
from dualnet.runs import RunFolder
from dualnet.training.following import FirstBatch


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


def test_budget_lets_work_be_done_within_its_share() -> None:
    clock, done = Clock(), []
    budget = Budget(0.1, clock=clock)

    def work() -> None:
        done.append(clock.now)
        clock.work(1)

    budget.spend(work, always=True)
    for _ in range(40):
        clock.work(1)
        budget.spend(work)
    assert done == [0, 10, 20, 30, 40]  # a second in ten


def test_budget_says_what_is_due() -> None:
    clock = Clock()
    budget = Budget(0.5, clock=clock)
    budget.spend(lambda: clock.work(1), always=True)
    budget.spend(lambda: clock.work(1))
    assert budget.is_due
    clock.work(3)
    budget.spend(lambda: clock.work(1))
    assert not budget.is_due


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a follower draws and writes, in turn; each takes a second."""
    done: list[str] = []
    monkeypatch.setattr(
        follow, "write_run_page", lambda _, state: done.append(f"page {state}")
    )
    monkeypatch.setattr(
        follow,
        "draw_epoch",
        lambda _, number, __: done.append(f"figures {number}") or {"roc": number},
    )
    return done


def make_follower(tmp_path: Path, clock: Clock, *, tensorboard: bool) -> RunFollower:
    table = make_table(("Edema",), ("No Finding",), ("Mass",))
    blank = {"age_years": np.nan, "sex": None, "view_position": "PA", "follow_up": 0}
    table = table.assign(**blank)
    return RunFollower(
        RunFolder(tmp_path),
        train=table,
        val=table,
        vocabulary=TINY,
        class_names=TINY.class_names,
        tensorboard=tensorboard,
        clock=clock,
    )


def test_first_and_last_epoch_are_drawn_whatever_they_take(
    drawn: list[str], tmp_path: Path, monkeypatch
) -> None:
    clock = Clock()
    follower = make_follower(tmp_path, clock, tensorboard=True)
    follower.begin(FirstBatch(np.arange(3), None))
    monkeypatch.setattr(
        follow,
        "draw_epoch",
        lambda _, number, __: clock.work(1) or {"roc": number},
    )
    said = np.full((3, 3), 1 / 3)
    images = []
    for number in (1, 2, 3):
        clock.work(10)  # a hundred would be enough
        images.append(follower.end_epoch(number, said))
    assert images == [{"roc": 1}, {}, {}]
    assert follower.end() == {"roc": 3}
    assert drawn == ["page running"] * 4


def test_no_figures_are_drawn_without_event_files(
    drawn: list[str], tmp_path: Path
) -> None:
    follower = make_follower(tmp_path, Clock(), tensorboard=False)
    follower.begin(FirstBatch(np.arange(3), None))
    assert follower.end_epoch(1, np.full((3, 3), 1 / 3)) == {}
    assert follower.end() == {}
    assert drawn == ["page running"] * 2


def test_samples_are_the_rows_of_the_batch(
    drawn: list[str], tmp_path: Path, monkeypatch
):
    captions: list = []
    plot = follow.plot_samples
    monkeypatch.setattr(
        follow,
        "plot_samples",
        lambda images, said: captions.extend(said) or plot(images, said),
    )
    follower = make_follower(tmp_path, Clock(), tensorboard=True)
    images = np.zeros((3, 32, 32, 1), np.uint8)
    drawn_samples = follower.begin(FirstBatch(np.array([2, 0, 1]), images))["samples"]
    assert drawn_samples.ndim == 2
    assert [one[0] for one in captions] == ["Mass", "Edema", "No Finding"]
    assert captions[0][1] == "PA, follow-up 0"
    assert RunFolder(tmp_path).samples.is_file()


def test_page_says_that_training_was_stopped(tmp_path: Path, monkeypatch) -> None:
    states: list[str] = []
    monkeypatch.setattr(
        training_page, "write_run_page", lambda _, state: states.append(state)
    )
    run = RunFolder(tmp_path)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), noting_a_stop(run):
            raise KeyboardInterrupt
        run.training_page.touch()  # there is none before the first batch
    assert states == ["stopped"]
    with noting_a_stop(run):
        pass
    assert states == ["stopped"]


def test_record_of_which_nothing_is_known_says_so() -> None:
    row = {
        "image_id": "00000013_005.png",
        "patient_id": "13",
        "findings": ("Pleural_Thickening", "Mass"),
        "age_years": np.nan,
        "sex": None,
        "view_position": None,
        "follow_up": None,
    }
    assert describe_record(row) == ("Pleural Thickening, Mass", "nothing is known")
