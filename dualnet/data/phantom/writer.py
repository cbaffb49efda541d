"""Writes a phantom as NIH publishes its radiographs: pictures, table, boxes, lists."""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dualnet.data.phantom import statistics
from dualnet.data.phantom.radiograph import Box, draw_radiograph
from dualnet.data.phantom.shortcut import NO_SHORTCUT, check_shortcut, plant_shortcut
from dualnet.data.phantom.table import Visit, draw_visits
from dualnet.errors import ConfigError, RecordError
from dualnet.files import atomic_folder, write_json, write_text
from dualnet.findings import NO_FINDING
from dualnet.wording import number_of

VERSION = 2  # raised whenever the same parameters draw other bytes
TABLE_NAME = "Data_Entry_2017_v2020.csv"
TABLE_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
    "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOX_NAME = "BBox_List_2017.csv"
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
TRUTH_NAME = "truth.csv"
TRUTH_HEADER = "image_id,finding,strength,x,y,w,h"
LIST_NAMES = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
PARAMETERS_NAME = "phantom.json"
BOX_PIXELS = 1024  # NIH gives its boxes in pictures of this size
MIN_SIZE, MAX_SIZE = 32, 1024
TEST_EVERY = 5  # one patient in five is in the test list
# Below this many pictures a pool takes longer to start than to draw.
MIN_IMAGES_FOR_POOL = 48

logger = logging.getLogger(__name__)
Progress = Callable[[int, int], None]


def is_phantom(folder: Path) -> bool:
    """Returns whether a dataset folder is a phantom: its radiographs are drawn."""
    return (folder / PARAMETERS_NAME).is_file()


def make_phantom(  # noqa: PLR0913 - the switch comes on top of the seven
    folder: Path,
    *,
    num_images: int,
    num_patients: int,
    seed: int,
    size: int = 256,
    workers: int = 2,
    progress: Progress | None = None,
    dependence: bool = True,
    shortcut: str = NO_SHORTCUT,
) -> None:
    """Makes a folder of synthetic chest radiographs in NIH's format.

    It holds `images/00000001_000.png` …, `Data_Entry_2017_v2020.csv`,
    `BBox_List_2017.csv`, `train_val_list.txt`, `test_list.txt`, `truth.csv` (the
    strength of each drawn finding and the box of each of its parts) and `phantom.json` (the parameters).
    The same parameters give the same bytes, whatever `workers` is. The folder is
    whole or absent; one that already is this phantom is left as it is.

    Args:
        folder: Where: absent, empty, or already this phantom.
        num_images: How many radiographs, at least `num_patients`.
        num_patients: How many patients.
        seed: Decides everything, 0 or more.
        size: Pixels a side, 32 to 1024.
        workers: How many processes draw.
        progress: Called with the pictures drawn and to be drawn.
        dependence: Whether findings depend on view, age, sex and follow-up, as
            they do in the real table.
        shortcut: `none`, or `border`: a bright square in the border tells
            `SHORTCUT_FINDING`, see `dualnet.data.phantom.shortcut`.

    Raises:
        ConfigError: If a number is out of its range, or the shortcut not known.
        RecordError: If the folder holds something else.
        StorageError: If the folder cannot be written.
    """
    parameters: dict[str, Any] = {
        "version": VERSION,
        "num_images": num_images,
        "num_patients": num_patients,
        "seed": seed,
        "size": size,
        "dependence": dependence,
    }
    _check(parameters, workers)
    check_shortcut(shortcut)
    if shortcut != NO_SHORTCUT:  # a phantom without one keeps its bytes
        parameters["shortcut"] = shortcut
    if _is_made(folder, parameters):
        logger.info("%s: this phantom is already there.", folder)
        return
    visits = draw_visits(
        num_images=num_images,
        num_patients=num_patients,
        seed=seed,
        dependence=dependence,
    )
    with atomic_folder(folder) as unfinished:
        (unfinished / "images").mkdir()
        boxes = _write_images(
            unfinished / "images", visits, parameters, workers, progress
        )
        _write_tables(unfinished, visits, boxes, seed)
        write_json(unfinished / PARAMETERS_NAME, parameters)


def _check(parameters: dict[str, Any], workers: int) -> None:
    """Checks the numbers.

    Raises:
        ConfigError: If one is out of its range.
    """
    ranges = {
        "num_patients": (parameters["num_patients"], 1, 10**8 - 1),
        "num_images": (parameters["num_images"], parameters["num_patients"], 10**8),
        "seed": (parameters["seed"], 0, 2**63 - 1),
        "size": (parameters["size"], MIN_SIZE, MAX_SIZE),
        "workers": (workers, 1, 1024),
    }
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise ConfigError(
                f"phantom: `{name}` must be from {low:,} to {high:,}. "
                f"Received: {name}={value}. Give a number in that range"
                f"{'; each patient has a radiograph' if name == 'num_images' else ''}."
            )


def _is_made(folder: Path, parameters: dict[str, Any]) -> bool:
    """Returns whether the folder already is this phantom.

    Raises:
        RecordError: If it is something else, or no longer whole.
    """
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise RecordError(
            f"{folder}: must be a folder. Received: a file. Name another folder."
        )
    if not any(folder.iterdir()):
        return False
    found = _read_parameters(folder)
    if found != parameters:
        what = "other files" if found is None else _difference(found, parameters)
        raise RecordError(
            f"{folder}: must be empty or hold this very phantom. Received: {what}. "
            "Name another folder or empty this one."
        )
    num_found = sum(1 for _ in (folder / "images").glob("*.png"))
    if num_found != parameters["num_images"]:
        raise RecordError(
            f"{folder}: must hold "
            f"{number_of(parameters['num_images'], 'picture')}. "
            f"Received: {num_found:,}. Empty the folder and make the phantom again."
        )
    return True


def _read_parameters(folder: Path) -> dict[str, Any] | None:
    """Returns the parameters of the phantom in a folder, or None."""
    try:
        values = json.loads((folder / PARAMETERS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _difference(found: dict[str, Any], parameters: dict[str, Any]) -> str:
    """Says how a phantom differs from the one asked for."""
    return "a phantom with " + ", ".join(
        f"{name}={found.get(name)!r} instead of {value!r}"
        for name, value in parameters.items()
        if found.get(name) != value
    )


def _write_images(
    folder: Path,
    visits: Sequence[Visit],
    parameters: dict[str, Any],
    workers: int,
    progress: Progress | None,
) -> list[dict[str, list[Box]]]:
    """Draws and writes all pictures; returns the boxes of each, in order."""
    # A patient's visits stay together: they share the vessels' branching.
    patients = [
        list(group) for _, group in groupby(visits, lambda visit: visit.patient)
    ]
    boxes: list[dict[str, list[Box]]] = []
    for drawn in _draw_patients(folder, patients, parameters, workers):
        boxes += drawn
        if progress is not None:
            progress(len(boxes), len(visits))
    return boxes


def _draw_patients(
    folder: Path,
    patients: Sequence[Sequence[Visit]],
    parameters: dict[str, Any],
    workers: int,
) -> Iterator[list[dict[str, list[Box]]]]:
    """Yields the boxes of each patient's pictures, in order, once written."""
    arguments = (
        patients,
        repeat(folder),
        repeat(parameters["seed"]),
        repeat(parameters["size"]),
        repeat(parameters.get("shortcut", NO_SHORTCUT)),
    )
    if workers == 1 or parameters["num_images"] < MIN_IMAGES_FOR_POOL:
        yield from map(_draw_patient, *arguments)
        return
    # Spawned, not forked: a framework's threads in this process do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw_patient, *arguments, chunksize=4)


def _draw_patient(
    visits: Sequence[Visit], folder: Path, seed: int, size: int, shortcut: str
) -> list[dict[str, list[Box]]]:
    """Draws and writes one patient's pictures; returns the boxes of each."""
    boxes = []
    for visit in visits:
        radiograph = draw_radiograph(visit, seed=seed, size=size)
        pixels = plant_shortcut(radiograph.pixels, visit, seed=seed, shortcut=shortcut)
        picture = Image.fromarray(pixels)
        picture.save(folder / visit.image_id, compress_level=3)
        boxes.append(radiograph.boxes)
    return boxes


def _write_tables(
    folder: Path,
    visits: Sequence[Visit],
    boxes: Sequence[dict[str, list[Box]]],
    seed: int,
) -> None:
    """Writes the table, the boxes, the truth and the two lists."""
    rng = np.random.default_rng([seed, 4])
    _write_lines(folder / TABLE_NAME, TABLE_HEADER, _table_rows(visits, rng))
    truth = list(_truth_rows(visits, boxes))
    _write_lines(
        folder / TRUTH_NAME,
        TRUTH_HEADER,
        (
            f"{image},{name},{strength:.4f},{box}"
            for image, name, strength, box in truth
        ),
    )
    _write_lines(
        folder / BOX_NAME,
        BOX_HEADER,
        (
            f"{image},{statistics.BOXED_FINDINGS[name]},{box},,,"
            for image, name, _, box in truth
            if name in statistics.BOXED_FINDINGS and box != ",,,"
        ),
    )
    test = _test_patients(visits, rng)
    for part, name in LIST_NAMES.items():
        chosen = (v.image_id for v in visits if (v.patient in test) == (part == "test"))
        write_text(folder / name, "".join(f"{image_id}\n" for image_id in chosen))


def _write_lines(path: Path, header: str, lines: Iterable[str]) -> None:
    write_text(path, "\n".join((header, *lines)) + "\n")


def _table_rows(visits: Sequence[Visit], rng: np.random.Generator) -> Iterator[str]:
    """Yields the rows of NIH's table."""
    for visit in visits:
        labels = "|".join(finding.name for finding in visit.findings) or NO_FINDING
        view = visit.view_position
        number = rng.choice(4, p=statistics.SCANNER_SHARES[view])
        width, height, spacing = statistics.SCANNERS[view][number]
        yield (
            f"{visit.image_id},{labels},{visit.follow_up},{visit.patient},"
            f"{visit.age_years},{visit.sex},{view},{width},{height},{spacing},{spacing}"
        )


def _truth_rows(
    visits: Sequence[Visit], boxes: Sequence[dict[str, list[Box]]]
) -> Iterator[tuple[str, str, float, str]]:
    """Yields image, finding, strength and each box (`x,y,w,h`; empty where unseen)."""
    for visit, found in zip(visits, boxes, strict=True):
        for finding in visit.findings:
            places = [
                ",".join(f"{BOX_PIXELS * value:.2f}" for value in box)
                for box in found[finding.name]
                if box[2] > 0 and box[3] > 0
            ]
            for place in places or [",,,"]:
                yield visit.image_id, finding.name, finding.strength, place


def _test_patients(visits: Sequence[Visit], rng: np.random.Generator) -> set[int]:
    """Draws one patient in five, alike among those with each rare finding."""
    rarity = {name: values.prevalence for name, values in statistics.FINDINGS.items()}
    rarest: dict[int, str] = defaultdict(lambda: NO_FINDING)
    for visit in visits:
        names = [finding.name for finding in visit.findings]
        current = rarest[visit.patient]
        rarest[visit.patient] = min(
            (*names, current), key=lambda name: rarity.get(name, 1.0)
        )
    groups: dict[str, list[int]] = defaultdict(list)
    for patient in rng.permutation(list(rarest)).tolist():
        groups[rarest[patient]].append(patient)
    # From the third on: a finding of three patients has one of them in the test list.
    return {
        patient
        for group in groups.values()
        for patient in group[TEST_EVERY // 2 :: TEST_EVERY]
    }
