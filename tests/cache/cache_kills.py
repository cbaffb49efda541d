"""Kills a preparation before its first file operation, its second, and so on.

    cd tests; python -m cache.cache_kills FOLDER STRIDE

`FOLDER` holds `table.csv` and perhaps `start`, the cache to begin with. Each killed
preparation is taken up again and must end in the bytes of one that was not killed.
Prints how many were killed. A process of its own, as it forks.
"""

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path

import pandas as pd

from dualnet.data import cache_writer

from .cache_cases import PER_SHARD, contents, prepare

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove"}


def kill_before(number: int, folder: Path) -> None:
    """Kills this process before an operation on a file of the cache."""
    count = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in OPERATIONS and str(folder) in str(arguments[0]):
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def prepare_and_kill(table: pd.DataFrame, folder: Path, number: int) -> bool:
    """Returns whether the preparation had so many operations, and was killed."""
    if process := os.fork():
        status = os.waitpid(process, 0)[1]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise SystemExit(f"operation {number}: the preparation failed")
        return os.WIFSIGNALED(status)
    kill_before(number, folder)
    try:
        prepare(table, folder)
    except BaseException:  # noqa: BLE001 - a forked process may not go on
        os._exit(1)
    os._exit(0)


def main() -> None:
    root, stride = Path(sys.argv[1]), int(sys.argv[2])
    cache_writer.SHARD_PICTURES = PER_SHARD
    table = pd.read_csv(root / "table.csv", dtype="str")
    whole, folder = root / "whole", root / "killed"
    if (root / "start").exists():
        shutil.copytree(root / "start", whole)
    expected = contents(prepare(table, whole).folder)
    for number in itertools.count(1, stride):
        shutil.rmtree(folder, ignore_errors=True)
        if (root / "start").exists():
            shutil.copytree(root / "start", folder)
        if not prepare_and_kill(table, folder, number):
            sys.stdout.write(f"{number // stride}\n")
            return
        if contents(prepare(table, folder).folder) != expected:
            raise SystemExit(f"killed before operation {number}: other bytes")


if __name__ == "__main__":
    main()
