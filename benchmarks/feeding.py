"""Feeding: a model trained from the cache beside the same batches from memory.

    python benchmarks/feeding.py --branch xnet

Both arms fit the same model on the same batches, in turns. Random reads of a cache, as
many as a batch has, are timed apart.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rounds import describe_machine, describe_rate, describe_ratio, run_rounds

from dualnet.data import cache_writer
from dualnet.data.batches import Batches
from dualnet.data.cache import Cache, open_cache
from dualnet.data.cache_manifest import Manifest, Shard, write_manifest
from dualnet.findings import NIH
from dualnet.models.dual import build_dual_classifier

SIZE = 256
NUM_FEATURES = 9


class Memory(keras.utils.PyDataset):
    """Batches that are in memory already.

    Args:
        batches: What to hand out.
    """

    def __init__(self, batches: list[Any]) -> None:
        super().__init__(workers=1)
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Any:
        return self._batches[index]


def write_noise(folder: Path, num_pictures: int) -> Cache:
    """Writes a cache of noise; how fast it is read does not depend on the picture."""
    random = np.random.default_rng(0)
    manifest = Manifest(SIZE)
    for start in range(0, num_pictures, cache_writer.SHARD_PICTURES):
        end = min(start + cache_writer.SHARD_PICTURES, num_pictures)
        pictures = random.integers(0, 256, (end - start, SIZE, SIZE), np.uint8)
        rows = [
            (f"{start + n}.png", "0", picture) for n, picture in enumerate(pictures)
        ]
        shard: Shard | None = cache_writer._write_shard(folder, rows, manifest)
        manifest = manifest.with_shard(None, shard, ())
    write_manifest(folder, manifest)
    return open_cache(folder)


def time_reads(cache: Cache, batch_size: int, rounds: int) -> None:
    """Prints how many pictures a second random reads give."""
    random = np.random.default_rng(0)

    def read() -> int:
        for _ in range(50):
            cache.read(random.integers(0, len(cache), batch_size))
        return 50 * batch_size

    read()
    rates, _ = run_rounds({"reads": read}, rounds)
    print(f"random reads of {batch_size}: {describe_rate(rates['reads'])} pictures/s")


def make_batches(cache: Cache, num_batches: int, batch_size: int) -> Batches:
    """Makes shuffled batches with random metadata and targets."""
    random = np.random.default_rng(0)
    num_rows = num_batches * batch_size
    positions = random.permutation(len(cache))[:num_rows]
    metadata = random.normal(size=(num_rows, NUM_FEATURES))
    targets = np.eye(len(NIH.class_names))[random.integers(0, 15, num_rows)]
    return Batches(cache, positions, metadata, targets, batch_size=batch_size, seed=0)


def compare(model: keras.Model, batches: Batches, rounds: int) -> None:
    """Prints training pictures a second from the cache and from memory."""
    sources = {
        "cache": batches,
        "memory": Memory([batches[index] for index in range(len(batches))]),
        "memory again": Memory([batches[index] for index in range(len(batches))]),
    }

    def fit(source: keras.utils.PyDataset) -> int:
        model.fit(source, shuffle=False, verbose=0)
        return len(batches.positions)

    arms: dict[str, Callable[[], int]] = {
        name: partial(fit, source) for name, source in sources.items()
    }
    for arm in arms.values():  # compiles, and touches every page
        arm()
    rates, processor = run_rounds(arms, rounds)
    for name in arms:
        print(f"  {name:14} {describe_rate(rates[name])} pictures/s")
    for name, text in (("cache", "cache to memory"), ("memory again", "null pair")):
        wall = describe_ratio(rates, name, "memory")
        used = describe_ratio(processor, name, "memory")
        print(f"  {text}: {wall}, by processor time {used}")


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--branch", choices=["xnet", "residual"], default="xnet")
    parser.add_argument("--pictures", type=int, default=4096, help="in the cache")
    parser.add_argument("--batches", type=int, default=6, help="in each round")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--reads-only", action="store_true")
    options = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        cache = write_noise(Path(folder), options.pictures)
        time_reads(cache, options.batch_size, options.rounds)
        if options.reads_only:
            return
        keras.config.set_dtype_policy(options.precision)
        model = build_dual_classifier(
            image_size=SIZE,
            num_features=NUM_FEATURES,
            class_names=NIH.class_names,
            image_branch=options.branch,
            seed=0,
        )
        model.compile(loss="categorical_crossentropy", jit_compile=False)
        batches = make_batches(cache, options.batches, options.batch_size)
        print(f"{options.branch}, {options.precision}, batches of {options.batch_size}")
        compare(model, batches, options.rounds)


if __name__ == "__main__":
    main()
