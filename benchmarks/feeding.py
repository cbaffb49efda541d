"""Feeding: a model trained from the cache beside the same batches from memory.

    python benchmarks/feeding.py --branch xnet
    python benchmarks/feeding.py --branch densenet121 --batches 2

All arms fit the same model on the same batches, in turns: read from the cache, read and
augmented in every way, and twice from memory, the null pair. Random reads of a cache, as
many as a batch has, and the augmentation of a batch are timed apart.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rounds import describe_machine, describe_rate, describe_ratio, run_rounds

from dualnet.config import TrainingConfig
from dualnet.data import cache_writer
from dualnet.data.augmentation import Augmentation, augment_images, draw
from dualnet.data.batches import Batches
from dualnet.data.cache import Cache, open_cache
from dualnet.data.cache_manifest import Manifest, Shard, write_manifest
from dualnet.findings import NIH
from dualnet.models.dual import build_dual_classifier
from dualnet.training.backend import find_device
from dualnet.training.precision import resolve_compilation
from dualnet.training.recipe import build_loss, build_optimizer

SIZE = 256
NUM_FEATURES = 9
AUGMENTATION = Augmentation(
    shift=13, rotation=10, zoom=0.1, contrast=0.2, brightness=0.1, horizontal_flip=True
)


class Timed(keras.utils.PyDataset):
    """Batches that count the processor time it takes to make them.

    Args:
        batches: What to hand out.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__(workers=1)
        self._batches = batches
        self.seconds = 0.0

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Any:
        began = time.thread_time()
        batch = self._batches[index]
        self.seconds += time.thread_time() - began
        return batch


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


def time_augmentation(cache: Cache, batch_size: int, rounds: int) -> None:
    """Prints how many pictures a second one thread changes."""
    shift = np.random.default_rng(0).integers(-13, 14, (batch_size, 2))
    draws = draw(AUGMENTATION, shift, seed=0, epoch=0)
    images = cache.read(np.arange(batch_size))

    def augment() -> int:
        for _ in range(20):
            augment_images(images.copy(), AUGMENTATION, draws)
        return 20 * batch_size

    augment()
    rates, processor = run_rounds({"augment": augment}, rounds)
    wall, used = (describe_rate(one["augment"]) for one in (rates, processor))
    print(f"augmentation: {wall} pictures/s, {used} a second of processor time")


def make_batches(
    cache: Cache,
    num_batches: int,
    batch_size: int,
    augmentation: Augmentation | None = None,
) -> Batches:
    """Makes shuffled batches with random metadata and targets."""
    random = np.random.default_rng(0)
    num_rows = num_batches * batch_size
    positions = random.permutation(len(cache))[:num_rows]
    metadata = random.normal(size=(num_rows, NUM_FEATURES))
    targets = np.eye(len(NIH.class_names))[random.integers(0, 15, num_rows)]
    return Batches(
        cache,
        positions,
        metadata,
        targets,
        batch_size=batch_size,
        seed=0,
        augmentation=augmentation,
    )


def compare(
    model: keras.Model, batches: Batches, augmented: Batches, rounds: int
) -> None:
    """Prints training pictures a second from the cache and from memory."""
    sources = {
        "cache": batches,
        "augmented": augmented,
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
    for name, text in (
        ("cache", "cache to memory"),
        ("augmented", "augmented to memory"),
        ("memory again", "null pair"),
    ):
        wall = describe_ratio(rates, name, "memory")
        used = describe_ratio(processor, name, "memory")
        print(f"  {text}: {wall}, by processor time {used}")


def time_share(model: keras.Model, sources: Mapping[str, Batches], rounds: int) -> None:
    """Prints which share of training's processor time goes into making the batches.

    Both are of the same rounds, so the share stands where rates do not: on a machine
    whose speed changes from round to round.
    """
    timed = {name: Timed(batches) for name, batches in sources.items()}
    shares: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, source in timed.items():
            source.seconds, began = 0.0, time.process_time()
            model.fit(source, shuffle=False, verbose=0)
            shares[name].append(source.seconds / (time.process_time() - began))
    for name, values in shares.items():
        low, high = min(values), max(values)
        text = f"{statistics.median(values):.1%} [{low:.1%}-{high:.1%}]"
        print(f"  making the batches, {name}: {text} of processor time")


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--branch", default="xnet")
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
        time_augmentation(cache, options.batch_size, options.rounds)
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
        model.compile(
            build_optimizer(TrainingConfig(), num_batches=1000),
            build_loss(),
            jit_compile=resolve_compilation("auto", find_device()).value,
        )
        batches, augmented = (
            make_batches(cache, options.batches, options.batch_size, augmentation)
            for augmentation in (None, AUGMENTATION)
        )
        print(f"{options.branch}, {options.precision}, batches of {options.batch_size}")
        compare(model, batches, augmented, options.rounds)
        sources = {"from the cache": batches, "augmented": augmented}
        time_share(model, sources, options.rounds)


if __name__ == "__main__":
    main()
