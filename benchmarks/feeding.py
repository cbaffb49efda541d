"""Feeding: a preset's model trained from the cache beside the same batches from memory.

    python benchmarks/feeding.py --preset xnet --batches 12
    python benchmarks/feeding.py --preset xnet-residual --batches 40
    python benchmarks/feeding.py --preset chexnet --batches 2 --rounds 5

The preset decides the model, the pictures' size, the batches, the precision and what is
changed at random in a picture. All arms fit the same model on the same batches, in turns:
read from the cache, read and changed as the preset has it, and twice from memory, the null
pair. Random reads of a cache, as many as a batch has, and the augmentation of a batch are
timed apart; and, of the same rounds, the share of processor time that goes into making the
batches. That share stands where rates do not, on a machine whose speed changes from second
to second; there too the best round of each arm says more than the median.
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

from dualnet.config import Config
from dualnet.config_layers import read_config
from dualnet.data import cache_writer
from dualnet.data.augmentation import Augmentation, augment_images, draw
from dualnet.data.batches import Batches
from dualnet.data.cache import Cache, open_cache
from dualnet.data.cache_manifest import Manifest, Shard, write_manifest
from dualnet.findings import NIH
from dualnet.jobs.training_data import make_augmentation
from dualnet.models.dual import build_dual_classifier
from dualnet.training.backend import find_device
from dualnet.training.precision import (
    dtype_policy,
    resolve_compilation,
    resolve_precision,
)
from dualnet.training.recipe import build_loss, build_optimizer

NUM_FEATURES = 9


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


def write_noise(folder: Path, num_pictures: int, size: int) -> Cache:
    """Writes a cache of noise; how fast it is read does not depend on the picture."""
    random = np.random.default_rng(0)
    manifest = Manifest(size)
    for start in range(0, num_pictures, cache_writer.SHARD_PICTURES):
        end = min(start + cache_writer.SHARD_PICTURES, num_pictures)
        pictures = random.integers(0, 256, (end - start, size, size), np.uint8)
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


def time_augmentation(
    cache: Cache, augmentation: Augmentation, batch_size: int, rounds: int
) -> None:
    """Prints how many pictures a second one thread changes."""
    reach = augmentation.shift
    shift = np.random.default_rng(0).integers(-reach, reach + 1, (batch_size, 2))
    draws = draw(augmentation, shift, seed=0, epoch=0)
    images = cache.read(np.arange(batch_size))

    def augment() -> int:
        for _ in range(20):
            augment_images(images.copy(), augmentation, draws)
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
        best = max(rates[name]) / max(rates["memory"])
        rate = describe_rate(rates[name])
        print(f"  {name:14} {rate} pictures/s, best to memory's best {best:.2f}")
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", default="xnet")
    parser.add_argument("--pictures", type=int, default=4096, help="in the cache")
    parser.add_argument("--batches", type=int, default=6, help="in each round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--reads-only", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the preset")
    options = parser.parse_args()
    config = read_config(preset=options.preset, overrides=options.set)
    batch_size, size = config.training.batch_size, config.data.image_size
    augmentation = make_augmentation(config)
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        cache = write_noise(Path(folder), options.pictures, size)
        time_reads(cache, batch_size, options.rounds)
        time_augmentation(cache, augmentation, batch_size, options.rounds)
        if options.reads_only:
            return
        model, precision = build(config)
        batches, augmented = (
            make_batches(cache, options.batches, batch_size, changes)
            for changes in (None, augmentation)
        )
        branch = config.model.image_branch
        print(f"{branch}, {size} pixels, {precision}, batches of {batch_size}")
        compare(model, batches, augmented, options.rounds)
        sources = {"from the cache": batches, "augmented": augmented}
        time_share(model, sources, options.rounds)


def build(config: Config) -> tuple[keras.Model, str]:
    """Builds a preset's model, compiled as for training; returns its precision too."""
    device = find_device()
    precision = resolve_precision(config.training.precision, device).value
    with dtype_policy(precision):
        model = build_dual_classifier(
            image_size=config.data.image_size,
            num_features=NUM_FEATURES,
            class_names=NIH.class_names,
            image_branch=config.model.image_branch,
            seed=0,
        )
    model.compile(
        build_optimizer(config.training, num_batches=1000),
        build_loss(),
        jit_compile=resolve_compilation("auto", device).value,
    )
    return model, precision


if __name__ == "__main__":
    main()
