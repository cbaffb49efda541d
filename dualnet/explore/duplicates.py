"""The same picture twice: exactly, or shrunk, recompressed or toned anew.

Exact duplicates have the same cached pixels. Near duplicates are found in two steps, by
the normalised correlation of `pictures.describe_pattern`: all pairs at 16 by 16 pixels,
in blocks, so that memory stays flat; then the few that agree there at 64 by 64.

How the thresholds were chosen. On 1,883 radiographs of NIH, two of different patients
correlate at .78 at most at 64 pixels (1.8 million pairs), and at .92 at 16. On Kermany's
4,977 (12 million pairs) the highest are .65 and .965, but for a copy. Of 400 pictures that
two datasets hold in different sizes, 80 in NIH's two sizes, and 300 each recompressed
(JPEG, quality 30), shrunk to half and enlarged, or toned by a gamma of .7, the lowest
are .953 and .976. So .90 at 64 pixels lies between, .95 at 16 loses none of them. A
64-bit perceptual hash (pHash) does not part them: strangers differ by as little as 2
bits, the toned copies by up to 8. Of pictures whose histogram
was equalised 7 in 10 are found; copies that were cropped, moved, mirrored or inverted
are not.

Reference:
    Lewis, Fast Normalized Cross-Correlation, Vision Interface, 1995; Zauner,
    Implementation and Benchmarking of Perceptual Image Hash Functions, 2010 (pHash).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dualnet.data.cache import Cache
from dualnet.explore.pictures import FINE, describe_pattern

COARSE_THRESHOLD = 0.95
THRESHOLD = 0.90
BLOCK = 2048  # rows and columns of one block of pairs: 16 MiB
CHUNK = 512  # pairs whose pictures are in memory at once
MAX_PAIRS = 200_000  # candidates; more are counted and left out


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """The duplicates among some pictures.

    Args:
        num_pictures: How many pictures were compared.
        pairs: One row a pair, exact ones first: `first` and `second` (image ids),
            `kind` (`exact` or `near`), `correlation`, `same_patient`,
            `same_findings` and, where the dataset comes in folders such as train and
            test (the column `folder_part`), `same_folder`. An exact group of k pictures makes k - 1 pairs, all with
            its first; of each group only the first is compared for near ones.
        num_left_out: Candidate pairs beyond `MAX_PAIRS` that were not looked at.
    """

    num_pictures: int
    pairs: pd.DataFrame
    num_left_out: int

    def count(self, kind: str, **same: bool) -> int:
        """Counts pairs.

        Args:
            kind: `exact` or `near`.
            same: Such as `same_patient=False`: only these.

        Returns:
            How many there are.
        """
        chosen = self.pairs["kind"] == kind
        for column, value in same.items():
            chosen &= self.pairs[column] == value
        return int(chosen.sum())


def find_duplicates(
    table: pd.DataFrame,
    digests: Sequence[bytes],
    patterns: np.ndarray,
    cache: Cache,
    progress: Callable[[int, int], None] | None = None,
) -> Duplicates:
    """Finds exact and near duplicates.

    Args:
        table: Records of the pictures.
        digests: Of each one's cached pixels.
        patterns: Of each, at the coarse side, shape (pictures, features).
        cache: Holds the pictures, to look at the candidates again.
        progress: Called with how many rows of blocks are done, and how many there are.

    Returns:
        The duplicates.
    """
    exact = pair_exact(digests)
    kept = np.setdiff1d(np.arange(len(table)), exact[:, 1])
    candidates, left_out = find_candidates(patterns[kept], progress=progress)
    near = kept[candidates]
    correlations = correlate(near, cache.rows(table["image_id"]), cache)
    sure = correlations >= THRESHOLD
    return Duplicates(
        num_pictures=len(table),
        pairs=_describe(table, exact, near[sure], correlations[sure]),
        num_left_out=left_out,
    )


def pair_exact(digests: Sequence[bytes]) -> np.ndarray:
    """Pairs each picture with the first one of the same digest.

    Args:
        digests: Of each picture.

    Returns:
        Positions of the first and the other, int64, shape (pairs, 2).
    """
    first: dict[bytes, int] = {}
    pairs = [
        (first[digest], position)
        for position, digest in enumerate(digests)
        if first.setdefault(digest, position) != position
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def find_candidates(
    patterns: np.ndarray,
    *,
    threshold: float = COARSE_THRESHOLD,
    max_pairs: int = MAX_PAIRS,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, int]:
    """Finds the pairs of patterns that correlate highly: all are compared.

    Args:
        patterns: Of length 1 or 0, float32, shape (pictures, features).
        threshold: The least correlation.
        max_pairs: How many pairs are kept at most, the first ones.
        progress: Called with how many rows of blocks are done, and how many there are.

    Returns:
        Positions of the two, the lower first, int64, shape (pairs, 2); and how many
        more pairs there were.
    """
    found: list[np.ndarray] = []
    total = 0
    for pairs in _scan(patterns, threshold, progress):
        found.append(pairs[: max(0, max_pairs - total)])
        total += len(pairs)
    kept = np.concatenate([np.empty((0, 2), dtype=np.int64), *found])
    return kept, total - len(kept)


def correlate(pairs: np.ndarray, rows: np.ndarray, cache: Cache) -> np.ndarray:
    """Correlates pairs of pictures at the fine side.

    Args:
        pairs: Positions in `rows`, shape (pairs, 2).
        rows: Where each picture lies in the cache.
        cache: The cache.

    Returns:
        Normalised correlations, float64, shape (pairs,).
    """
    values = [np.empty(0)]
    for start in range(0, len(pairs), CHUNK):
        first, second = (
            describe_pattern(cache.read(rows[side])[..., 0], FINE)
            for side in pairs[start : start + CHUNK].T
        )
        values.append((first.astype("float64") * second).sum(axis=1))
    return np.concatenate(values)


def _scan(
    patterns: np.ndarray,
    threshold: float,
    progress: Callable[[int, int], None] | None,
) -> Iterator[np.ndarray]:
    """Yields the pairs of each block on or above the diagonal."""
    num = len(patterns)
    for top in range(0, num, BLOCK):
        upper = patterns[top : top + BLOCK]
        for left in range(top, num, BLOCK):
            close = upper @ patterns[left : left + BLOCK].T >= threshold
            if left == top:
                close = np.triu(close, 1)
            if close.any():
                yield np.argwhere(close) + np.array([top, left])
        if progress:
            progress(min(top + BLOCK, num), num)


def _describe(
    table: pd.DataFrame,
    exact: np.ndarray,
    near: np.ndarray,
    correlations: np.ndarray,
) -> pd.DataFrame:
    order = np.argsort(-correlations, kind="stable")
    pairs = np.concatenate([exact, near[order]])
    columns = {
        name: table[name].to_numpy("object")
        for name in ("image_id", "patient_id", "findings")
    }
    one, other = pairs.T
    labels = [frozenset(names) for names in columns["findings"]]
    described = pd.DataFrame(
        {
            "first": columns["image_id"][one],
            "second": columns["image_id"][other],
            "kind": ["exact"] * len(exact) + ["near"] * len(near),
            "correlation": np.concatenate([np.ones(len(exact)), correlations[order]]),
            "same_patient": columns["patient_id"][one] == columns["patient_id"][other],
            "same_findings": np.array(
                [labels[i] == labels[j] for i, j in pairs], dtype=bool
            ),
        }
    )
    if "folder_part" in table:
        folders = table["folder_part"].to_numpy("object")
        described["same_folder"] = folders[one] == folders[other]
    return described
