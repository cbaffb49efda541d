"""An accelerator at work: pictures a second, waiting for input, share of its bf16 peak.

    KERAS_BACKEND=jax PYTHONPATH=. python benchmarks/gpu.py
    KERAS_BACKEND=torch PYTHONPATH=. python benchmarks/gpu.py

Needs neither TensorFlow nor a data set: random pictures, as many as NIH has on request,
read and augmented as in training, one model a branch, bf16, 256 x 256. Arms, in turns:
`fed` is what training does; `resident` the same model on batches that lie on the device
already, twice, the null pair. What `fed` takes longer is the wait for input. Operations
are counted from the layers' shapes, three times those of the forward pass, a
multiplication and an addition apart; the peak is that of a measured product of two
square bf16 matrices on this device.
"""

import argparse
import importlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from rounds import describe_machine, describe_rate, describe_ratio, run_rounds

from dualnet.config import TrainingConfig
from dualnet.data.augmentation import Augmentation
from dualnet.data.batches import Batches
from dualnet.findings import NIH
from dualnet.models.dual import build_dual_classifier
from dualnet.training.backend import find_device, read_peak_memory
from dualnet.training.precision import dtype_policy, resolve_compilation
from dualnet.training.recipe import build_loss, build_optimizer

NUM_FEATURES = 9
AUGMENTATION = Augmentation(
    shift=13, rotation=10, zoom=0.1, contrast=0.2, brightness=0.1
)


class RandomPictures:
    """Random pictures in memory, read as a cache is read."""

    def __init__(self, count: int, size: int) -> None:
        random = np.random.default_rng(0)
        self._images = np.empty((count, size, size, 1), np.uint8)
        for image in self._images:
            image[:] = random.integers(0, 256, (size, size, 1), np.uint8)

    def __len__(self) -> int:
        return len(self._images)

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Returns gray values, uint8, shape (n, side, side, 1)."""
        return self._images[positions]


class Resident(keras.utils.PyDataset):
    """A few batches that lie on the device, handed out again and again.

    Args:
        batches: What they are made of.
        count: How many are handed out.
        kept: How many there are.
    """

    def __init__(self, batches: Batches, *, count: int, kept: int = 4) -> None:
        super().__init__(workers=1)
        put = keras.ops.convert_to_tensor
        self._count = count
        self._batches = [
            ({key: put(one) for key, one in inputs.items()}, put(targets))
            for inputs, targets in (batches[index] for index in range(kept))
        ]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        return self._batches[index % len(self._batches)]


def make_batches(pictures: RandomPictures, options: argparse.Namespace) -> Batches:
    """Makes shuffled, augmented batches with random metadata and targets."""
    random = np.random.default_rng(1)
    count = options.batches * options.batch_size
    return Batches(
        pictures,
        random.integers(0, len(pictures), count),
        random.normal(size=(count, NUM_FEATURES)),
        np.eye(len(NIH.class_names))[random.integers(0, 15, count)],
        batch_size=options.batch_size,
        seed=0,
        augmentation=AUGMENTATION,
    )


def build(branch: str, options: argparse.Namespace) -> Any:
    """Builds and compiles the fused model of a branch."""
    with dtype_policy(options.precision):
        model: Any = build_dual_classifier(
            image_size=options.size,
            num_features=NUM_FEATURES,
            class_names=NIH.class_names,
            image_branch=branch,
            seed=0,
        )
    compiled = resolve_compilation("auto", find_device()).value
    optimizer = build_optimizer(TrainingConfig(), num_batches=100_000)
    model.compile(optimizer, build_loss(), jit_compile=compiled)
    return model


def count_operations(model: Any) -> float:
    """Counts a picture's operations in training, of convolutions and dense layers.

    Args:
        model: A flat functional model.

    Returns:
        Three times the forward pass's, as the backward pass has two such products.
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            places = int(np.prod(layer.output.shape[1:3]))
            total += 2 * places * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            total += 2 * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.Model):
            total += int(count_operations(layer)) // 3
    return 3.0 * total


def measure_peak(side: int, times: int) -> float:
    """Measures operations a second of a product of two square bf16 matrices."""
    random = np.random.default_rng(0)
    factors = [
        keras.ops.cast(random.normal(size=(side, side)).astype("float32"), "bfloat16")
        for _ in range(2)
    ]
    multiply = _compile(keras.ops.matmul)
    for _ in range(3):
        _wait(multiply(*factors))
    began = time.perf_counter()
    products = [multiply(*factors) for _ in range(times)]
    _wait(products[-1])
    return 2 * side**3 * times / (time.perf_counter() - began)


def compare(branch: str, pictures: RandomPictures, options: argparse.Namespace) -> None:
    """Prints the rates of one branch."""
    batches = make_batches(pictures, options)
    model = build(branch, options)
    resident = Resident(batches, count=options.batches)
    sources = {"fed": batches, "resident": resident, "resident again": resident}

    def fit(source: keras.utils.PyDataset) -> int:
        model.fit(source, shuffle=False, verbose=0)
        return options.batches * options.batch_size

    arms: dict[str, Callable[[], int]] = {
        name: partial(fit, source) for name, source in sources.items()
    }
    run_rounds(arms, 1)  # compilation is not measured
    rates, _ = run_rounds(arms, options.rounds)
    print(f"\n{branch}, {options.precision}, batches of {options.batch_size}")
    for name in arms:
        print(f"  {name:14} {describe_rate(rates[name])} pictures/s")
    print(f"  fed to resident: {describe_ratio(rates, 'fed', 'resident')}")
    print(f"  null pair: {describe_ratio(rates, 'resident again', 'resident')}")
    waits = [1 - fed / own for fed, own in zip(*list(rates.values())[:2], strict=True)]
    print(f"  waiting for input: {100 * float(np.median(waits)):.1f} %")
    if options.peak:
        used = float(np.median(rates["fed"])) * count_operations(model)
        share = 100 * used / options.peak
        print(f"  {used / 1e12:.2f} TFLOP/s, {share:.1f} % of the bf16 peak")
    whose, peak = read_peak_memory() or ("no", 0)
    print(f"  memory of the {whose}: {peak / 2**20:,.0f} MiB at most until now")


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    backend = keras.backend.backend()
    if backend == "jax":
        return importlib.import_module("jax").jit(function)
    if backend == "tensorflow":
        return importlib.import_module("tensorflow").function(function)
    return function


def _wait(tensor: Any) -> None:
    keras.ops.convert_to_numpy(keras.ops.cast(tensor[0, 0], "float32"))


def main() -> None:
    """Runs every branch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--branches", nargs="*", default=["xnet", "residual", "densenet121"]
    )
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument("--pictures", type=int, default=16384, help="NIH: 112120")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--batches", type=int, default=40, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak-side", type=int, default=8192, help="0: not measured")
    options = parser.parse_args()
    print(describe_machine())
    device = find_device()
    versions = f"{keras.backend.backend()}, Keras {keras.__version__}"
    print(f"{versions}; device: {device.kind}, {device.name}")
    options.peak = measure_peak(options.peak_side, 20) if options.peak_side else 0.0
    if options.peak:
        print(f"bf16 product of {options.peak_side}: {options.peak / 1e12:.1f} TFLOP/s")
    pictures = RandomPictures(options.pictures, options.size)
    for branch in options.branches:
        compare(branch, pictures, options)


if __name__ == "__main__":
    main()
