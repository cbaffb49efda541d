"""`evaluate --audit` on small runs: fused, fitted as a whole, image-only."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from run_cases import configure

from dualnet.cli import main
from dualnet.errors import ConfigError
from dualnet.jobs.evaluate import evaluate_run
from dualnet.jobs.train import train_run

SMALL = ("split.rare_findings=train",)
FIGURES = {"record_adds", "missing_fields", "counterfactuals", "shortcuts"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audits")


@pytest.fixture(scope="module")
def run(small_phantom: Path, folder: Path) -> Path:
    config = configure(
        small_phantom,
        folder / "cache",
        *SMALL,
        "model.metadata_fields=[age, follow_up, view, sex]",
        "evaluation.batch_size=8",
    )
    train_run(config, folder / "fused")
    return folder / "fused"


@pytest.fixture(scope="module")
def audited(run: Path, folder: Path) -> Path:
    return evaluate_run(run, out=folder / "audited", audit=True).folder


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are looked at once, in `audited`: they take longer than all else."""
    place = "dualnet.jobs.evaluation_folder.plot_evaluation"
    monkeypatch.setattr(place, lambda _: {})
    monkeypatch.setattr("dualnet.jobs.evaluate.plot_audit", lambda _: {})


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_an_audit_lies_beside_the_metrics_and_in_them(audited: Path) -> None:
    metrics, audit = read(audited / "metrics.json"), read(audited / "audit.json")
    assert metrics["audit"] == audit
    assert len(audit["modalities"]["patterns"]) == 16
    assert set(audit["modalities"]["image_only"]) == {"missing", "permuted", "averaged"}
    assert set(audit["modalities"]["metadata_only"]) == {"permuted", "averaged"}
    assert len(audit["counterfactuals"]) == 7
    assert set(audit["probes"]) == {
        "model",
        "centre_masked",
        "border_only",
        "thumbnail",
        "border_thumbnail",
        "shortcuts",
    }
    assert audit["modalities"]["taught_missing"] == dict.fromkeys(
        ("age", "follow_up", "view", "sex"), 0
    )
    assert "NaN" not in (audited / "audit.json").read_text()


def test_the_verdict_says_what_the_audit_found(audited: Path) -> None:
    metrics = read(audited / "metrics.json")
    lines = metrics["verdict"]["lines"]
    assert set(metrics["audit"]["lines"] + metrics["audit"]["warnings"]) <= set(lines)
    assert any(
        line.startswith("Without the record, all fields missing") for line in lines
    )


def test_counterfactuals_are_listed_case_by_case(audited: Path) -> None:
    cases = pd.read_csv(audited / "counterfactuals.csv")
    found = cases["counterfactual"].value_counts().to_dict()
    audit = read(audited / "audit.json")["counterfactuals"]
    assert found == {k: v["num_images"] for k, v in audit.items() if v["num_images"]}
    predictions = pd.read_csv(audited / "predictions.csv").set_index("image_id")
    first = cases.iloc[0]
    assert first["before"] == pytest.approx(
        predictions.loc[first["image_id"], first["finding"]], abs=1e-6
    )


@pytest.mark.usefixtures("undrawn")
def test_an_audit_changes_no_other_score(
    run: Path, audited: Path, folder: Path
) -> None:
    plain = evaluate_run(run, out=folder / "plain").folder
    before, after = read(plain / "metrics.json"), read(audited / "metrics.json")
    assert "audit" not in before
    assert set(before["baselines"]) == {
        "class_prior",
        "majority",
        "metadata_only",
        "thumbnail",
    }
    np.testing.assert_allclose(
        pd.read_csv(plain / "predictions.csv").select_dtypes("number"),
        pd.read_csv(audited / "predictions.csv").select_dtypes("number"),
        atol=1e-6,
    )
    for name, block in before["baselines"].items():
        assert after["baselines"][name] == block
    whole = after["audit"]["modalities"]["fused"]["macro"]["auroc"]
    assert whole == pytest.approx(before["model"]["macro"]["auroc"])
    assert not (plain / "audit.json").exists()


@pytest.mark.usefixtures("undrawn")
def test_the_same_run_gives_the_same_audit(
    run: Path, audited: Path, folder: Path
) -> None:
    again = evaluate_run(run, out=folder / "again", audit=True).folder
    for name in ("audit.json", "metrics.json", "counterfactuals.csv"):
        assert (again / name).read_bytes() == (audited / name).read_bytes(), name


@pytest.mark.usefixtures("undrawn")
def test_pictures_read_some_at_a_time_say_the_same(
    run: Path, audited: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (
        "jobs.audit_pictures",
        "evaluation.auditing.audit",
        "jobs.thumbnails",
    ):
        monkeypatch.setattr(f"dualnet.{module}.ROWS_AT_A_TIME", 8)
    blocks = evaluate_run(run, out=folder / "blocks", audit=True).folder
    found, expected = read(blocks / "audit.json"), read(audited / "audit.json")
    for name in ("model", "centre_masked", "border_only", "thumbnail"):
        area, whole = (
            one["probes"][name]["macro"]["auroc"] for one in (found, expected)
        )
        assert area == pytest.approx(whole, abs=1e-9)
    adds, whole = (
        one["modalities"]["adds"]["record"]["macro_auroc"] for one in (found, expected)
    )
    assert adds == pytest.approx(whole, abs=1e-9)


def test_every_figure_is_drawn(audited: Path) -> None:
    for name in FIGURES:
        with Image.open(audited / "figures" / f"{name}.png") as picture:
            assert picture.width == 1200
            assert np.asarray(picture.convert("L")).std() > 10


@pytest.mark.usefixtures("undrawn")
def test_a_model_fitted_as_a_whole_is_audited(
    small_phantom: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(
        small_phantom, folder / "cache", *SMALL, "training.halves_first=false"
    )
    train_run(config, folder / "joint")
    assert main(["evaluate", str(folder / "joint"), "--audit", "--part", "val"]) == 0
    assert "On pictures alone its macro AUROC" in capsys.readouterr().out
    audit = read(folder / "joint" / "evaluation" / "val" / "audit.json")
    assert len(audit["modalities"]["patterns"]) == 8


def test_an_image_only_model_has_probes_alone(
    small_phantom: Path, folder: Path
) -> None:
    config = configure(small_phantom, folder / "cache", *SMALL, "model.modality=image")
    train_run(config, folder / "image")
    found = evaluate_run(folder / "image", audit=True).folder
    audit = read(found / "audit.json")
    assert audit["modalities"] is audit["counterfactuals"] is None
    model = read(found / "metrics.json")["model"]["macro"]["auroc"]
    assert audit["probes"]["model"]["macro"]["auroc"] == pytest.approx(model)
    assert not (found / "counterfactuals.csv").exists()
    assert not (found / "figures" / "record_adds.png").exists()


def test_a_model_without_pictures_is_refused(small_phantom: Path, folder: Path) -> None:
    config = configure(
        small_phantom, folder / "cache", *SMALL, "model.modality=metadata"
    )
    train_run(config, folder / "metadata")
    with pytest.raises(
        ConfigError, match=r"--audit: .*modality=metadata\. Leave --audit"
    ):
        evaluate_run(folder / "metadata", audit=True)
    assert not (folder / "metadata" / "evaluation").exists()


@pytest.mark.usefixtures("undrawn")
def test_any_column_of_a_few_values_is_asked_as_a_source(
    run: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("dualnet.jobs.audit.MAX_PROBED", 16)
    caplog.set_level("INFO", "dualnet.jobs.audit")
    records = pd.read_csv(run / "records.csv")
    hospital = np.where(np.arange(len(records)) % 2 == 0, "north", "south")
    details = pd.DataFrame({"image_id": records["image_id"], "hospital": hospital})
    details.to_csv(run / "details.csv", index=False)
    machine = np.where(np.arange(len(records)) % 3 == 0, "old", "new")
    joined = pd.DataFrame({"image_id": records["image_id"], "machine": machine})
    joined.to_csv(folder / "machines.csv", index=False)
    found = evaluate_run(
        run,
        out=folder / "sources",
        audit=True,
        joins=[f"{folder / 'machines.csv'}:machine"],
    ).folder
    (run / "details.csv").unlink()
    audit = read(found / "audit.json")
    # `source` is nih in every row
    assert list(audit["sources"]) == ["hospital", "machine"]
    assert set(audit["sources"]["machine"]["values"]) == {"old", "new"}
    assert set(audit["sources"]["hospital"]["values"]) == {"north", "south"}
    assert any("hospital is told with AUROC" in line for line in audit["lines"])
    asked = audit["sources"]["hospital"]["num_images"]
    assert asked <= 16 < audit["num_images"]
    assert (
        f"hospital, machine asked of {asked} of {audit['num_images']} radio"
        in caplog.text
    )


@pytest.mark.usefixtures("undrawn")
def test_without_training_pictures_there_is_no_thumbnail(
    run: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "cache").rename(folder / "gone")
    with caplog.at_level("INFO"):
        found = evaluate_run(
            run, out=folder / "moved", cache=folder / "other", sample=10, audit=True
        ).folder
    (folder / "gone").rename(folder / "cache")
    assert "no thumbnail baseline, for want of training pictures" in caplog.text
    assert len(read(found / "metrics.json")["baselines"]) == 3
    assert "thumbnail" not in read(found / "audit.json")["probes"]
