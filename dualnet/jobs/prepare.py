"""`dualnet prepare`: every picture of a dataset, decoded once into the cache."""

from dualnet.config import Config
from dualnet.data.cache import Cache, verify_cache
from dualnet.jobs.sources import prepare, read_source


def prepare_data(config: Config, *, verify: bool = False) -> Cache:
    """Prepares the configured dataset's cache, or goes on where it was stopped.

    Args:
        config: The whole configuration.
        verify: Whether to recompute the checksum of every shard afterwards.

    Returns:
        The cache.
    """
    records = read_source(config)
    cache = prepare(records.pictured(), config, records.folder)
    if verify:
        verify_cache(cache.folder)
    return cache
