"""Preparing 1024 x 1024 PNGs: dualnet beside OpenCV, Pillow, libvips and others.

    python benchmarks/prepare.py --data $DUALNET_REAL_DATA/nih-1024

Every way decodes the same pictures and brings them to 256 x 256, on as many threads.
Afterwards a process of its own prepares a cache of many pictures, for its peak memory.
"""

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from unittest import mock

os.environ.setdefault("VIPS_CONCURRENCY", "1")  # the threads are ours, for every way

import cv2
import imagecodecs
import numpy as np
import pyvips
import skimage.io
import skimage.transform
from PIL import Image
from rounds import describe_machine, describe_rate, describe_ratio, run_rounds

from dualnet.data import images

SIZE = 256
NIH_PICTURES = 112_120

Read = Callable[[Path], np.ndarray]


def read_opencv(path: Path) -> np.ndarray:
    """Decodes with OpenCV and takes the mean of areas."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def read_pillow(path: Path) -> np.ndarray:
    """Decodes with Pillow, whose `reduce` takes the mean of blocks."""
    with Image.open(path) as picture:
        return np.asarray(picture.reduce(picture.width // SIZE))


def read_imagecodecs(path: Path) -> np.ndarray:
    """Decodes with imagecodecs; OpenCV takes the mean of areas."""
    pixels = imagecodecs.png_decode(path.read_bytes())
    return cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def read_pyvips(path: Path) -> np.ndarray:
    """Decodes with libvips, which shrinks by blocks while it reads."""
    picture = pyvips.Image.thumbnail_buffer(
        path.read_bytes(), SIZE, height=SIZE, size="force"
    )
    return picture.colourspace("b-w").numpy()


def read_torchxrayvision(path: Path) -> np.ndarray:
    """Does what torchxrayvision's NIH data set and its resizer do by default."""
    pixels = skimage.io.imread(path)
    scaled = (2 * (pixels.astype(np.float32) / 255) - 1.0) * 1024
    resized = skimage.transform.resize(
        scaled[None], (1, SIZE, SIZE), mode="constant", preserve_range=True
    )
    return resized.astype(np.float32)


def read_dualnet(path: Path) -> np.ndarray:
    """Decodes as the cache does."""
    return images.read_image(path, image_size=SIZE)


WAYS: dict[str, Read] = {
    "dualnet": read_dualnet,
    "dualnet, Pillow": read_dualnet,
    "opencv": read_opencv,
    "opencv again": read_opencv,
    "pillow": read_pillow,
    "imagecodecs": read_imagecodecs,
    "pyvips": read_pyvips,
    "torchxrayvision": read_torchxrayvision,
}


def compare(paths: list[Path], threads: int, rounds: int) -> None:
    """Prints the rate of each way, and dualnet's ratio to it."""

    def run(name: str) -> int:
        with contextlib.ExitStack() as stack:
            if name == "dualnet, Pillow":
                stack.enter_context(
                    mock.patch.object(images, "_is_plain", lambda *_: False)
                )
            return len(list(pool.map(WAYS[name], paths)))

    pyvips.cache_set_max(0)  # else the second round would be read from memory
    with ThreadPoolExecutor(threads) as pool:
        arms = {name: partial(run, name) for name in WAYS}
        rates, processor = run_rounds(arms, rounds)
    print(f"\n{threads} thread(s), {len(paths)} pictures, {rounds} rounds")
    print(f"  {'pictures a second':36} dualnet to it       by processor time")
    for name in WAYS:
        minutes = NIH_PICTURES / statistics.median(rates[name]) / 60
        print(
            f"  {name:16} {describe_rate(rates[name]):18}"
            f"  {describe_ratio(rates, 'dualnet', name):18}"
            f"  {describe_ratio(processor, 'dualnet', name):18}"
            f"  {NIH_PICTURES:,} in {minutes:5.1f} min"
        )
    for name, text in (
        ("opencv again", "null pair"),
        ("dualnet, Pillow", "Pillow alone to opencv"),
    ):
        wall = describe_ratio(rates, name, "opencv")
        print(f"  {text}: {wall}, {describe_ratio(processor, name, 'opencv')}")


def measure_memory(paths: list[Path], num_pictures: int) -> float:
    """Returns the peak memory, in MB, of a process that prepares links to pictures."""
    with tempfile.TemporaryDirectory() as folder:
        links = Path(folder) / "images"
        links.mkdir()
        for number in range(num_pictures):
            target = paths[number % len(paths)].resolve()
            (links / f"{number:08d}_000.png").symlink_to(target)
        command = [sys.executable, __file__, "--prepare", folder]
        output = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(output.stdout)


def prepare_links(folder: Path) -> None:
    """Prepares the links of `measure_memory` and prints the process's peak, in MB."""
    import pandas as pd

    from dualnet.data.cache import prepare_cache

    paths = sorted((folder / "images").iterdir())
    names = [path.name for path in paths]
    table = pd.DataFrame({"image_id": names, "path": [str(path) for path in paths]})
    prepare_cache(table, folder / "cache", image_size=SIZE, workers=2)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Runs the comparison and the memory measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    real_data = Path(os.environ.get("DUALNET_REAL_DATA", "."))
    parser.add_argument("--data", type=Path, default=real_data / "nih-1024")
    parser.add_argument("--pictures", type=int, default=40, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, nargs="*", default=[500, 2000])
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        prepare_links(options.prepare)
        return
    cv2.setNumThreads(1)
    every = sorted(options.data.rglob("*.png"))
    paths = every[: options.pictures]
    print(describe_machine())
    for threads in (1, 2):
        compare(paths, threads, options.rounds)
    for count in options.memory:
        print(f"peak memory, {count:,} pictures: {measure_memory(every, count):.0f} MB")


if __name__ == "__main__":
    main()
