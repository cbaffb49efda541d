"""What a run's model costs is read from its folder, and set beside its score."""

from pathlib import Path

import keras
import pandas as pd
import pytest
from compare_cases import make_run

from dualnet.evaluation.comparing.comparison_table import format_comparison
from dualnet.evaluation.comparing.cost_table import cost_rows, has_costs
from dualnet.jobs.compare import compare_runs
from dualnet.jobs.finished import read_run
from dualnet.jobs.run_cost import read_cost
from dualnet.plots.comparison_costs import plot_costs
from dualnet.plots.report.comparison import make_costs


def make_costly_run(
    path: Path, *, units: int, skill: float = 1.0, seed: int = 0
) -> Path:
    """A run with a model of `(4 + 1) * units` parameters, and a history."""
    run = make_run(path, skill=skill, seed=seed)
    run.write_environment({"device": {"kind": "cpu", "name": "a processor"}})
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)]).save(run.model)
    # 32 radiographs train at 16, 8 and 32 a second, 8 validate in 2, 1 and 2 seconds
    history = {
        "epoch": [1, 2, 3],
        "images_per_second": [16.0, 8.0, 32.0],
        "seconds": [2.0 + 2.0, 4.0 + 1.0, 1.0 + 2.0],
    }
    pd.DataFrame(history).to_csv(run.history, index=False)
    return path


def test_size_and_speed_are_read_from_the_run(tmp_path: Path):
    run = read_run(make_costly_run(tmp_path / "a", units=3))
    parts = run.records["part"].value_counts()
    assert (parts["train"], parts["val"]) == (32, 8)
    cost = read_cost(run)
    assert cost["parameters"] == 15
    assert cost["megabytes"] == run.folder.model.stat().st_size / 1e6
    assert cost["trained_per_second"] == 20.0  # the median of 8 and 32
    assert cost["predicted_per_second"] == pytest.approx(6.0)  # of 8 and 4
    assert cost["device"] == "a processor"


def test_run_that_does_not_tell_has_no_costs(tmp_path: Path):
    run = make_run(tmp_path / "a")
    cost = read_cost(read_run(run.path))
    names = ("parameters", "trained_per_second", "predicted_per_second", "device")
    assert [cost[name] for name in names] == [None] * 4
    make_run(tmp_path / "b", seed=1)
    metrics = compare_runs(
        [tmp_path / "a", tmp_path / "b"], out=tmp_path / "out"
    ).comparison.metrics
    assert not has_costs(metrics)
    assert make_costs(metrics) is None
    assert "Size and speed" not in format_comparison(metrics)


def test_costs_stand_beside_the_score(tmp_path: Path):
    make_costly_run(tmp_path / "small", units=3)
    make_costly_run(tmp_path / "large", units=40_000, skill=2.0, seed=1)
    compared = compare_runs(
        [tmp_path / "small", tmp_path / "large"], out=tmp_path / "out"
    )
    metrics = compared.comparison.metrics
    rows = cost_rows(metrics)
    assert [row[:2] for row in rows] == [["small", "15"], ["large", "200 k"]]
    assert [row[3:5] for row in rows] == [["20", "6"], ["20", "6"]]
    score = metrics["runs"]["large"]["macro"]["auroc"]
    assert rows[1][5].startswith(f"{score:.3f}".lstrip("0"))
    text = compared.comparison.text()
    assert "Size and speed" in text
    assert "200 k" in text
    section = make_costs(metrics)
    assert section is not None
    assert section.tables[0].rows == rows
    figure = plot_costs(metrics)
    assert [axes.get_xlabel() for axes in figure.axes][1] == "Parameters"
    widths = [bar.get_width() for bar in figure.axes[1].patches]
    assert widths == [15, 200_000]
