"""Judging many radiographs: pictures a second, and memory.

    python benchmarks/evaluation.py --draws 15000

Predicts draws from a small cache with an untrained model of full size, which costs what
a trained one costs: first beside bare `model.predict` on the same batches, made before
and held in memory, in interleaved rounds, then all of the draws at once, for the time and
the memory. `bootstrap.py` measures the intervals, `evaluation_memory.py` the memory of
whole evaluations.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from feeding import Memory
from rounds import describe_machine, describe_rate, describe_ratio, run_rounds

from dualnet.data.batches import Batches
from dualnet.data.cache import Cache, prepare_cache
from dualnet.data.phantom import make_phantom
from dualnet.data.readers import read_records
from dualnet.evaluation.evaluate import predict_probabilities
from dualnet.findings import NIH
from dualnet.models.dual import build_dual_classifier

NUM_FEATURES = 8
WARM_UP_DRAWS = 1000
MEBIBYTE = 2**20
BARE = "bare predict"
LIMIT_RATIO = 0.95
LIMIT_SECONDS, LIMIT_DRAWS = 60, 15_000  # `residual`, on two cores


def make_cache(folder: Path, num_images: int) -> Cache:
    """Makes a phantom and prepares its cache."""
    # one worker: others would import this file, and Keras with it
    make_phantom(
        folder / "phantom", num_images=num_images, num_patients=40, seed=0, workers=1
    )
    table = read_records(folder / "phantom").pictured()
    return prepare_cache(table, folder / "cache", image_size=256, workers=2)


def draw(source: Cache, size: int, draws: int, batch_size: int) -> Batches:
    """Returns batches of so many radiographs, each taken again and again."""
    return Batches(
        source,
        np.arange(draws) % size,
        np.zeros((draws, NUM_FEATURES), dtype=np.float32),
        None,
        batch_size=batch_size,
    )


def resident_mebibytes() -> float:
    """Returns what this process holds in memory now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE


def compare_feeding(
    model: keras.Model, cache: Cache, options: argparse.Namespace
) -> None:
    """Prints the rates of prediction from the cache and of bare `model.predict`."""
    batches = draw(cache, len(cache), options.round_draws, options.batch_size)
    held = Memory([batches[index] for index in range(len(batches))])

    def bare() -> int:
        return len(model.predict(held, verbose=0))  # pyright: ignore[reportArgumentType]

    arms = {
        "cache": lambda: len(predict_probabilities(model, batches)),
        BARE: bare,
        f"{BARE} again": bare,
    }
    for arm in arms.values():  # compiles, and touches every page
        arm()
    rates, processor = run_rounds(arms, options.rounds)
    for name, values in rates.items():
        print(
            f"  {name:19} {describe_rate(values):>22} a second, ratio "
            f"{describe_ratio(rates, name, BARE)}, by processor time "
            f"{describe_ratio(processor, name, BARE)}"
        )
    ratios = [a / b for a, b in zip(processor["cache"], processor[BARE], strict=True)]
    tell_limit(
        f"at least {LIMIT_RATIO} of bare", statistics.median(ratios) >= LIMIT_RATIO
    )


def measure_draws(
    model: keras.Model, cache: Cache, options: argparse.Namespace
) -> None:
    """Prints the rate of all draws, and what memory grew by."""
    rows: list[tuple[int, float]] = []
    seconds = 0.0
    for draws in (WARM_UP_DRAWS, options.draws):
        batches = draw(cache, len(cache), draws, options.batch_size)
        began, processor = time.perf_counter(), time.process_time()
        predict_probabilities(model, batches)
        seconds = time.perf_counter() - began
        busy = time.process_time() - processor
        rows.append((draws, resident_mebibytes()))
        print(
            f"  {draws:,} draws: {draws / seconds:,.0f} a second "
            f"({2 * draws / busy:,.0f} a second of two whole cores), "
            f"{rows[-1][1]:,.0f} MiB resident"
        )
    print(f"  growth {rows[1][1] - rows[0][1]:+,.0f} MiB")
    if options.image_branch == "residual" and options.draws >= LIMIT_DRAWS:
        tell_limit(f"below {LIMIT_SECONDS} s", seconds < LIMIT_SECONDS)


def tell_limit(what: str, kept: bool) -> None:
    """Says whether a limit is kept."""
    print(f"  limit, {what}: {'kept' if kept else 'MISSED'}")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--image-branch", default="residual", choices=("residual", "xnet")
    )
    parser.add_argument("--images", type=int, default=200, help="in the cache")
    parser.add_argument("--draws", type=int, default=15_000)
    parser.add_argument("--round-draws", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        cache = make_cache(Path(folder), options.images)
        model = build_dual_classifier(
            num_features=NUM_FEATURES,
            class_names=NIH.class_names,
            image_branch=options.image_branch,
        )
        print(f"Prediction, {options.image_branch}, batches of {options.batch_size}")
        compare_feeding(model, cache, options)
        measure_draws(model, cache, options)
    print(describe_machine())


if __name__ == "__main__":
    main()
