"""How long the tables take: reading, checking, splitting and sampling NIH's.

    python benchmarks/tables.py --data $DUALNET_REAL_DATA/nih

Every round runs each step once, one after the other, so that a busy moment meets all of
them; medians are printed, and the ratio to pandas reading the same file unchecked, by processor
time. Reading with all checks is to take less than 2 s, splitting and sampling less than 3.
"""

import argparse
import logging
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dualnet.data.labels import make_targets
from dualnet.data.metadata import MetadataEncoder
from dualnet.data.readers import read_records
from dualnet.data.readers.nih import find_nih_table
from dualnet.data.split import make_certificate, sample_patients, split_by_ratios
from dualnet.findings import NIH

RATIOS = {"train": 0.7, "val": 0.1, "test": 0.2}

# What is to stay below how many seconds, and of which steps it is made.
SPLITTING = (
    "make_targets, first",
    "split_by_ratios",
    "sample_patients, 15,000",
    "make_certificate",
)
LIMITS = (
    ("reading, all checks", ("read_records, all checks",), 2),
    ("splitting and sampling", SPLITTING, 3),
)

logger = logging.getLogger("benchmarks.tables")


class Seconds(NamedTuple):
    """By the clock, and of all processors."""

    clock: float
    processor: float


def main() -> None:
    """Measures and prints one line a step."""
    options = parse_options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("dualnet").setLevel(logging.WARNING)
    steps = make_steps(options.data)
    seconds: dict[str, list[Seconds]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, step in steps.items():
            seconds[name].append(measure(step))
    logger.info("%s cores, %s; median of %d rounds", *machine(), options.rounds)
    medians = {name: take_median(measured) for name, measured in seconds.items()}
    bare = medians["pandas.read_csv alone"]
    for name, median in medians.items():
        values = (
            name,
            median.clock,
            median.processor,
            median.processor / bare.processor,
        )
        logger.info("%-26s %6.3f s, processor %6.3f s  %5.1f x pandas", *values)
    for title, parts, limit in LIMITS:
        clock = sum(medians[part].clock for part in parts)
        processor = sum(medians[part].processor for part in parts)
        values = (title, clock, processor, limit)
        logger.info("%-26s %6.3f s, processor %6.3f s; limit %.0f s", *values)


def parse_options() -> argparse.Namespace:
    """Returns the dataset's folder and the number of rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("DUALNET_REAL_DATA", ".")) / "nih"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def make_steps(folder: Path) -> dict[str, Callable[[], object]]:
    """Returns what is measured, by name; reading once makes sure that it works."""
    records = read_records(folder)
    table = records.table
    file = find_nih_table(folder) or folder
    split = split_by_ratios(table, ratios=RATIOS, seed=0)
    targets = make_targets(table["findings"], NIH, "first")
    encoder = MetadataEncoder().fit(table)
    return {
        "pandas.read_csv alone": lambda: pd.read_csv(file),
        "read_records, all checks": lambda: read_records(folder),
        "make_targets, first": lambda: make_targets(table["findings"], NIH, "first"),
        "split_by_ratios": lambda: split_by_ratios(table, ratios=RATIOS, seed=0),
        "sample_patients, 15,000": lambda: sample_patients(
            table, num_images=15_000, seed=0
        ),
        "make_certificate": lambda: make_certificate(
            split,
            table,
            config_values={},
            digests=records.digests,
            targets_dropped=targets.dropped,
            counts=records.counts,
        ),
        "MetadataEncoder.transform": lambda: encoder.transform(table),
    }


def measure(step: Callable[[], object]) -> Seconds:
    """Returns the seconds that one call takes."""
    clock, processor = time.perf_counter(), time.process_time()
    step()
    return Seconds(time.perf_counter() - clock, time.process_time() - processor)


def take_median(measured: list[Seconds]) -> Seconds:
    """Returns the medians over the rounds."""
    return Seconds(*(statistics.median(part) for part in zip(*measured, strict=True)))


def machine() -> tuple[int, str]:
    """Returns the number of cores and the processor's name, where Linux says it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return os.cpu_count() or 1, names[0] if names else "processor unknown"


if __name__ == "__main__":
    main()
