"""The audit in words: what is said, and what is not."""

from typing import Any

from dualnet.evaluation.auditing.audit_verdict import say_audit

INTERVAL = {"low": 0.6, "high": 0.8, "undefined_resamples": 0}


def area(value: float) -> dict[str, Any]:
    return {"auroc": value, "auroc_interval": INTERVAL}


def gain(value: float, low: float | None, high: float | None) -> dict[str, Any]:
    return {"macro_auroc": {"difference": value, "low": low, "high": high}}


def make_audit(**changed: Any) -> dict[str, Any]:
    modalities = {
        "fused": {"macro": area(0.716)},
        "image_only": {
            "averaged": {"macro": area(0.701)},
            "missing": {"macro": area(0.69)},
            "permuted": {"macro": area(0.65)},
        },
        "metadata_only": {
            "averaged": {"macro": area(0.66)},
            "permuted": {"macro": area(0.58)},
        },
        "adds": {
            "record": gain(0.015, 0.001, 0.029),
            "picture": gain(0.056, -0.01, 0.1),
        },
        "taught_missing": {"age": 0, "view": 4},
        "num_averaged": 32,
    }
    return {
        "modalities": modalities,
        "counterfactuals": None,
        "probes": {"model": {"macro": area(0.7)}, "shortcuts": []},
        "sources": {},
        **changed,
    }


def test_what_each_half_adds_is_said_with_its_interval() -> None:
    lines = say_audit(make_audit())["lines"]
    assert lines[0] == (
        "The record adds +.015 [+.001, +.029] macro AUROC to what the picture says: "
        ".716 with both, .701 [.600, .800] with the picture alone (the records of 32 "
        "patients averaged over)."
    )
    assert lines[1].startswith("The picture is not shown to add: +.056 [-.010, +.100]")


def test_an_untaught_missing_flag_is_named() -> None:
    lines = say_audit(make_audit())["lines"]
    assert lines[2] == (
        "Without the record, all fields missing, the model's macro AUROC is .690 "
        "[.600, .800]; no training radiograph lacked age, so what missing means was "
        "never taught."
    )
    audit = make_audit()
    audit["modalities"]["taught_missing"] = {"age": 2, "view": 4}
    assert say_audit(audit)["lines"][2].endswith("is .690 [.600, .800].")


def test_a_loss_and_what_cannot_be_told_are_said() -> None:
    audit = make_audit()
    audit["modalities"]["adds"] = {
        "record": gain(-0.02, -0.03, -0.01),
        "picture": gain(0.02, None, None),
    }
    lines = say_audit(audit)["lines"]
    assert lines[0].startswith("The record takes away: -.020 [-.030, -.010]")
    assert lines[1].startswith("What the picture adds cannot be told: +.020 [n/a]")


def test_a_shortcut_is_a_warning_once_a_finding() -> None:
    audit = make_audit()
    audit["probes"]["shortcuts"] = [
        {
            "probe": probe,
            "finding": "Pleural_Thickening",
            **area(value),
            "model_auroc": 0.99,
        }
        for probe, value in (("border_thumbnail", 0.98), ("border_only", 0.9))
    ]
    assert say_audit(audit)["warnings"] == [
        "A model that sees only the border scores .980 [.600, .800] for Pleural "
        "Thickening, where this model scores .990 on whole pictures: the border gives "
        "it away."
    ]
    audit["probes"]["shortcuts"] = [
        {"probe": "border_only", "finding": None, **area(0.9), "model_auroc": 0.9}
    ]
    assert say_audit(audit)["warnings"][0].startswith(
        "This model, shown only the border, scores .900 [.600, .800] on the mean, "
    )


def test_the_counterfactual_that_changes_most_answers_is_told() -> None:
    change = {
        "probability": {"mean": 0.1, "quantiles": {"0.05": 0.02, "0.95": 0.3}},
        "logit": {"mean": 0.5},
    }
    still = {"probability": change["probability"], "logit": {"mean": -0.2}}
    asked = {
        "sex_m_to_f": {"num_images": 0},
        "first_visit": {
            "num_images": 9,
            "answers_changed": 0.1,
            "classes": {"Mass": still},
        },
        "view_pa_to_ap": {
            "num_images": 1,
            "answers_changed": 1.0,
            "classes": {"Mass": still, "Edema": change},
        },
    }
    lines = say_audit(make_audit(modalities=None, counterfactuals=asked))["lines"]
    assert lines == [
        "Were the radiograph taken AP instead of PA, the same picture would get another "
        "likeliest class in 100.0% of 1 radiograph; most moved is Edema, its probability "
        "by +.100 on the mean (middle 90 %: [+.020, +.300])."
    ]
    nobody = {"sex_m_to_f": {"num_images": 0}}
    assert say_audit(make_audit(modalities=None, counterfactuals=nobody))["lines"] == []


def test_hidden_pictures_and_sources_are_said() -> None:
    audit = make_audit(modalities=None)
    audit["probes"] |= {
        "centre_masked": {"macro": area(0.65)},
        "border_only": {"macro": area(0.55)},
    }
    audit["sources"] = {
        "hospital": {
            **area(0.97),
            "values": {"a": {}, "b": {}, "rare": {}},
            "num_scored": 2,
            "num_images": 1200,
        }
    }
    assert say_audit(audit)["lines"] == [
        "On pictures alone its macro AUROC is .700, .650 [.600, .800] with the centre "
        "hidden, .550 [.600, .800] with only the border to be seen.",
        "From the model's features hospital is told with AUROC .970 [.600, .800] "
        "(2 of 3 values, 1,200 radiographs).",
    ]
