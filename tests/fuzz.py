"""Reads damaged files by the thousand, and prepares them into a cache.

    python tests/fuzz.py --files 10000 --seed 0

Of each file it is asked: no crash, no warning, an answer within 2 s of processor time,
memory that grows by less than 512 MiB, a picture or a reason, the same from the cache
as alone, and nothing written outside the cache. Headers are read alone too; of a DICOM
file's patient nothing may be told. `make fuzz` runs it.
"""

import argparse
import faulthandler
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from fuzz_dicom import SECRETS
from fuzz_formats import FORMATS, mutate

from dualnet.data.cache import prepare_cache
from dualnet.data.images import read_header, read_image
from dualnet.data.readers import dicom_header
from dualnet.errors import CacheError, ImageError

MAX_SECONDS = 2.0
MAX_GROWTH = 512 * 2**20
HANG_SECONDS = 60  # by the clock: a busy machine is no hang
MAX_REASON = 300
BATCH = 500
SIDE = 32
LINUX = sys.platform == "linux"
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Result:
    """What became of files.

    Args:
        decoded: How many are pictures.
        refused: How many are refused, by the reason's kind.
        seconds: Processor time of the slowest.
        growth: Bytes by which the process's peak grew.
        findings: What must not be, with the file's name.
    """

    decoded: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    growth: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, other: "Result") -> None:
        self.decoded += other.decoded
        self.refused = dict(Counter(self.refused) + Counter(other.refused))
        self.seconds = max(self.seconds, other.seconds)
        self.growth = max(self.growth, other.growth)
        self.findings += other.findings


# --- the process that reads


def check_folder(folder: Path) -> Result:
    """Reads every file of `folder/images` alone, then prepares `folder/cache`."""
    watch_writes(folder)
    paths = sorted((folder / "images").iterdir())
    result, answers = Result(), {}
    watch_warnings(result)
    limit_memory(read_memory("VmData") + 2 * MAX_GROWTH)
    peak = read_memory("VmHWM")
    for path in paths:
        (folder / "current").write_text(path.name)
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        answers[path.name] = check_file(path, result)
        check_headers(path, result)
        faulthandler.cancel_dump_traceback_later()
    result.growth = read_memory("VmHWM") - peak
    if result.growth > MAX_GROWTH:
        result.findings.append(f"memory grew by {result.growth / 2**20:.0f} MiB")
    check_cache(folder, answers, result)
    return result


def check_file(path: Path, result: Result) -> str | None:
    """Reads a file; returns the reason if it is refused."""
    began = time.thread_time()
    reason = None
    try:
        image = read_image(path, image_size=SIDE)
        if image.shape != (SIDE, SIDE) or image.dtype != np.uint8:
            result.findings.append(f"{path.name}: {image.shape} {image.dtype}")
        result.decoded += 1
    except ImageError as error:
        reason = str(error)
        if not is_reason(reason, f"{path.name}: must be "):
            result.findings.append(f"{path.name}: {reason!r}")
        kind = reason.split(": ", 1)[1].split(". Replace")[0]
        kind = re.sub(r"\d[\d,]*", "n", kind)[:78]
        result.refused[kind] = result.refused.get(kind, 0) + 1
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        result.findings.append(f"{path.name}: {type(error).__name__}: {error}")
    seconds = time.thread_time() - began
    result.seconds = max(result.seconds, seconds)
    if seconds > MAX_SECONDS:
        result.findings.append(f"{path.name}: {seconds:.1f} s")
    return reason


def check_headers(path: Path, result: Result) -> None:
    """Reads the header alone, as `explore` does, and as the reader of DICOM trees."""
    began = time.thread_time()
    told: list[str] = []
    try:
        read_header(path)
    except ImageError as error:
        told.append(str(error).removeprefix(f"{path.name}: "))
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        result.findings.append(f"{path.name}: header: {type(error).__name__}: {error}")
    if path.suffix == ".dcm":
        told += read_dicom_header(path, result)
    result.findings += [
        f"{path.name}: header: {reason!r}"
        for reason in told
        if not is_reason(reason, ("must ", "the age ", "`age` "))
    ]
    if time.thread_time() - began > MAX_SECONDS:
        result.findings.append(f"{path.name}: header too slow")


def read_dicom_header(path: Path, result: Result) -> list[str]:
    """Returns what the header scan says against a file."""
    try:
        header = dicom_header.read_header(path.parent, path.name)
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        result.findings.append(f"{path.name}: scan: {type(error).__name__}: {error}")
        return []
    if isinstance(header, dicom_header.Header):
        return [header.problem] if header.problem else []
    return [header or "none"]


def is_reason(text: str, start: str | tuple[str, ...]) -> bool:
    """Tells whether a text is one short line that tells nothing of the patient."""
    short = len(text) <= MAX_REASON and text.isprintable()
    return short and text.startswith(start) and not any(s in text for s in SECRETS)


def check_cache(folder: Path, answers: dict[str, str | None], result: Result) -> None:
    """Prepares the files; each must be in the cache or among the rejects."""
    names = list(answers)
    paths = [str(folder / "images" / name) for name in names]
    table = pd.DataFrame({"image_id": names, "path": paths})
    try:
        cache = prepare_cache(table, folder / "cache", image_size=SIDE, workers=2)
    except CacheError:
        if any(reason is None for reason in answers.values()):
            result.findings.append("all were refused in the cache, not alone")
        return
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        result.findings.append(f"preparing: {type(error).__name__}: {error}")
        return
    rejects = pd.read_csv(cache.folder / "rejects.csv", keep_default_na=False)
    listed = dict(zip(rejects["image_id"], rejects["reason"], strict=True))
    cached = set(cache.image_ids.tolist())
    for name, reason in answers.items():
        if (name in cached) != (reason is None) or listed.get(name) != reason:
            result.findings.append(f"{name}: another answer in the cache")


def watch_warnings(result: Result) -> None:
    """Counts a warning as a finding; as an error it would pass for a refusal."""

    def note(message: Warning | str, category: type[Warning], *_: object) -> None:
        result.findings.append(f"{category.__name__}: {message}")

    warnings.simplefilter("always", append=True)  # what is ignored stays so
    warnings.showwarning = note


def watch_writes(folder: Path) -> None:
    """Ends the process if it writes outside `folder`."""
    inside = str(folder.resolve())

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and not (
            isinstance(arguments[2], int) and arguments[2] & WRITES
        ):
            return
        if event not in {"open", "os.mkdir", "os.rename", "os.remove", "os.symlink"}:
            return
        path = arguments[1] if event in {"os.rename", "os.symlink"} else arguments[0]
        if isinstance(path, str) and not os.path.realpath(path).startswith(inside):
            raise SystemExit(f"{event} outside the folder: {path}")

    sys.addaudithook(watch)


def limit_memory(num_bytes: int) -> None:
    """Lets what asks for more end in a MemoryError, where the system can (Linux)."""
    if LINUX:
        resource.setrlimit(resource.RLIMIT_DATA, (num_bytes, num_bytes))


def read_memory(name: str) -> int:
    """Returns VmHWM, the peak of this process's memory, or VmData, in bytes."""
    if not LINUX:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # getrusage would count the process that started this one too, up to the start.
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(name))
    return 1024 * int(line.split()[1])


# --- the process that asks


def run(folder: Path) -> Result:
    """Checks `folder/images` in a process of its own, which is to print nothing."""
    # -B: an import that comes late would write its bytecode outside the folder.
    command = [sys.executable, "-B", __file__, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        current = folder / "current"
        name = current.read_text() if current.exists() else "before the first file"
        said = " ".join(done.stderr.split())[-300:]
        return Result(findings=[f"{name}: ended with {done.returncode}: {said}"])
    result = Result(**json.loads(done.stdout))
    if done.stderr:
        result.findings.append(f"printed: {' '.join(done.stderr.split())[-300:]}")
    return result


def fuzz(name: str, *, files: int, seed: int) -> Result:
    """Checks so many damaged files of a format."""
    (kind,) = (one for one in FORMATS if one.name == name)
    wholes, result = kind.make_wholes(), Result()
    for start in range(0, files, BATCH):
        with tempfile.TemporaryDirectory() as folder:
            images = Path(folder) / "images"
            images.mkdir()
            for number in range(start, min(start + BATCH, files)):
                path = images / f"{seed}-{number:08d}{kind.suffix}"
                path.write_bytes(mutate(kind, wholes, seed, number))
            result.add(run(Path(folder)))
    return result


def describe(name: str, result: Result) -> str:
    """Returns some lines on what became of a format's files."""
    refused = sum(result.refused.values())
    lines = [
        f"{name}: {result.decoded:,} decoded, {refused:,} refused, "
        f"{len(result.findings):,} findings; slowest {result.seconds:.2f} s, "
        f"memory +{result.growth / 2**20:.0f} MiB"
    ]
    common = sorted(result.refused.items(), key=lambda pair: -pair[1])
    lines += [f"  {count:6,} {reason}" for reason, count in common[:12]]
    return "\n".join([*lines, *(f"  FOUND {finding}" for finding in result.findings)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000, help="of all formats")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        result = check_folder(options.folder)
        sys.stdout.write(json.dumps(asdict(result)))
        return 0
    findings = 0
    for kind in FORMATS:
        if kind.skipped:
            sys.stdout.write(f"{kind.name}: {kind.skipped}\n")
            continue
        result = fuzz(kind.name, files=options.files // len(FORMATS), seed=options.seed)
        sys.stdout.write(f"{describe(kind.name, result)}\n")
        findings += len(result.findings)
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
