"""A model known by hand, scored: it points into every box, and forgets it shuffled."""

from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from dualnet.explain.localisation import (
    describe_findings,
    describe_scores,
    resample_scores,
)
from dualnet.explain.score_verdict import say_scores
from dualnet.jobs.boxed import Boxed
from dualnet.jobs.map_scoring import MapScoring

SIZE, ROWS = 32, 40
FILTERS = 8


def dot_model() -> keras.Model:
    """One filter sees what is bright, seven what is dark; a class asks the first."""
    image = keras.Input((SIZE, SIZE, 1), name="image")
    conv = keras.layers.Conv2D(FILTERS, 1, activation="relu", name="image_conv_1")
    pooled = keras.layers.GlobalAveragePooling2D(name="image_pool")(conv(image))
    logits = keras.layers.Dense(2, name="logits")(pooled)
    answer = keras.layers.Activation("sigmoid", name="probabilities")(logits)
    model = keras.Model({"image": image}, answer)
    kernel = np.full((1, 1, 1, FILTERS), -1.0)
    kernel[..., 0] = 1
    bias = np.full(FILTERS, 90.0)
    bias[0] = -120
    conv.set_weights([kernel, bias])
    weights = np.zeros((FILTERS, 2))
    weights[0, 1] = 5
    model.get_layer("logits").set_weights([weights, np.zeros(2)])
    return model


@pytest.fixture(scope="module")
def boxed() -> Boxed:
    """Gray pictures with a bright patch each, and its box."""
    random = np.random.default_rng(0)
    images = random.integers(60, 90, (ROWS, SIZE, SIZE, 1)).astype(np.uint8)
    masks = np.zeros((ROWS, SIZE, SIZE), dtype=bool)
    for row, (top, left) in enumerate(random.integers(0, SIZE - 6, (ROWS, 2))):
        images[row, top + 1 : top + 5, left + 1 : left + 5] = 220
        masks[row, top : top + 6, left : left + 6] = True
    names = [f"{row}.png" for row in range(ROWS)]
    patients = [str(row // 2) for row in range(ROWS)]
    return Boxed(
        pairs=pd.DataFrame(
            {"image_id": names, "patient_id": patients, "finding": "Mass"}
        ).assign(row=range(ROWS)),
        columns=np.ones(ROWS, dtype=np.int64),
        masks=masks,
        images=images,
        metadata=np.zeros((ROWS, 0), np.float32),
        num_part=ROWS,
    )


@pytest.fixture(scope="module")
def scored(boxed: Boxed) -> dict[str, Any]:
    scoring = MapScoring(dot_model(), boxed, seed=0, num_resamples=100)
    found = scoring.score("hires_cam")
    return {
        **boxed.counts,
        "num_boxed": len(boxed),
        "phantom": False,
        "methods": {"hires_cam": found.block},
        "baselines": {
            name: describe_scores(resample_scores(scoring.draws, values))
            for name, values in scoring.baselines.items()
        },
        "findings": describe_findings(
            scoring.draws, boxed.findings, {"hires_cam": found.rows.scores}
        ),
    }


def test_a_model_that_reads_the_box_points_into_every_one(scored: dict) -> None:
    block = scored["methods"]["hires_cam"]
    assert block["layer"] == "image_conv_1"
    assert block["map_shape"] == [SIZE, SIZE]
    assert block["scores"]["pointing"]["value"] == 1
    assert block["scores"]["energy"]["value"] == pytest.approx(1)
    assert block["scores"]["iou"]["value"] == pytest.approx(
        16 / 36
    )  # the patch is 4 x 4
    assert scored["baselines"]["chance"]["iou"]["value"] == pytest.approx(36 / SIZE**2)
    assert block["minus"]["chance"]["pointing"]["low"] == pytest.approx(1 - 36 / 1024)
    assert scored["findings"][0]["n"] == ROWS


def test_what_it_learnt_is_gone_with_its_weights(scored: dict) -> None:
    block = scored["methods"]["hires_cam"]
    assert block["shuffled_weights"]["scores"]["pointing"]["value"] < 0.5
    assert block["other_patient"]["scores"]["pointing"]["value"] < 0.3
    correlations = [stage["correlation"] for stage in block["randomisation"]["stages"]]
    assert max(correlations) < 0.5


def test_the_model_reads_what_its_map_shows(scored: dict) -> None:
    found = scored["methods"]["hires_cam"]["faithfulness"]
    whole, first, *_, blurred = found["deletion"]["curve"]
    assert whole > 0.99
    assert first == pytest.approx(blurred, abs=0.01)  # all is gone at the first step
    assert found["deletion"]["minus_noise"]["high"] < 0
    assert found["insertion"]["minus_noise"]["low"] > 0


def test_the_verdict_says_all_of_it(scored: dict) -> None:
    said = say_scores(scored)
    assert said[0].startswith(
        "The maps point where the findings are: hires_cam points into the box in 1.000 "
        "[1.000, 1.000] of 40 boxed findings (40 radiographs of 20 patients), above "
        "chance (.035), the centre prior"
    )
    assert said[1].startswith("hires_cam passes the sanity check")
    assert said[2].startswith("hires_cam is faithful to what the model reads")
    assert said[-2].startswith("Only 20 patients")


def test_a_map_of_a_model_without_anything_to_forget_fails_the_check(
    boxed: Boxed,
) -> None:
    model = dot_model()
    for name in ("image_conv_1", "logits"):  # shuffled, such weights are the same
        layer = model.get_layer(name)
        layer.set_weights([np.ones_like(one) for one in layer.get_weights()])
    scoring = MapScoring(model, boxed, seed=0, num_resamples=20)
    block = scoring.score("grad_cam").block
    stages = block["randomisation"]["stages"]
    assert [stage["correlation"] for stage in stages] == pytest.approx([1, 1])
    assert block["minus"]["shuffled_weights"]["pointing"]["high"] == 0
