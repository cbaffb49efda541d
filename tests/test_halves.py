"""Each half is fitted alone; joined, they make the product of what they say."""

from typing import Any

import keras
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit, softmax

from dualnet.config import TrainingConfig
from dualnet.data.batches import Batches
from dualnet.findings import Vocabulary
from dualnet.models.dual import build_dual_classifier
from dualnet.training.callbacks import score_batches
from dualnet.training.halves import (
    MAX_WEIGHT,
    WEIGHT_SPREAD,
    choose_weights,
    fit_metadata_half,
    join_halves,
)
from dualnet.training.objective import Objective, build_objective
from dualnet.training.recipe import set_class_prior

SIZE, NUM_FEATURES, CLASSES = 32, 2, ("Edema", "Hernia", "No Finding")
VOCABULARY = Vocabulary(
    name="tiny", findings=CLASSES[:2], negative="No Finding", source=""
)


class Memory:
    def read(self, positions: np.ndarray) -> np.ndarray:
        return np.zeros((len(positions), SIZE, SIZE, 1), np.uint8)


def answer(model: keras.Model, inputs: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(inputs))


def build(modality: str) -> keras.Model:
    return build_dual_classifier(
        image_size=SIZE,
        num_features=NUM_FEATURES,
        class_names=CLASSES,
        modality=modality,
        seed=0,
    )


def make_batches(num_rows: int = 60) -> Batches:
    """Rows whose first feature tells Edema from the rest."""
    rows = np.arange(num_rows)
    labels = np.where(rows % 2, 0, 2)
    metadata = np.stack([rows % 2, np.zeros(num_rows)], axis=1) * 2 - 1
    return Batches(
        Memory(), rows, metadata, np.eye(3)[labels], batch_size=20, modality="fused"
    )


def fit_half(alone: keras.Model, batches: Batches) -> None:
    objective = build_objective(TrainingConfig(), VOCABULARY, batches)
    fit_metadata_half(alone, batches, batches, objective=objective)


def test_the_metadata_half_learns() -> None:
    alone = build("metadata")
    fit_half(alone, make_batches())
    inputs = {"metadata": np.array([[1.0, -1.0], [-1.0, -1.0]], np.float32)}
    probabilities = keras.ops.convert_to_numpy(alone(inputs))
    assert probabilities[0].argmax() == 0
    assert probabilities[1].argmax() == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_the_joined_model_is_the_product_of_both_halves_over_the_prior(
    seed: int,
) -> None:
    fused, image_only, metadata_only = map(build, ("fused", "image", "metadata"))
    prior = np.array([0.2, 0.1, 0.7])
    join_halves(fused, image_only, metadata_only, prior=prior)
    random = np.random.default_rng(seed)
    metadata = random.normal(size=(4, NUM_FEATURES)).astype("float32")
    image = random.integers(0, 255, (4, SIZE, SIZE, 1)).astype("float32")
    both = answer(fused, {"image": image, "metadata": metadata})
    product = (
        answer(image_only, {"image": image})
        * answer(metadata_only, {"metadata": metadata})
        / prior
    )
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(both, expected, rtol=1e-4, atol=1e-6)


def test_a_record_that_says_nothing_changes_nothing() -> None:
    fused, image_only, metadata_only = map(build, ("fused", "image", "metadata"))
    prior = np.array([0.2, 0.1, 0.7])
    kernel, _ = metadata_only.get_layer("logits").get_weights()
    weights = [np.zeros_like(kernel), np.log(prior)]
    metadata_only.get_layer("logits").set_weights(weights)
    join_halves(fused, image_only, metadata_only, prior=prior)
    image = np.full((2, SIZE, SIZE, 1), 99.0, np.float32)
    metadata = np.ones((2, NUM_FEATURES), np.float32)
    np.testing.assert_allclose(
        answer(fused, {"image": image, "metadata": metadata}),
        answer(image_only, {"image": image}),
        rtol=1e-5,
    )


PRIOR = np.array([0.5, 0.5])
UNSURE = np.tile(PRIOR, (4, 1))
RIGHT = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
TARGETS = np.eye(2)[[0, 0, 1, 1]]


def choose(record: np.ndarray, *, copies: int = 1) -> np.ndarray:
    return choose_weights(
        np.tile(UNSURE, (copies, 1)),
        np.tile(record, (copies, 1)),
        np.tile(TARGETS, (copies, 1)),
        prior=PRIOR,
    )


def test_without_evidence_the_record_counts_as_the_product_rule_says() -> None:
    np.testing.assert_allclose(choose(UNSURE, copies=1000), [1.0, 1.0])


def test_a_record_that_misleads_counts_for_nothing() -> None:
    np.testing.assert_allclose(choose(1 - RIGHT, copies=1000), [0.0, 0.0], atol=1e-6)


def test_a_record_that_is_too_shy_counts_more_up_to_a_limit() -> None:
    shy = 0.5 + (RIGHT - 0.5) / 100
    weights = choose(shy, copies=100_000)
    np.testing.assert_allclose(weights, [MAX_WEIGHT, MAX_WEIGHT])


def test_few_radiographs_move_a_weight_less_than_many() -> None:
    few, many = choose(1 - RIGHT), choose(1 - RIGHT, copies=100)
    assert (few > 0.25).all()
    assert (many < 0.01).all()


def test_the_weights_are_those_of_the_least_penalised_loss() -> None:
    # One row, two classes of equal prior. The record says log(.8/.5) and log(.2/.5);
    # less their mean, +log(2) and -log(2). With z = (w0 + w1) log 2 the derivative of
    # log(1 + exp(-z)) + ((w0 - 1)^2 + (w1 - 1)^2) / (2 * .25) is zero where
    # w = 1 + .25 (1 - p) log 2, p = 1 / (1 + exp(-z)).
    record = np.array([[0.8, 0.2]])
    weights = choose_weights(UNSURE[:1], record, np.array([[1.0, 0.0]]), prior=PRIOR)
    p = 1 / (1 + np.exp(-weights.sum() * np.log(2)))
    expected = 1 + 0.25 * (1 - p) * np.log(2)
    np.testing.assert_allclose(weights, [expected, expected], rtol=1e-4)


WEIGHTS = np.array([0.5, 1.0, 0.0])


def test_the_weights_are_those_of_the_records_logits() -> None:
    fused, image_only, metadata_only = map(build, ("fused", "image", "metadata"))
    prior = np.array([0.2, 0.1, 0.7])
    join_halves(fused, image_only, metadata_only, prior=prior, weights=WEIGHTS)
    image = np.full((1, SIZE, SIZE, 1), 99.0, np.float32)
    metadata = np.ones((1, NUM_FEATURES), np.float32)
    ratio = np.log(answer(metadata_only, {"metadata": metadata}) / prior)
    ratio -= ratio @ prior  # a record at the prior says nothing
    product = answer(image_only, {"image": image}) * np.exp(WEIGHTS * ratio)
    np.testing.assert_allclose(
        answer(fused, {"image": image, "metadata": metadata}),
        product / product.sum(),
        rtol=1e-4,
    )


def test_the_joined_model_has_the_loss_that_its_weights_were_chosen_by() -> None:
    fused, image_only, metadata_only = map(build, ("fused", "image", "metadata"))
    val = make_batches()
    fit_half(metadata_only, val)
    prior = np.array([0.5, 0.1, 0.4])
    image = score_batches(image_only, val.with_modality("image"))[0]
    metadata = score_batches(metadata_only, val.with_modality("metadata"))[0]
    weights = choose_weights(image, metadata, val.targets, prior=prior)
    losses = []
    for factor in (1.0, 0.9, 1.1):
        tried = np.minimum(factor * weights, MAX_WEIGHT)
        join_halves(fused, image_only, metadata_only, prior=prior, weights=tried)
        distance = ((tried - 1) ** 2).sum() / (2 * WEIGHT_SPREAD**2)
        losses.append(60 * score_batches(fused, val)[1] + distance)
    assert losses[0] <= min(losses) + 1e-3


SHARES = np.array([0.2, 0.1])


def build_sigmoids(modality: str) -> keras.Model:
    return build_dual_classifier(
        image_size=SIZE,
        num_features=NUM_FEATURES,
        class_names=CLASSES[:2],
        modality=modality,
        activation="sigmoid",
    )


def test_of_sigmoids_log_odds_are_summed_less_those_of_the_prior() -> None:
    fused, image_only, metadata_only = map(
        build_sigmoids, ("fused", "image", "metadata")
    )
    weights = np.array([1.0, 0.5])
    join_halves(fused, image_only, metadata_only, prior=SHARES, weights=weights)
    random = np.random.default_rng(0)
    metadata = random.normal(size=(4, NUM_FEATURES)).astype("float32")
    image = random.integers(0, 255, (4, SIZE, SIZE, 1)).astype("float32")
    picture = logit(answer(image_only, {"image": image}).astype(np.float64))
    record = logit(answer(metadata_only, {"metadata": metadata}).astype(np.float64))
    expected = expit(picture + weights * (record - logit(SHARES)))
    found = answer(fused, {"image": image, "metadata": metadata})
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def said_of_sigmoids() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-odds of both halves, above a prior of one half, and what is present."""
    random = np.random.default_rng(0)
    truth, noise, picture = random.normal(size=(3, 60, 2))
    # the record tells the first finding, and of the second nothing
    record = np.stack([truth[:, 0], noise[:, 1]], axis=1)
    present = truth + picture + random.normal(size=(60, 2)) > 0
    return picture, record, present.astype(float)


def choose_of_sigmoids(
    picture: np.ndarray, record: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    half = np.full(2, 0.5)
    return choose_weights(
        expit(picture), expit(record), targets, prior=half, activation="sigmoid"
    )


def test_the_weights_of_sigmoids_are_chosen_finding_by_finding() -> None:
    picture, record, targets = said_of_sigmoids()
    weights = choose_of_sigmoids(picture, record, targets)
    assert weights[0] > 0.8 > 0.5 > weights[1]
    # Where the derivatives of the penalised loss are zero, with p = expit(s * said) and
    # said = picture + w * record: by s, sum((y - p) * said) = 0; by w, finding by
    # finding, w = 1 + .25 * s * sum((y - p) * record).
    said = picture + weights * record

    def slope(sureness: float) -> float:
        return float(((targets - expit(sureness * said)) * said).sum())

    sureness: Any = brentq(slope, 0.1, 10)
    surplus = targets - expit(sureness * said)
    expected = 1 + 0.25 * sureness * (surplus * record).sum(axis=0)
    np.testing.assert_allclose(weights, expected, rtol=1e-3)


def test_the_weights_of_sigmoids_do_not_depend_on_how_sure_the_halves_are() -> None:
    picture, record, targets = said_of_sigmoids()
    found = choose_of_sigmoids(2 * picture, 2 * record, targets)
    expected = choose_of_sigmoids(picture, record, targets)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def make_objective(matrix: np.ndarray, **training: Any) -> Objective:
    rows = np.arange(len(matrix))
    batches = Batches(Memory(), rows, np.zeros((len(rows), 2)), matrix, batch_size=4)
    return build_objective(TrainingConfig(**training), VOCABULARY, batches)


def test_half_weights_of_an_adjusted_loss_count_what_it_adds() -> None:
    # The halves of an adjusted loss know no shares; with them added, all is as if the
    # loss were the cross-entropy and both halves knew the shares.
    prior = np.array([0.7, 0.2, 0.1])
    random = np.random.default_rng(0)
    picture, record = random.normal(size=(2, 12, 3))
    targets = np.eye(3)[random.integers(3, size=12)]
    flat = np.full(3, 1 / 3)
    found = choose_weights(
        softmax(picture, axis=1),
        softmax(record, axis=1),
        targets,
        prior=flat,
        adjustment=np.log(prior),
    )
    expected = choose_weights(
        softmax(picture + np.log(prior), axis=1),
        softmax(record, axis=1),
        targets,
        prior=flat,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_objective_knows_what_the_loss_leaves_to_the_model() -> None:
    one_hot = np.eye(3)[[0, 0, 0, 1, 2, 2, 2, 2, 2, 2]]
    shares = [0.3, 0.1, 0.6]
    plain = make_objective(one_hot)
    np.testing.assert_allclose(plain.prior, shares)
    assert plain.class_names == CLASSES
    assert plain.val_loss is None
    adjusted = make_objective(one_hot, loss="logit_adjusted")
    np.testing.assert_allclose(adjusted.prior, [1 / 3] * 3)
    np.testing.assert_allclose(adjusted.adjustment, np.log(shares))
    half = make_objective(one_hot, loss="logit_adjusted", logit_adjustment=0.5)
    np.testing.assert_allclose(half.prior, np.sqrt(shares) / np.sqrt(shares).sum())


def test_the_objective_of_sigmoids_starts_where_the_weights_put_the_prior() -> None:
    matrix = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
    plain = make_objective(matrix, label_rule="multi_hot")
    assert plain.class_names == ("Edema", "Hernia")
    np.testing.assert_allclose(plain.prior, [0.25, 0.5])
    weighted = make_objective(matrix, label_rule="multi_hot", imbalance="class_weights")
    np.testing.assert_allclose(weighted.prior, [0.5, 0.5])


@pytest.mark.parametrize("rule", ["first", "multi_hot"])
def test_a_focal_loss_starts_where_saying_the_same_costs_least(rule: str) -> None:
    shares = np.array([0.1, 0.2, 0.7])
    matrix = np.eye(3)[np.repeat(np.arange(3), [1, 2, 7])]
    if rule == "multi_hot":
        matrix, shares = matrix[:, :2], shares[:2]
    objective = make_objective(matrix, label_rule=rule, loss="focal")

    def lose(prior: np.ndarray) -> float:
        said = np.tile(prior, (len(matrix), 1)).astype("float32")
        return float(np.asarray(objective.loss(matrix.astype("float32"), said)))

    assert (objective.prior[:2] > shares[:2]).all()  # the rare ones
    least = lose(objective.prior)
    assert least < lose(shares)
    for column in range(len(shares)):
        for step in (-0.02, 0.02):
            other = objective.prior.copy()
            other[column] += step
            if rule == "first":
                other /= other.sum()
            assert least < lose(other)


def test_the_adjusted_loss_learns_what_the_cross_entropy_learns() -> None:
    """From where each starts, the bias takes up all that is added."""
    random = np.random.default_rng(0)
    features = random.normal(size=(20, 4)).astype("float32")
    matrix = np.eye(3, dtype="float32")[random.integers(3, size=20)]
    said = []
    for name in ("cross_entropy", "logit_adjusted"):
        objective = make_objective(matrix, loss=name)
        inputs = keras.Input((4,))
        logits = keras.layers.Dense(3, kernel_initializer="zeros", name="logits")
        outputs = keras.layers.Activation("softmax", name="probabilities")
        model = keras.Model(inputs, outputs(logits(inputs)))
        set_class_prior(model, objective.prior)
        model.compile(keras.optimizers.Adam(0.1), objective.loss)
        model.fit(features, matrix, epochs=3, batch_size=20, verbose=0)
        said.append(
            np.log(keras.ops.convert_to_numpy(model(features))) + objective.adjustment
        )
    np.testing.assert_allclose(
        softmax(said[1], axis=1), softmax(said[0], axis=1), rtol=1e-3
    )
