"""`dualnet compare`: what it reads, what it refuses, what it writes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compare_cases import (
    deal_parts,
    make_records,
    make_run,
    skilled_scores,
    write_judged,
)
from run_cases import configure

from dualnet.cli import main
from dualnet.jobs.compare import compare_runs
from dualnet.runs import RunFolder, write_table


@pytest.fixture
def one(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "one", skill=0.5, seed=1)


@pytest.fixture
def other(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "other", skill=3.0, seed=2)


def refusal(capsys: pytest.CaptureFixture[str], out: Path, *words: str | Path) -> str:
    """The one line on standard error, when nothing was written."""
    assert main(["compare", *map(str, words), "--out", str(out)]) == 2
    assert not out.exists()
    return capsys.readouterr().err.strip().splitlines()[-1]


def change_predictions(run: RunFolder, change) -> None:
    file = run.evaluation / "predictions.csv"
    write_table(file, change(pd.read_csv(file, dtype={"patient_id": "str"})))


@pytest.fixture
def refuse_changed(
    one: RunFolder,
    other: RunFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Changes the predictions of the other run, and returns the refusal."""

    def refuse(change) -> str:
        change_predictions(other, change)
        return refusal(capsys, tmp_path / "out", one.path, other.path)

    return refuse


@pytest.mark.usefixtures("drawn")
def test_runs_are_compared_and_written(
    one: RunFolder,
    other: RunFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert main(["compare", str(one.path), str(other.path), "--out", str(out)]) == 0
    values = json.loads((out / "compare.json").read_text())
    assert list(values["runs"]) == ["one", "other"]
    assert (values["num_images"], values["num_patients"]) == (80, 40)
    assert values["verdict"]["outcomes"] == {"other": "beats"}
    table = pd.read_csv(out / "compare.csv")
    assert table["finding"].tolist() == ["Edema", "Mass", "No Finding", "Mean"] * 2
    assert sorted(file.name for file in (out / "figures").iterdir()) == [
        "differences.png",
        "findings.png",
        "macro.png",
    ]
    text = capsys.readouterr().out
    assert "other beats one by macro AUROC" in text
    assert text.splitlines()[-1] == f"comparison: {out}"


def test_what_evaluate_writes_is_what_is_compared(
    small_phantom: Path, tmp_path: Path
) -> None:
    from dualnet.jobs.evaluate import evaluate_run
    from dualnet.jobs.train import train_run

    options = ("split.rare_findings=train", "model.modality=metadata")
    config = configure(small_phantom, tmp_path / "cache", *options)
    run = train_run(config, tmp_path / "run")
    evaluated = evaluate_run(run.path).evaluation.metrics["model"]
    twin = shutil.copytree(run.path, tmp_path / "twin")
    found = compare_runs([run.path, twin], out=tmp_path / "out").comparison.metrics
    assert found["runs"]["twin"]["macro"]["auroc"] == evaluated["macro"]["auroc"]
    for name, entry in found["runs"]["run"]["findings"].items():
        expected = evaluated["findings"][name]
        assert entry["auroc_interval"] == expected["auroc_interval"]
        assert entry["average_precision"] == expected["average_precision"]
    assert found["verdict"]["outcomes"] == {"twin": "is not shown to beat"}
    assert found["runs"]["twin"]["modality"] == "metadata"
    assert found["additions"] == []


@pytest.mark.usefixtures("drawn")
def test_same_runs_give_the_same_bytes(
    one: RunFolder, other: RunFolder, tmp_path: Path
) -> None:
    outs = [tmp_path / "a", tmp_path / "b"]
    for out in outs:
        compare_runs([one.path, other.path], out=out)
    files = ("compare.json", "compare.csv", "figures/macro.png", "report.html")
    for name in (*files, "report.pdf"):
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()


def test_configurations_that_differ_in_the_modality_tell_what_it_adds(
    tmp_path: Path,
) -> None:
    image = make_run(
        tmp_path / "i", overrides=("model.modality=image", "data.workers=2"), seed=1
    )
    fused = make_run(tmp_path / "f", skill=3.0, seed=2)
    longer = make_run(tmp_path / "l", overrides=("training.epochs=9",), seed=3)
    found = compare_runs(
        [image.path, fused.path, longer.path], out=tmp_path / "out"
    ).comparison.metrics["additions"]
    assert [(one["added"], one["with"], one["without"]) for one in found] == [
        ("record", "f", "i")
    ]
    assert found[0]["outcome"] == "beats"


def test_judged_folder_of_no_run_is_compared(one: RunFolder, tmp_path: Path) -> None:
    records = make_records().assign(part="all")
    judged = tmp_path / "published"
    scores = skilled_scores(records, 3.0, 5)
    del scores["No Finding"]  # a model of fourteen sigmoids has no such column
    write_judged(judged, records, scores)
    values = compare_runs([one.path, judged], out=tmp_path / "o").comparison.metrics
    assert values["unshared_classes"] == ["No Finding"]
    assert values["class_names"] == ["Edema", "Mass"]
    published = values["runs"]["published"]
    assert (published["num_predicted"], published["num_left_out"]) == (120, 40)
    assert published["modality"] is None
    assert values["verdict"]["outcomes"] == {"published": "beats"}


def test_empty_column_is_a_class_that_is_not_scored(
    one: RunFolder, other: RunFolder, tmp_path: Path
) -> None:
    change_predictions(other, lambda table: table.assign(**{"No Finding": np.nan}))
    found = compare_runs([one.path, other.path], out=tmp_path / "out")
    assert found.comparison.metrics["unshared_classes"] == ["No Finding"]


def test_rows_are_paired_by_name_whatever_their_order(
    one: RunFolder, other: RunFolder, tmp_path: Path
) -> None:
    paths = [one.path, other.path]
    before = compare_runs(paths, out=tmp_path / "out").comparison.metrics
    change_predictions(other, lambda table: table[::-1])
    after = compare_runs(paths, out=tmp_path / "out").comparison.metrics
    assert after == before


def test_part_of_a_run_is_found_by_name(one: RunFolder, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other")
    for number, run in enumerate((one, other)):
        records = make_records().assign(part=deal_parts(make_records()))
        records = records[records["part"] == "val"]
        scores = skilled_scores(records, 1.0, number)
        write_judged(run.evaluation / "val", records, scores)
    out = tmp_path / "out"
    values = compare_runs(
        [one.path, other.path], part="val", out=out
    ).comparison.metrics
    assert values["num_images"] == 8
    assert list(values["runs"]) == ["one/val", "other/val"]
    assert values["caution"].startswith("Scores of validation patients: 8 of 8 radio")


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name / "run") for name in ("a", "b")]
    found = compare_runs([run.path for run in runs], out=tmp_path / "out")
    assert list(found.comparison.metrics["runs"]) == [
        str(run.evaluation) for run in runs
    ]


def test_run_that_is_not_evaluated_names_the_command(
    one: RunFolder,
    other: RunFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (other.evaluation / "metrics.json").unlink()
    assert refusal(capsys, tmp_path / "out", one.path, other.path) == (
        f"{other.path}: must be evaluated before it is compared. Received: no "
        f"predictions.csv and metrics.json in {other.evaluation}. "
        f"Run `dualnet evaluate {other.path}`."
    )
    said = refusal(capsys, tmp_path / "out", one.path, other.path, "--part", "train")
    assert said.endswith(
        f"Run `dualnet evaluate {one.path} --part train --training-patients score`."
    )


def test_folder_that_is_neither_is_refused(
    one: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for name, received in (("empty", "neither"), ("nowhere", "no such folder")):
        said = refusal(capsys, tmp_path / "out", one.path, tmp_path / name)
        assert said == (
            f"{tmp_path / name}: must be a run folder, or hold predictions.csv and "
            f"metrics.json. Received: {received}. Name a run, or what `dualnet judge "
            "--out` wrote."
        )


def test_one_run_or_the_same_twice_is_refused(
    one: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert refusal(capsys, out, one.path).startswith("RUN: must be two or more.")
    said = refusal(capsys, out, one.path, one.evaluation)
    assert said == (
        f"RUN: each must be named once. Received: {one.path} again. Name another run."
    )


def test_patients_of_another_runs_training_are_refused(
    one: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # the second run has been fitted on patients 20 to 29 of the first one's test part
    parts = deal_parts(make_records(), first_test=30)
    leaking = make_run(tmp_path / "leaking", parts=deal_parts(make_records()))
    split = make_records()[["image_id", "patient_id"]].assign(part=parts)
    resplit(leaking, split)
    words = (one.path, leaking.path)
    assert refusal(capsys, tmp_path / "out", *words) == (
        "RUN: no patient may be of the train or val part of any of them. Received: 20 "
        "of 80 shared radiographs, the first is 040.png. Compare the others with "
        "--training-patients leave-out, or score them all the same with "
        "--training-patients score."
    )


def resplit(run: RunFolder, split: pd.DataFrame) -> None:
    """Gives a run another certified split; its predictions stay."""
    from dualnet.files import sha256, write_json

    certificate = run.read_certificate()
    write_table(run.split, split)
    write_json(
        run.path / "split.json", {**certificate, "split_sha256": sha256(run.split)}
    )


def test_training_patients_are_left_out_or_scored_when_asked_for(
    one: RunFolder, tmp_path: Path
) -> None:
    leaking = make_run(tmp_path / "leaking")
    parts = deal_parts(make_records(), first_test=30)
    resplit(leaking, make_records()[["image_id", "patient_id"]].assign(part=parts))
    paths = [one.path, leaking.path]
    left = compare_runs(paths, out=tmp_path / "a", training_patients="leave-out")
    assert left.comparison.metrics["num_images"] == 60
    assert left.comparison.metrics["num_fitted_left_out"] == 20
    assert "20 radiographs of patients that a run was" in left.comparison.text()
    scored = compare_runs(paths, out=tmp_path / "b", training_patients="score")
    assert scored.comparison.metrics["num_images"] == 80
    # of ten patients every fifth is in the val part
    assert scored.comparison.metrics["caution"].startswith(
        "Scores of training patients: 16 of 80 radiographs are of patients whom the "
        "model was trained on, 4 of patients who chose its epoch."
    )


def test_part_that_evaluate_told_counts_where_no_split_has_the_radiograph(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [make_run(tmp_path / name) for name in ("one", "other")]
    strangers = make_records().assign(
        image_id=[f"x{number}.png" for number in range(120)],
        part=["train"] * 2 + ["external"] * 118,
    )
    for number, run in enumerate(runs):
        write_judged(
            run.evaluation / "elsewhere",
            strangers,
            skilled_scores(strangers, 1, number),
        )
    words = [run.evaluation / "elsewhere" for run in runs]
    said = refusal(capsys, tmp_path / "out", *words)
    assert "Received: 2 of 120 shared radiographs, the first is x0.png." in said


def test_runs_without_a_common_radiograph_are_refused(
    one: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = deal_parts(make_records(), first_test=-20)
    other = make_run(tmp_path / "other", parts=parts)
    said = refusal(capsys, tmp_path / "out", one.path, other.path)
    assert said == (
        f"{one.evaluation}: must share radiographs with the other runs. Received: none "
        "that all have predicted. Evaluate all on the same part or dataset."
    )


def test_nobody_left_is_refused_with_another_way_out(
    one: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaking = make_run(tmp_path / "leaking")
    parts = deal_parts(make_records(), first_test=-20)
    resplit(leaking, make_records()[["image_id", "patient_id"]].assign(part=parts))
    words = (one.path, leaking.path, "--training-patients", "leave-out")
    said = refusal(capsys, tmp_path / "out", *words)
    assert said.endswith(
        "Received: 80 of 80 shared radiographs, the first is 040.png. Compare runs of "
        "one split, or score them all the same with --training-patients score."
    )


def relabel(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[3, "findings"] = "Mass|Nodule"
    return table


def regroup(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[3, "patient_id"] = "someone else"
    return table


@pytest.mark.parametrize(
    ("change", "what"), [(relabel, "labels"), (regroup, "patients")]
)
def test_runs_judged_by_other_tables_are_refused(
    change,
    what: str,
    one: RunFolder,
    other: RunFolder,
    refuse_changed: Callable[..., str],
) -> None:
    said = refuse_changed(change)
    assert said.startswith(
        f"{other.evaluation}: the {what} must be those that {one.evaluation} was judged "
        "by. Received: other ones of "
    )
    assert said.endswith("043.png. Judge both by the same table.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda table: table.assign(Mass=table["Mass"].where(table.index != 1)),
            "scores must be finite. Received: Mass=nan of 041.png (1 such row). ",
        ),
        (
            lambda table: table.assign(
                Mass=table["Mass"].where(table.index > 1, np.inf)
            ),
            "scores must be finite. Received: Mass=inf of 040.png (2 such rows). ",
        ),
        (
            lambda table: pd.concat([table, table.head(2)]),
            "each radiograph must stand there once. Received: 040.png again (2 such ",
        ),
        (lambda table: table.drop(columns="findings"), "80 rows, no findings. "),
        (lambda table: table.head(0), "Received: 0 rows, no class. "),
        (
            lambda table: table.drop(columns=["Edema", "Mass", "No Finding"]),
            "80 rows, no class. ",
        ),
        (
            lambda table: table.assign(Mass="much"),
            "must be a table of predictions. Received: ValueError while reading. ",
        ),
    ],
)
def test_bad_predictions_are_named(
    change,
    message: str,
    other: RunFolder,
    refuse_changed: Callable[..., str],
) -> None:
    said = refuse_changed(change)
    assert said.startswith(f"{other.evaluation / 'predictions.csv'}: ")
    assert message in said


def test_damaged_metrics_are_named(
    one: RunFolder,
    other: RunFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = other.evaluation / "metrics.json"
    for text, kind in (
        ("{", "JSONDecodeError"),
        ("{}", "KeyError"),
        ("[]", "TypeError"),
    ):
        file.write_text(text)
        assert refusal(capsys, tmp_path / "out", one.path, other.path) == (
            f"{file}: must be as `dualnet evaluate` or `dualnet judge` wrote it. "
            f"Received: {kind} while reading. Judge the model again."
        )


def test_split_that_was_changed_is_refused(
    one: RunFolder,
    other: RunFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = other.split.read_text()
    other.split.write_text(text.replace("000.png,p00,val", "000.png,p00,test"))
    said = refusal(capsys, tmp_path / "out", one.path, other.path)
    assert said.startswith(f"{other.split}: ")


def test_runs_without_a_common_finding_are_refused(
    one: RunFolder,
    other: RunFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change_predictions(other, lambda table: table.drop(columns=["Edema", "Mass"]))
    said = refusal(capsys, tmp_path / "out", one.path, other.path)
    assert "Received: none of Edema, Mass, No Finding that all score." in said


def test_comparing_loads_no_framework() -> None:
    code = (
        "import sys, dualnet.jobs.compare; "
        "print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
