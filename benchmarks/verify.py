"""Verifying a cache: its rate beside that of the checksum alone, and its memory.

    python benchmarks/verify.py --pictures 16384

A cache of random pictures is written, read once, and then verified in turns with
SHA-256 over as many bytes that lie in memory, on as many threads: nothing can be faster.
Afterwards a process of its own verifies two caches, for its peak memory.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from rounds import describe_machine, describe_ratio, run_rounds

from dualnet.data.cache import verify_cache
from dualnet.data.cache_manifest import (
    Manifest,
    Shard,
    name_shard,
    write_manifest,
    write_rejects,
)
from dualnet.data.cache_writer import SHARD_PICTURES
from dualnet.files import sha256

SIDE = 256
NIH_BYTES = 112_120 * SIDE**2


def write_cache(folder: Path, num_pictures: int) -> int:
    """Writes a cache of random pictures; returns its shards' bytes."""
    random = np.random.default_rng(0)
    shards = []
    for start in range(0, num_pictures, SHARD_PICTURES):
        count = min(SHARD_PICTURES, num_pictures - start)
        names = tuple(f"{start + number:08d}_000.png" for number in range(count))
        signatures = ("400000-1700000000000000000",) * count
        path = folder / name_shard(names, signatures)
        np.save(path, random.integers(0, 256, (count, SIDE, SIDE), np.uint8))
        shards.append(Shard(names, signatures, path.stat().st_size, sha256(path)))
    manifest = Manifest(SIDE, tuple(shards))
    write_rejects(folder, manifest)
    write_manifest(folder, manifest)
    return sum(shard.num_bytes for shard in shards)


def make_arms(
    folder: Path, num_bytes: int, pool: ThreadPoolExecutor, threads: int
) -> dict[str, Callable[[], int]]:
    """Returns what is measured; each returns how many bytes it took."""
    buffer = np.random.default_rng(1).bytes(SHARD_PICTURES * SIDE**2)

    def verify() -> int:
        verify_cache(folder, workers=threads)
        return num_bytes

    def digest(make: Callable[[bytes], object]) -> int:
        rounds = range(max(num_bytes // len(buffer), 1))
        list(pool.map(lambda _: make(buffer), rounds))
        return len(rounds) * len(buffer)

    return {
        "verify": verify,
        "SHA-256 alone": partial(digest, hashlib.sha256),
        "SHA-256 again": partial(digest, hashlib.sha256),
        "BLAKE2b alone": partial(digest, hashlib.blake2b),
    }


def compare(folder: Path, num_bytes: int, threads: int, rounds: int) -> None:
    """Prints the rate of each arm, and the ratio of verifying to it."""
    with ThreadPoolExecutor(threads) as pool:
        arms = make_arms(folder, num_bytes, pool, threads)
        rates, processor = run_rounds(arms, rounds)
    print(f"\n{threads} thread(s), {num_bytes / 1e9:.2f} GB, {rounds} rounds")
    print(f"  {'GB a second':28} verify to it       by processor time")
    for name in arms:
        rate = statistics.median(rates[name])
        print(
            f"  {name:16} {rate / 1e9:10.2f}"
            f"  {describe_ratio(rates, 'verify', name):18}"
            f" {describe_ratio(processor, 'verify', name):18}"
            f" {NIH_BYTES / 1e9:.2f} GB in {NIH_BYTES / rate:.1f} s"
        )
    null = [
        describe_ratio(kind, "SHA-256 again", "SHA-256 alone")
        for kind in (rates, processor)
    ]
    print(f"  null pair: {null[0]}, {null[1]}")


def measure_memory(num_pictures: int, threads: int) -> float:
    """Returns by how many MiB verifying a cache grows a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_cache(Path(folder), num_pictures)
        command = [sys.executable, __file__, "--verify", folder]
        command += ["--threads", str(threads)]
        output = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(output.stdout)


def verify_alone(folder: Path, threads: int) -> None:
    """Verifies a cache and prints by how much the process's peak grew, in MiB."""
    before = read_peak()
    verify_cache(folder, workers=threads)
    print(read_peak() - before)


def read_peak() -> float:
    """Returns the peak memory of this process, in MiB (Linux)."""
    # getrusage would count the process that started this one, up to the start.
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Runs the comparison and the memory measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=16_384)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, os.cpu_count()])
    parser.add_argument("--memory", type=int, nargs="*", default=[2_048, 16_384])
    parser.add_argument("--verify", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.verify:
        verify_alone(options.verify, options.threads[0])
        return
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        num_bytes = write_cache(Path(folder), options.pictures)
        for threads in options.threads:
            compare(Path(folder), num_bytes, threads, options.rounds)
    for count in options.memory:
        growth = measure_memory(count, options.threads[-1])
        print(f"memory of verifying {count:,} pictures: +{growth:.1f} MiB")


if __name__ == "__main__":
    main()
