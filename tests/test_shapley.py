"""Shares of picture and record: games known by hand, brute force, and models."""

from functools import cache
from itertools import permutations
from math import log

import keras
import numpy as np
import pytest

from dualnet.errors import ConfigError
from dualnet.explain.shapley import (
    compute_log_odds,
    compute_shapley_values,
    compute_shares,
)
from dualnet.explain.split_model import Cases, SplitModel, split_model
from dualnet.models.dual import build_dual_classifier

CLASSES = ("Effusion", "Mass", "No Finding")
FIELDS = {"age": slice(0, 2), "follow_up": slice(2, 4), "view": slice(4, 8)}


@cache
def model(
    modality: str = "fused", fusion: str = "concat", activation: str = "softmax"
) -> keras.Model:
    built = build_dual_classifier(
        image_size=32,
        num_features=8,
        class_names=CLASSES,
        modality=modality,
        image_branch="cnn1",
        metadata_units=(5,),
        fusion=fusion,
        activation=activation,
    )
    random = np.random.default_rng(1)
    for name in ("logits", "film_scale", "film_shift"):
        if any(layer.name == name for layer in built.layers):
            layer = built.get_layer(name)
            layer.set_weights(
                [random.normal(0, 0.1, one.shape) for one in layer.get_weights()]
            )
    return built


def tell(split: SplitModel, number: int, seed: int) -> Cases:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (number, 32, 32, 1)).astype("float32")
    metadata = random.normal(size=(number, 8)).astype("float32")
    if not split.reads_metadata:
        metadata = metadata[:, :0]
    return Cases(pictures=split.read_pictures({"image": images}), metadata=metadata)


def brute_force(worth, players) -> dict[str, np.ndarray]:
    """The mean of what each adds over all orders of joining."""
    orders = list(permutations(players))
    shares = {player: np.zeros(len(CLASSES)) for player in players}
    for order in orders:
        joined: frozenset[str] = frozenset()
        for player in order:
            gained = worth(joined | {player}) - worth(joined)
            shares[player] = shares[player] + gained / len(orders)
            joined |= {player}
    return shares


def test_a_game_known_by_hand() -> None:
    # bits: 1 is worth 10, 2 is worth 20, both 50: the 20 more are halved
    worths = np.array([0.0, 10.0, 20.0, 50.0])
    np.testing.assert_allclose(compute_shapley_values(worths), [20, 30])


def test_who_adds_nothing_gets_nothing_and_equals_get_the_same() -> None:
    # players 0 and 1 are alike, player 2 adds nothing to anybody
    worths = np.array([0, 1, 1, 4, 0, 1, 1, 4], float)
    np.testing.assert_array_equal(compute_shapley_values(worths), [2, 2, 0])


def test_worths_must_be_of_every_coalition() -> None:
    with pytest.raises(ConfigError, match=r"a power of two\. Received: 3"):
        compute_shapley_values(np.zeros(3))


def test_log_odds_are_those_of_the_probabilities() -> None:
    found = compute_log_odds(np.array([[0.0, log(3), log(4)]]), "softmax")
    # 1/8, 3/8, 4/8
    np.testing.assert_allclose(found, [[log(1 / 7), log(3 / 5), 0]], atol=1e-12)
    np.testing.assert_array_equal(compute_log_odds(np.array([[2.5]]), "sigmoid"), 2.5)
    sure = compute_log_odds(np.array([[800.0, 0.0]]), "softmax")
    np.testing.assert_allclose(sure, [[800, -800]])


@pytest.mark.parametrize(
    ("fusion", "activation"), [("concat", "softmax"), ("film", "sigmoid")]
)
def test_shares_equal_brute_force_on_the_whole_model(fusion, activation) -> None:
    whole = model(fusion=fusion, activation=activation)
    split = split_model(whole)
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (3, 32, 32, 1)).astype("float32")
    metadata = random.normal(size=(3, 8)).astype("float32")
    told = Cases(pictures=split.read_pictures({"image": images}), metadata=metadata)
    shares = compute_shares(
        split, told.take(np.array([0])), told.take(np.array([1, 2])), fields=FIELDS
    )

    @cache
    def worth(joined: frozenset[str]) -> np.ndarray:
        image, record = images[1:].copy(), metadata[1:].copy()
        if "picture" in joined:
            image[:] = images[0]
        for field in joined - {"picture"}:
            record[:, FIELDS[field]] = metadata[0, FIELDS[field]]
        said = whole({"image": image, "metadata": record}, training=False)
        p = np.asarray(keras.ops.convert_to_numpy(said), float)
        return np.log(p / (1 - p)).mean(axis=0)

    expected = brute_force(worth, shares.players)
    assert shares.players == ("picture", "age", "follow_up", "view")
    np.testing.assert_allclose(
        shares.means, [expected[one] for one in shares.players], atol=1e-4
    )


@pytest.mark.parametrize("scale", ["log_odds", "logits"])
@pytest.mark.parametrize("modality", ["fused", "image", "metadata"])
def test_shares_add_up_to_the_difference(modality, scale) -> None:
    split = split_model(model(modality))
    case, references = tell(split, 1, seed=0), tell(split, 6, seed=1)
    fields = FIELDS if split.reads_metadata else {}
    found = compute_shares(split, case, references, fields=fields, scale=scale)
    np.testing.assert_allclose(
        found.means.sum(axis=0), found.case - found.reference, atol=1e-9
    )
    np.testing.assert_allclose(
        found.by_reference.sum(axis=1), found.case - found.references, atol=1e-9
    )
    if scale == "logits":
        said = split.answer(case).logits[0]
        np.testing.assert_allclose(found.case, said, atol=1e-5)


def test_the_halves_of_a_concatenation_are_the_shares_of_its_logits() -> None:
    split = split_model(model())
    case, reference = tell(split, 1, seed=0), tell(split, 1, seed=1)
    found = compute_shares(split, case, reference, fields=FIELDS, scale="logits")
    kernel = model().get_layer("logits").get_weights()[0]
    (here,), (there,) = case.pictures, reference.pictures
    width = here.shape[1]
    np.testing.assert_allclose(
        found.means[0], (here - there)[0] @ kernel[:width], rtol=1e-4, atol=1e-3
    )


def test_a_field_without_weight_gets_nothing() -> None:
    whole = build_dual_classifier(
        image_size=32,
        num_features=8,
        class_names=CLASSES,
        image_branch="cnn1",
        metadata_units=(5,),
    )
    dense = whole.get_layer("metadata_dense_1")
    kernel, bias = dense.get_weights()
    kernel[FIELDS["view"]] = 0
    dense.set_weights([kernel, bias])
    split = split_model(whole)
    found = compute_shares(
        split, tell(split, 1, seed=0), tell(split, 5, seed=1), fields=FIELDS
    )
    view = found.players.index("view")
    np.testing.assert_allclose(found.by_reference[:, view], 0, atol=1e-5)
    assert np.abs(found.means[found.players.index("age")]).max() > 1e-3


def test_a_radiograph_against_itself_shares_nothing() -> None:
    split = split_model(model())
    case = tell(split, 1, seed=0)
    found = compute_shares(split, case, case, fields=FIELDS)
    np.testing.assert_allclose(found.means, 0, atol=1e-5)


def test_what_cannot_be_shared_is_refused() -> None:
    split = split_model(model())
    two, none = tell(split, 2, seed=0), tell(split, 2, seed=0).take(np.zeros(2, bool))
    with pytest.raises(ConfigError, match="Received: 2 against 2"):
        compute_shares(split, two, two, fields=FIELDS)
    with pytest.raises(ConfigError, match="Received: 1 against 0"):
        compute_shares(split, two.take(np.array([0])), none, fields=FIELDS)
    with pytest.raises(ConfigError, match="scale='odds'"):
        one = two.take(np.array([0]))
        compute_shares(split, one, one, fields=FIELDS, scale="odds")
