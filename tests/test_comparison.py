"""Runs side by side, as values, as a table and as text."""

import json
from pathlib import Path

import numpy as np
import pytest

from dualnet.evaluation.comparing.comparison import ComparedRun, Comparison, compare
from dualnet.evaluation.comparing.differences import JudgedRows
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.table import COLUMNS
from dualnet.files import write_json
from dualnet.findings import NIH, NO_FINDING


def make_rows(num_rows: int = 300, *, with_hernia: bool = True) -> JudgedRows:
    generator = np.random.default_rng(0)
    labels = generator.random((num_rows, 15)) < 0.15
    labels[:, NIH.class_names.index("Hernia")] &= with_hernia
    negative = NIH.class_names.index(NO_FINDING)
    labels[:, negative] = ~np.delete(labels, negative, axis=1).any(axis=1)
    return JudgedRows(
        labels=labels,
        class_names=NIH.class_names,
        negative=NO_FINDING,
        resamples=resample_patients(np.arange(num_rows) // 2, num_resamples=99, seed=0),
    )


def make_run(
    rows: JudgedRows,
    name: str,
    skill: float,
    *,
    modality: str | None = None,
    sibling: str | None = None,
) -> ComparedRun:
    generator = np.random.default_rng(len(name))
    return ComparedRun(
        name=name,
        folder=f"runs/{name}",
        scores=generator.normal(size=rows.labels.shape) + skill * rows.labels,
        num_predicted=len(rows.labels) + 7,
        modality=modality,
        sibling=sibling,
    )


@pytest.fixture(scope="module")
def rows() -> JudgedRows:
    return make_rows(with_hernia=False)


@pytest.fixture(scope="module")
def compared(rows: JudgedRows) -> Comparison:
    """An image run, the fused run of the same configuration, a much worse stranger."""
    return compare(
        rows,
        [
            make_run(rows, "image", 1.0, modality="image", sibling="one"),
            make_run(rows, "fused", 2.5, modality="fused", sibling="one"),
            make_run(rows, "stranger", 0.0),
        ],
    )


def test_each_run_is_compared_with_the_first(compared: Comparison) -> None:
    values = compared.metrics
    assert values["reference"] == "image"
    assert list(values["differences"]) == ["fused", "stranger"]
    assert values["verdict"]["outcomes"] == {
        "fused": "beats",
        "stranger": "is worse than",
    }
    for name, difference in values["differences"].items():
        areas = [values["runs"][one]["macro"]["auroc"] for one in (name, "image")]
        found = difference["macro"]["auroc"]["difference"]
        assert found == pytest.approx(areas[0] - areas[1], abs=1e-12)


def test_means_are_corrected_over_the_runs(compared: Comparison) -> None:
    areas = [one["macro"]["auroc"] for one in compared.metrics["differences"].values()]
    # 99 resamples, all on one side: 2 / 100, and twice that by Holm for two runs
    assert [area["p_value"] for area in areas] == [0.02, 0.02]
    assert [area["p_holm"] for area in areas] == [0.04, 0.04]


def test_verdict_says_who_beats_whom_and_what_the_record_adds(
    compared: Comparison,
) -> None:
    lines = compared.verdict
    assert lines[0].startswith("fused beats image by macro AUROC: .9")
    assert lines[0].endswith(", p .040, corrected for 2 runs.")
    assert lines[1].startswith("  By finding, corrected for 14 findings: better for ")
    assert "; worse for none; cannot be told for Hernia." in lines[1]
    assert lines[2].startswith("stranger is worse than image by macro AUROC: .")
    assert lines[4].startswith("The record adds to the picture: +.")
    assert "(fused less image, which differ in nothing else)" in lines[4]
    assert lines[-1].startswith("The intervals are over patients")
    assert len(lines) == 6


def test_findings_of_few_patients_are_called_doubtful() -> None:
    rows = make_rows()
    # as many rows as of others, but all of the last nine patients
    rows.labels[:, 0] = rows.resamples.codes > 140
    one, other = (make_run(rows, name, 0) for name in ("one", "other"))
    other.scores[:, :2] += 5 * rows.labels[:, :2]
    lines = compare(rows, [one, other]).verdict
    assert "better for Atelectasis and Cardiomegaly; worse for none." in lines[1]
    assert lines[1].endswith("Doubtful, being of fewer than 20 patients: Atelectasis.")


@pytest.mark.parametrize(
    ("modality", "skill", "expected"),
    [
        ("metadata", 0.5, "The picture adds to the record: +."),
        ("metadata", 1.5, "The picture is not shown to add to the record: "),
        ("image", 3.0, "The record takes from the picture: -."),
    ],
)
def test_additions_are_told_whichever_run_is_first(
    modality: str, skill: float, expected: str, rows: JudgedRows
) -> None:
    fused = make_run(rows, "fused", 1.5, modality="fused", sibling="one")
    half = make_run(rows, "half of it", skill, modality=modality, sibling="one")
    for runs in ([fused, half], [half, fused]):
        lines = compare(rows, runs).verdict
        assert [line for line in lines if line.startswith(expected)] == [lines[2]]


def test_runs_that_differ_in_more_add_nothing(rows: JudgedRows) -> None:
    fused = make_run(rows, "fused", 2.5, modality="fused", sibling="one")
    image = make_run(rows, "image", 1.0, modality="image", sibling="other")
    assert compare(rows, [image, fused]).metrics["additions"] == []


def test_undefined_finding_is_not_available(compared: Comparison) -> None:
    line = next(line for line in compared.text().splitlines() if "Hernia" in line)
    assert line.split() == ["Hernia", "0", "n/a", "n/a", "n/a"]
    hernia = compared.metrics["differences"]["fused"]["findings"]["Hernia"]
    assert hernia["auroc"]["p_holm"] is None
    assert hernia["outcome"] == "cannot be compared with"
    assert "Mean of 13 of 14" in compared.text()


def test_one_class_rows_are_compared_without_a_crash() -> None:
    rows = make_rows(40)
    rows.labels[:] = np.array(NIH.class_names) == "Mass"
    found = compare(rows, [make_run(rows, name, 1) for name in ("one", "other")])
    assert found.metrics["verdict"]["outcomes"] == {"other": "cannot be compared with"}
    assert found.verdict[0].startswith(
        "other cannot be compared with one by macro AUROC: n/a to n/a, difference n/a "
    )
    assert np.isnan(found.table()["auroc"].astype(float)).all()


def test_text_fits_a_terminal_and_says_what_was_left_out(
    compared: Comparison, rows: JudgedRows
) -> None:
    assert max(map(len, compared.text().splitlines())) <= COLUMNS
    found = compare(
        rows,
        [make_run(rows, name, 1) for name in ("one", "other")],
        caution="Beware.",
        unshared_classes=("COVID",),
        num_left_out=3,
    )
    assert found.text().splitlines()[:7] == [
        "Beware.",
        "",
        "300 radiographs of 150 patients that all runs have predicted.",
        "3 radiographs of patients that a run was fitted on left out.",
        "Left out of one: 7 of 307 radiographs.",
        "Left out of other: 7 of 307 radiographs.",
        "Not scored by all runs: COVID.",
    ]


def test_more_than_three_runs_fit_too(rows: JudgedRows) -> None:
    runs = [make_run(rows, f"run-{'x' * number}", 1) for number in range(5)]
    text = compare(rows, runs).text()
    assert max(map(len, text.splitlines())) <= COLUMNS


def test_table_has_a_row_a_run_and_class(compared: Comparison) -> None:
    table = compared.table()
    assert len(table) == 3 * 16
    mean = table[(table["run"] == "fused") & (table["finding"] == "Mean")].iloc[0]
    macro = compared.metrics["differences"]["fused"]["macro"]
    assert mean["auroc_difference"] == macro["auroc"]["difference"]
    assert mean["average_precision_difference_low"] == macro["average_precision"]["low"]
    assert mean["outcome"] == "beats"
    first = table[table["run"] == "image"]
    assert first["auroc_difference"].isna().all()
    assert first["auroc"].notna().sum() == 15  # without Hernia


def test_values_are_json_without_nan_and_the_same_twice(
    compared: Comparison, rows: JudgedRows, tmp_path: Path
) -> None:
    write_json(tmp_path / "compare.json", compared.metrics)
    assert json.loads((tmp_path / "compare.json").read_text()) == compared.metrics
    runs = [
        make_run(rows, "image", 1.0, modality="image", sibling="one"),
        make_run(rows, "fused", 2.5, modality="fused", sibling="one"),
        make_run(rows, "stranger", 0.0),
    ]
    assert json.dumps(compare(rows, runs).metrics) == json.dumps(compared.metrics)
