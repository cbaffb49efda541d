"""`dualnet prepare`: every picture of a dataset, decoded once into the cache."""

from dualnet.config import Config
from dualnet.data.cache import Cache, repair_cache, verify_cache
from dualnet.jobs.sources import count_workers, locate_cache, prepare, read_source
from dualnet.progress import show_progress


def prepare_data(
    config: Config, *, verify: bool = False, repair: bool = False
) -> Cache:
    """Prepares the configured dataset's cache, or goes on where it was stopped.

    Args:
        config: The whole configuration.
        verify: Whether to recompute the checksum of every file afterwards.
        repair: Whether to do so before, and to make again what is damaged.

    Returns:
        The cache.
    """
    records = read_source(config)
    workers = count_workers(config)
    if repair:
        with show_progress("looking for damaged shards") as progress:
            repair_cache(
                locate_cache(config, records.folder),
                image_size=config.data.image_size,
                workers=workers,
                progress=progress,
            )
    cache = prepare(records.pictured(), config, records.folder)
    if verify:
        with show_progress("verifying shards") as progress:
            verify_cache(cache.folder, workers=workers, progress=progress)
    return cache
