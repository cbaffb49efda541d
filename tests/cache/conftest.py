"""What all tests of the cache start from: small shards, and a table of pictures."""

from pathlib import Path

import pandas as pd
import pytest

from dualnet.data import cache_writer

from .cache_cases import NUM_PICTURES, PER_SHARD, make_table


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_writer, "SHARD_PICTURES", PER_SHARD)


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    return make_table(tmp_path / "images", NUM_PICTURES)
