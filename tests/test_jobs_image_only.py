"""A run of pictures alone stands beside the run that is judged, if it is fair."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import run_cases
from sklearn.metrics import roc_auc_score

from dualnet.cli import main
from dualnet.data.cache import open_cache
from dualnet.errors import RunError
from dualnet.jobs.evaluate import evaluate_run
from dualnet.jobs.finished import read_run
from dualnet.jobs.image_only import read_image_only
from dualnet.jobs.predicting import predict_rows
from dualnet.jobs.train import train_run
from dualnet.runs import RunFolder


@pytest.fixture(scope="module")
def runs(
    small_phantom: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, RunFolder]:
    """A run to judge, one of pictures alone, and such ones that do not fit."""
    folder = tmp_path_factory.mktemp("runs")
    changes = {
        "record": ["model.modality=metadata"],
        "pictures": ["model.modality=image"],
        "seed": ["model.modality=metadata", "seed=1"],
    }
    made = {
        name: train_run(
            run_cases.configure(
                small_phantom,
                folder / "cache",
                "split.rare_findings=train",
                *overrides,
            ),
            folder / name,
        )
        for name, overrides in changes.items()
    }
    rewrite(made["seed"].path, "modality: metadata", "modality: image")
    shutil.copytree(folder / "pictures", folder / "large")
    rewrite(folder / "large", "image_size: 32", "image_size: 64")
    return {**made, "large": RunFolder(folder / "large")}


def rewrite(run: Path, old: str, new: str) -> None:
    file = run / "config.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_pictures_alone_are_a_baseline(
    runs: dict[str, RunFolder], tmp_path: Path, drawn: None
) -> None:
    record, pictures = runs["record"].path, runs["pictures"].path
    words = ["--image-only", str(pictures), "--out", str(tmp_path / "both")]
    assert main(["evaluate", str(record), *words]) == 0
    both = json.loads((tmp_path / "both" / "metrics.json").read_text())
    run = read_run(pictures)
    test = run.records[run.records["part"] == "test"].reset_index(drop=True)
    said = predict_rows(run, test, open_cache(run.config.data.cache or Path()))
    baseline = both["baselines"]["image_only"]
    judged = [
        name for name in baseline["findings"] if baseline["findings"][name]["auroc"]
    ]
    assert judged
    for name in judged:
        present = [name in findings for findings in test["findings"]]
        scores = said[:, run.vocabulary.class_names.index(name)]
        assert baseline["findings"][name]["auroc"] == pytest.approx(
            roc_auc_score(present, scores)
        )
    model = both["model"]["macro"]["auroc"]
    difference = both["differences"]["image_only"]["macro_auroc"]
    assert difference["difference"] == pytest.approx(model - baseline["macro"]["auroc"])
    assert "image_only" in both["verdict"]["outcomes"]
    assert "image only" in (tmp_path / "both" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("record", r"must read pictures alone \(image\)\. Received: metadata\."),
        ("large", r"must read pictures of its size \(32\)\. Received: 64\."),
    ],
)
def test_what_is_no_such_run_is_refused(
    runs: dict[str, RunFolder], name: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=said):
        evaluate_run(
            runs["record"].path, image_only=runs[name].path, out=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_a_run_that_knows_the_patients_judged_is_refused(
    runs: dict[str, RunFolder],
) -> None:
    run, other = read_run(runs["record"].path), read_run(runs["seed"].path)
    test = run.records[run.records["part"] == "test"].reset_index(drop=True)
    ahead = test["patient_id"].isin(other.fitted["patient_id"])
    assert ahead.any()
    said = f"Received: {ahead.sum()} of {len(test)} radiographs, the first is "
    with pytest.raises(RunError, match=said + test.loc[ahead, "image_id"].iloc[0]):
        read_image_only(runs["seed"].path, run, test)


def test_patients_that_both_were_fitted_on_are_no_advantage(
    runs: dict[str, RunFolder],
) -> None:
    run = read_run(runs["record"].path)
    val: pd.DataFrame = run.records[run.records["part"] == "val"]
    path = runs["pictures"].path
    assert read_image_only(path, run, val.reset_index()).folder.path == path
