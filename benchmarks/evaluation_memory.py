"""Memory of whole evaluations, from few radiographs to all of NIH's.

    python benchmarks/evaluation_memory.py --rows 1000 112120 --audit

Trains a small run on a phantom, then evaluates it on tables of so many rows, each in a
process of its own. The tables have NIH's form and about its patients; their pictures are
hard links to a few, drawn again and again, and so are the shards of the cache: a table
of 112,120 rows takes the room of one shard. Told are the seconds, the peak of all memory,
and the peak of the memory that is the process' own: pages of the cache that are mapped
count in the first, but the system takes them back when it wants them.

Memory for a row does not depend on the side of the pictures, which is small by default,
so that the branch of the pictures takes little of the time. `--size 256` is the real one.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from rounds import describe_machine

from dualnet.config_layers import read_config
from dualnet.data.cache_manifest import Manifest, Shard, write_manifest, write_rejects
from dualnet.data.cache_writer import SHARD_PICTURES, find_sources
from dualnet.data.phantom import make_phantom
from dualnet.data.readers import read_records
from dualnet.files import sha256

ROWS = (1_000, 112_120)  # the second is NIH's whole table
ROWS_A_PATIENT = 4  # NIH's have 3.6
FIRST_PATIENT = 1_000_000  # nobody of the training phantom
DRAWN = 200  # different pictures
INTERVAL = 0.01  # seconds between two looks at the memory
MEBIBYTE = 2**20


def make_run(folder: Path, options: argparse.Namespace) -> Path:
    """Trains one epoch on a phantom of 600 radiographs."""
    from dualnet.jobs.train import train_run

    make_phantom(
        folder / "train", num_images=600, num_patients=200, seed=1, size=64, workers=1
    )
    config = read_config(
        preset="xnet",
        overrides=[
            f"data.path={folder / 'train'}",
            f"data.cache={folder / 'train-cache'}",
            f"data.image_size={options.size}",
            f"model.image_branch={options.image_branch}",
            f"evaluation.resamples={options.resamples}",
            "split.rare_findings=train",
            "training.epochs=1",
            "training.tensorboard=false",
        ],
    )
    train_run(config, folder / "run")
    return folder / "run"


def make_table(folder: Path, rows: int) -> None:
    """Makes a folder in NIH's form, its pictures hard links to a few."""
    drawn = folder.with_name("drawn")
    if not drawn.is_dir():
        make_phantom(
            drawn, num_images=DRAWN, num_patients=DRAWN, seed=2, size=64, workers=1
        )
    (file,) = drawn.glob("Data_Entry*.csv")
    table = pd.read_csv(file)
    table = table.iloc[np.arange(rows) % len(table)].reset_index(drop=True)
    patient = np.arange(rows) // ROWS_A_PATIENT + FIRST_PATIENT
    visit = np.arange(rows) % ROWS_A_PATIENT
    pictures = drawn / "images" / table["Image Index"]
    table["Image Index"] = [
        f"{one:08d}_{number:03d}.png"
        for one, number in zip(patient, visit, strict=True)
    ]
    table["Patient ID"], table["Follow-up #"] = patient, visit
    (folder / "images").mkdir(parents=True)
    table.to_csv(folder / file.name, index=False)
    for picture, name in zip(pictures, table["Image Index"], strict=True):
        (folder / "images" / name).hardlink_to(picture)


def make_cache(table: Path, folder: Path, size: int) -> None:
    """Makes the cache of a table, its shards hard links to one of noise."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (SHARD_PICTURES, size, size), np.uint8)
    sources = find_sources(read_records(table).pictured())
    manifest = Manifest(size)
    files: dict[int, tuple[Path, str]] = {}  # the last shard is smaller
    for start in range(0, len(sources), SHARD_PICTURES):
        some = sources[start : start + SHARD_PICTURES]
        if len(some) not in files:
            noise = folder.with_name(f"{folder.name}-{len(some)}.npy")
            np.save(noise, pixels[: len(some)])
            files[len(some)] = (noise, sha256(noise))
        noise, digest = files[len(some)]
        shard = Shard(
            image_ids=tuple(one.image_id for one in some),
            signatures=tuple(one.signature for one in some),
            num_bytes=noise.stat().st_size,
            sha256=digest,
        )
        (folder / shard.file_name).hardlink_to(noise)
        manifest = manifest.with_shard(None, shard, ())
    write_manifest(folder, manifest)
    write_rejects(folder, manifest)


class OwnMemory(threading.Thread):
    """Looks again and again at the memory that is this process' own (Linux)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0

    def run(self) -> None:
        """Keeps the peak, in MiB."""
        while True:
            status = Path("/proc/self/status").read_text()
            kibibytes = int(status.split("RssAnon:")[1].split()[0])
            self.peak = max(self.peak, kibibytes / 1024)
            time.sleep(INTERVAL)


def evaluate(run: Path, table: Path, cache: Path, out: Path, *, audit: bool) -> None:
    """Evaluates and prints, as JSON, what it took."""
    from dualnet.jobs.evaluate import evaluate_run

    watch = OwnMemory()
    watch.start()
    began, used = time.perf_counter(), time.process_time()
    evaluate_run(run, data=table, cache=cache, out=out, audit=audit)
    values = {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - used,
        "all": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "own": watch.peak,
    }
    print(json.dumps(values))


def measure(folder: Path, run: Path, rows: int, options: argparse.Namespace) -> float:
    """Evaluates so many rows in a process of its own, and returns its memory."""
    table, cache = folder / f"table-{rows}", folder / f"cache-{rows}"
    make_table(table, rows)
    make_cache(table, cache, options.size)
    command = [sys.executable, __file__, "--evaluate", run, table, cache]
    command += [folder / f"out-{rows}"]
    command += ["--audit"] * options.audit
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    values = json.loads(found.stdout.splitlines()[-1])
    print(
        f"  {rows:>7,} rows: {values['seconds']:6.1f} s, {values['processor']:6.1f} s of "
        f"processor time; peak {values['own']:,.0f} MiB of its own, "
        f"{values['all']:,.0f} MiB with the cache's pages",
        flush=True,
    )
    return values["own"]


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--audit", action="store_true")
    parser.add_argument("--size", type=int, default=64, help="side of the pictures")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--image-branch", default="residual")
    parser.add_argument("--evaluate", type=Path, nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.evaluate:
        evaluate(*options.evaluate, audit=options.audit)
        return
    print(describe_machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = make_run(folder, options)
        asked = "evaluate --audit" if options.audit else "evaluate"
        print(f"{asked}, {options.image_branch}, pictures of {options.size} pixels")
        peaks = [measure(folder, run, rows, options) for rows in options.rows]
    if len(peaks) > 1:
        grown, more = peaks[-1] - peaks[0], options.rows[-1] - options.rows[0]
        print(f"  growth {grown:+,.0f} MiB: {grown * MEBIBYTE / more:,.0f} bytes a row")
    print(describe_machine())


if __name__ == "__main__":
    main()
