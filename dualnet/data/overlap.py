"""Which radiographs share a patient, or a picture, with those a model was fitted on.

Patients are known by their number within one source: NIH's patient 13 is the same
person in every folder of NIH's pictures, and nobody in another dataset. Pictures are
compared as the model sees them, by the digest of their cached pixels, so that a copy
under another name or in another dataset is found too. A picture that was made anew in
another resolution has other pixels; there only the patient's number tells.
"""

import hashlib

import numpy as np
import pandas as pd

from dualnet.data.cache import Cache

CHUNK = 256  # pictures digested at once: 16 MiB at 256 pixels


def find_shared_patients(table: pd.DataFrame, fitted: pd.DataFrame) -> np.ndarray:
    """Finds, for each radiograph, one of the same patient, or the same radiograph.

    A radiograph's name counts as its patient's number does, within one source, so that
    a table whose numbers lost their leading zeros hides nobody.

    Args:
        table: Records, with `source`, `patient_id` and `image_id`.
        fitted: Records of the radiographs that a model was fitted on.

    Returns:
        The position in `fitted` of such a radiograph, -1 where there is none; int64,
        shape (rows,).
    """
    positions = np.full(len(table), -1, dtype=np.int64)
    for key in ("patient_id", "image_id"):
        pairs = zip(fitted["source"], fitted[key], strict=True)
        known = {pair: position for position, pair in enumerate(pairs)}
        asked = zip(table["source"], table[key], strict=True)
        found = np.array([known.get(pair, -1) for pair in asked], dtype=np.int64)
        positions = np.where(positions < 0, found, positions)
    return positions


def find_shared_pictures(
    cache: Cache,
    image_ids: pd.Series,
    fitted_cache: Cache,
    fitted_ids: pd.Series,
) -> np.ndarray:
    """Finds, for each radiograph, one whose cached pixels are the same.

    Args:
        cache: Holds the pictures that are asked about.
        image_ids: These.
        fitted_cache: Holds the pictures that a model was fitted on; of the same size.
        fitted_ids: These.

    Returns:
        The position in `fitted_ids` of the same picture, -1 where there is none;
        int64, shape (rows,).
    """
    known = {
        digest: position
        for position, digest in enumerate(digest_pictures(fitted_cache, fitted_ids))
    }
    digests = digest_pictures(cache, image_ids)
    return np.array([known.get(digest, -1) for digest in digests], dtype=np.int64)


def digest_pictures(cache: Cache, image_ids: pd.Series) -> list[bytes]:
    """Digests cached pictures.

    Args:
        cache: Holds them.
        image_ids: Which, in any order.

    Returns:
        The SHA-256 of each one's pixels.
    """
    positions = cache.rows(image_ids)
    return [
        hashlib.sha256(picture.tobytes()).digest()
        for start in range(0, len(positions), CHUNK)
        for picture in cache.read(positions[start : start + CHUNK])
    ]
