import keras
import numpy as np
import pytest

from dualnet.config import TrainingConfig
from dualnet.findings import NIH
from dualnet.models.dual import build_dual_classifier
from dualnet.training.recipe import (
    build_loss,
    build_optimizer,
    class_weights,
    finding_weights,
    prior_logits,
    sampling_weights,
    set_class_prior,
    smooth_targets,
    with_negative,
)


def one_hot(counts: list[int]) -> np.ndarray:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.eye(len(counts), dtype="float32")[labels]


def test_class_weights_are_n_over_classes_times_count():
    # 8 / (2 * 6) and 8 / (2 * 2); the rows' mean is 1 already
    np.testing.assert_allclose(class_weights(one_hot([6, 2])), [2 / 3, 2.0])


def test_class_weights_are_capped_and_scaled_to_a_mean_of_one():
    # balanced: 100/(2*98) = .5102 and 100/(2*2) = 25, capped at 10;
    # the rows' mean is (98*.5102 + 2*10)/100 = .7
    weights = class_weights(one_hot([98, 2]))
    np.testing.assert_allclose(weights, [0.5102 / 0.7, 10 / 0.7], rtol=1e-4)
    assert (one_hot([98, 2]) @ weights).mean() == pytest.approx(1)


def test_class_that_no_row_has_weighs_nothing():
    weights = class_weights(one_hot([4, 0, 4]))
    np.testing.assert_allclose(weights, [1, 0, 1])


def test_class_weights_take_soft_targets():
    targets = np.array([[1, 0], [1, 0], [0.5, 0.5]])
    # counts 2.5 and .5: 3 / (2 * 2.5) and 3 / (2 * .5)
    np.testing.assert_allclose(class_weights(targets), [0.6, 3.0])


def test_sampling_weights_give_every_class_the_same_share():
    targets = one_hot([6, 3, 1, 0])
    weights = sampling_weights(targets)
    np.testing.assert_allclose(weights @ targets, [1 / 3, 1 / 3, 1 / 3, 0])
    np.testing.assert_allclose(weights[0], 1 / 18)
    assert weights.sum() == pytest.approx(1)


def test_finding_weights_make_absent_and_present_weigh_the_same():
    # present in 1 of 4: 4 / (2 * 3) and 4 / (2 * 1); the mean is 1 already
    targets = np.array([[1], [0], [0], [0]], "float32")
    np.testing.assert_allclose(finding_weights(targets), [[2 / 3], [2.0]])


def test_finding_weights_are_capped_and_scaled_finding_by_finding():
    # present in 1 of 100: 100 / 198 = .50505 and 50, capped at 10; their mean over the
    # rows is .99 * .50505 + .01 * 10 = .6; a finding that nobody has weighs 1 absent
    targets = np.zeros((100, 2), "float32")
    targets[0, 0] = 1
    weights = finding_weights(targets)
    np.testing.assert_allclose(weights[:, 0], [0.50505 / 0.6, 10 / 0.6], rtol=1e-4)
    assert weights[0, 1] == pytest.approx(1)
    assert np.isfinite(weights).all()


def test_rows_without_any_finding_are_a_class_of_their_own():
    targets = np.array([[1, 1], [1, 0], [0, 0]])
    drawn = sampling_weights(with_negative(targets))
    # of 2, 1 and 1 rows: 1/2 + 1, 1/2, 1, together 3
    np.testing.assert_allclose(drawn, [0.5, 1 / 6, 1 / 3])


def test_learning_rate_warms_up_and_decays():
    training = TrainingConfig(learning_rate=0.01)
    optimizer = build_optimizer(training, num_batches=100)
    rates = []
    for step in (0, 5, 10, 55, 100):
        optimizer.iterations.assign(step)
        rates.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
    # a line from 0 to .01 in ten steps; half way down the cosine; a hundredth
    np.testing.assert_allclose(
        rates, [0, 0.005, 0.01, (0.01 + 0.0001) / 2, 0.0001], rtol=1e-3, atol=1e-9
    )


def test_optimizer_serves_a_run_of_one_step():
    optimizer = build_optimizer(TrainingConfig(), num_batches=1)
    optimizer.iterations.assign(1)
    rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    assert rate == pytest.approx(1e-3)


def read_rate(optimizer, batch: int) -> float:
    optimizer.iterations.assign(batch)
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def test_constant_rate_warms_up_and_stays():
    training = TrainingConfig(learning_rate=0.01, schedule="constant")
    optimizer = build_optimizer(training, num_batches=100)
    rates = [read_rate(optimizer, batch) for batch in (0, 5, 10, 55, 100)]
    np.testing.assert_allclose(rates, [0, 0.005, 0.01, 0.01, 0.01], rtol=1e-5)


def test_accumulated_batches_are_one_step_of_the_schedule():
    one = TrainingConfig(learning_rate=0.01)
    four = TrainingConfig(learning_rate=0.01, accumulate=4)
    steps = build_optimizer(one, num_batches=25)
    batches = build_optimizer(four, num_batches=100)
    schedule = batches._learning_rate
    for step in (0, 1, 2, 13, 24):
        expected = read_rate(steps, step)
        for batch in (4 * step, 4 * step + 3):
            rate = float(keras.ops.convert_to_numpy(schedule(batch)))
            assert rate == pytest.approx(expected, rel=1e-6)


def test_smoothed_targets_of_one_answer_go_evenly_to_all_classes():
    targets = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0]])
    smoothed = smooth_targets(targets, 0.2)
    np.testing.assert_allclose(
        smoothed, [[0.85, 0.05, 0.05, 0.05], [0.45, 0.45, 0.05, 0.05]], rtol=1e-6
    )
    assert smoothed.dtype == np.float32


def test_smoothed_targets_of_several_answers_go_to_yes_and_no():
    smoothed = smooth_targets(np.array([[1, 0, 1]]), 0.2, exclusive=False)
    np.testing.assert_allclose(smoothed, [[0.9, 0.1, 0.9]], rtol=1e-6)


def test_biases_do_not_decay():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    optimizer = build_optimizer(TrainingConfig(weight_decay=0.1), num_batches=10)
    optimizer.build(layer.trainable_variables)
    assert optimizer._use_weight_decay(layer.kernel)
    assert not optimizer._use_weight_decay(layer.bias)


def test_loss_is_the_cross_entropy_of_soft_targets():
    y_true = np.array([[0.5, 0.5, 0], [0, 0, 1]], "float32")
    y_pred = np.array([[0.2, 0.3, 0.5], [0.25, 0.25, 0.5]], "float32")
    expected = -(0.5 * np.log(0.2) + 0.5 * np.log(0.3) + np.log(0.5)) / 2
    loss = float(keras.ops.convert_to_numpy(build_loss()(y_true, y_pred)))
    assert loss == pytest.approx(expected, rel=1e-5)


def test_class_prior_is_what_a_model_says_of_nothing():
    model = build_dual_classifier(
        num_features=2, class_names=NIH.class_names, modality="metadata", seed=0
    )
    prior = np.full(15, 0.02)
    prior[10], prior[0] = 0.72, 0.0
    set_class_prior(model, prior)
    inputs = {"metadata": np.zeros((1, 2), "float32")}
    probabilities = np.asarray(model.predict_on_batch(inputs))[0]
    expected = np.maximum(prior, 1e-4)
    np.testing.assert_allclose(probabilities, expected / expected.sum(), rtol=1e-4)


def test_prior_of_sigmoids_is_their_log_odds():
    np.testing.assert_allclose(
        prior_logits(np.array([0.5, 0.2, 0.0]), "sigmoid"),
        [0, np.log(0.25), np.log(1e-4 / (1 - 1e-4))],
        atol=1e-12,
    )
