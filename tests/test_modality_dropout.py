"""Records shown as missing: as the encoder shows them, anew each epoch, by the seed."""

import numpy as np
import pandas as pd

from dualnet.data.batches import Batches
from dualnet.data.metadata import FIELD_COLUMNS, MetadataEncoder, hide_encoded
from dualnet.data.modality_dropout import MetadataDropout

FIELDS = ("age", "follow_up", "view", "sex")
NUM_ROWS = 400


class Nothing:
    def read(self, positions: np.ndarray) -> np.ndarray:
        return np.zeros((len(positions), 2, 2, 1), np.uint8)


def make_records(num_rows: int = NUM_ROWS) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(num_rows)],
            "age_years": random.uniform(1, 90, num_rows),
            "follow_up": pd.array(random.integers(0, 9, num_rows), dtype="Int64"),
            "view_position": random.choice(["AP", "PA"], num_rows),
            "sex": random.choice(["F", "M"], num_rows),
        }
    )


def make_batches(share: float | None, *, seed: int | None = 0) -> Batches:
    records = make_records()
    encoder = MetadataEncoder(FIELDS).fit(records)
    dropout = None if share is None else MetadataDropout(share, encoder.field_columns)
    return Batches(
        Nothing(),
        np.arange(NUM_ROWS),
        encoder.transform(records),
        np.eye(2)[np.arange(NUM_ROWS) % 2],
        batch_size=150,
        seed=seed,
        metadata_dropout=dropout,
    )


def read(batches: Batches) -> np.ndarray:
    return np.concatenate([batches[n][0]["metadata"] for n in range(len(batches))])


def test_hidden_fields_are_as_the_encoder_shows_missing_ones():
    records = make_records(30)
    encoder = MetadataEncoder(FIELDS).fit(records)
    hidden = np.random.default_rng(1).random((30, len(FIELDS))) < 0.5
    missing = records.copy()
    for column, field in zip(hidden.T, FIELDS, strict=True):
        missing.loc[column, FIELD_COLUMNS[field]] = pd.NA if field != "age" else np.nan
    shown = hide_encoded(encoder.transform(records), hidden, encoder.field_columns)
    np.testing.assert_array_equal(shown, encoder.transform(missing))


def test_share_of_rows_and_of_fields_is_as_asked():
    dropout = MetadataDropout(0.2, [slice(0, 1)] * 3)
    hidden = dropout.draw(20_000, seed=0, epoch=0)
    assert abs(hidden.all(axis=1).mean() - (0.2 + 0.8 * 0.2**3)) < 0.01
    assert np.abs(hidden.mean(axis=0) - (0.2 + 0.8 * 0.2)).max() < 0.01


def test_seed_and_epoch_decide_what_is_hidden_and_nothing_else_changes():
    whole, dropped = make_batches(None), make_batches(0.3)
    np.testing.assert_array_equal(whole.order, dropped.order)
    first = read(dropped)
    kept = (first == read(whole)).all(axis=1)
    assert 0.1 < kept.mean() < 0.4  # (1 - .3)**5 is .17
    np.testing.assert_array_equal(first, read(make_batches(0.3)))
    np.testing.assert_array_equal(whole[0][1], dropped[0][1])
    dropped.set_epoch(1)
    assert (read(dropped) != first).any()
    dropped.set_epoch(0)
    np.testing.assert_array_equal(read(dropped), first)


def test_rows_that_are_judged_keep_their_record():
    np.testing.assert_array_equal(
        read(make_batches(0.5, seed=None)), read(make_batches(None, seed=None))
    )
