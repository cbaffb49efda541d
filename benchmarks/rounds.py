"""Interleaved rounds: what is compared runs in turns, so that noise meets all alike.

A noisy machine makes any two rates differ. So every comparison has a null pair, the
same thing measured twice: ratios that lie within the null pair's are not differences.
Rates a second of processor time are steadier than rates a second on a shared machine.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Rates = dict[str, list[float]]


def run_rounds(
    arms: Mapping[str, Callable[[], int]], rounds: int
) -> tuple[Rates, Rates]:
    """Runs every arm once a round; each round begins with another arm.

    Args:
        arms: What to measure, by name; each returns how many things it did.
        rounds: How often.

    Returns:
        Things a second, and things a second of processor time (of all threads
        together): one rate a round, by name.
    """
    names = list(arms)
    rates: Rates = {name: [] for name in names}
    processor: Rates = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            began, used = time.perf_counter(), time.process_time()
            count = arms[name]()
            rates[name].append(count / (time.perf_counter() - began))
            processor[name].append(count / (time.process_time() - used))
    return rates, processor


def describe_rate(values: Sequence[float]) -> str:
    """Returns a median with its range, such as `147 [141-150]`."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):,.0f} [{low:,.0f}-{high:,.0f}]"


def describe_ratio(rates: Rates, name: str, base: str) -> str:
    """Returns the median of the ratios within each round, with their range."""
    ratios = [a / b for a, b in zip(rates[name], rates[base], strict=True)]
    low, high = min(ratios), max(ratios)
    return f"{statistics.median(ratios):.2f} [{low:.2f}-{high:.2f}]"


def describe_machine() -> str:
    """Returns the processor, its cores and how busy they are."""
    model = platform.processor() or "unknown processor"
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        names = [
            line.split(":", 1)[1] for line in lines if line.startswith("model name")
        ]
        model = names[0].strip() if names else model
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, load {load}"
