"""Pictures a second: training and predicting, both branches, float32 beside `auto`.

    python benchmarks/training.py
    python benchmarks/training.py --precision mixed_bfloat16   # wherever auto does not

The same random pictures from memory through the same batches, fused model, the recipe
of a real run. float32 is measured twice: ratios that lie within that null pair's are
not differences.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from rounds import (
    describe_machine,
    describe_rate,
    describe_ratio,
    run_rounds,
)

from dualnet.config import TrainingConfig
from dualnet.data.batches import Batches
from dualnet.findings import NIH
from dualnet.models.dual import build_dual_classifier
from dualnet.training.backend import Device, find_device
from dualnet.training.precision import (
    dtype_policy,
    resolve_compilation,
    resolve_precision,
)
from dualnet.training.recipe import build_loss, build_optimizer

NUM_FEATURES = 8
BASE = "float32"
AGAIN = "float32 again"


class RandomPictures:
    """Random pictures in memory, read as a cache is read."""

    def __init__(self, count: int, size: int) -> None:
        self._images = np.random.default_rng(0).integers(
            0, 256, (count, size, size, 1), dtype=np.uint8
        )

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Returns gray values, uint8, shape (n, side, side, 1)."""
        return self._images[positions]


def make_batches(count: int, size: int, batch_size: int) -> Batches:
    """Makes batches of random pictures, metadata and targets."""
    random = np.random.default_rng(1)
    labels = random.integers(0, len(NIH.class_names), count)
    return Batches(
        RandomPictures(count, size),
        np.arange(count),
        random.normal(size=(count, NUM_FEATURES)),
        np.eye(len(NIH.class_names))[labels],
        batch_size=batch_size,
        seed=0,
    )


def build(image_branch: str, policy: str, size: int, jit_compile: bool) -> Any:
    """Builds and compiles the fused model of a branch under a dtype policy."""
    with dtype_policy(policy):
        model: Any = build_dual_classifier(
            image_size=size,
            num_features=NUM_FEATURES,
            class_names=NIH.class_names,
            image_branch=image_branch,
            seed=0,
        )
    optimizer = build_optimizer(TrainingConfig(), num_batches=1000)
    model.compile(optimizer, build_loss(), jit_compile=jit_compile)
    return model


def train(model: Any, batches: Batches) -> int:
    """Trains for one epoch; returns how many pictures it took."""
    model.fit(batches, shuffle=False, verbose=0)
    return len(batches.positions)


def predict(model: Any, batches: Batches) -> int:
    """Predicts all; returns how many pictures there were."""
    return len(model.predict(batches, verbose=0))


def compare(
    image_branch: str, policies: dict[str, str], options: argparse.Namespace
) -> None:
    """Prints the rates of one branch under each policy."""
    batches = make_batches(options.pictures, options.size, options.batch_size)
    models = {
        name: build(image_branch, policy, options.size, options.jit_compile)
        for name, policy in policies.items()
    }
    works: dict[str, Callable[[Any, Batches], int]] = {
        "train": train,
        "predict": predict,
    }
    for work, run in works.items():
        arms = {name: partial(run, model, batches) for name, model in models.items()}
        run_rounds(arms, 1)  # tracing and first allocations are not measured
        rates, processor = run_rounds(arms, options.rounds)
        print(f"\n{image_branch}, {work}: pictures a second, {options.rounds} rounds")
        for name in policies:
            wall = describe_ratio(rates, name, BASE)
            used = describe_ratio(processor, name, BASE)
            core = describe_rate(processor[name])
            print(f"  {name:16} {describe_rate(rates[name])}, a core {core}")
            print(f"  {'':16} to {BASE}: {wall}, by processor time {used}")


def choose(options: argparse.Namespace, device: Device) -> dict[str, str]:
    """Says what was chosen and why; returns the policies to measure, by name."""
    choice = resolve_precision(options.precision, device)
    print(f"{options.precision} chose {choice.value} here: {choice.reason}")
    policies = {BASE: BASE, AGAIN: BASE}
    if choice.value != BASE:
        policies[choice.value] = choice.value
    return policies


def main() -> None:
    """Runs both branches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--branches", nargs="*", default=["xnet", "residual"])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--pictures", type=int, default=256, help="in each round")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(describe_machine())
    device = find_device()
    compilation = resolve_compilation("auto", device)
    options.jit_compile = compilation.value
    print(f"device: {device.kind}, {device.name}; compilation: {compilation.reason}")
    policies = choose(options, device)
    for image_branch in options.branches:
        compare(image_branch, policies, options)


if __name__ == "__main__":
    main()
