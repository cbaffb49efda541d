"""One patient is not `1 patients`."""

import numpy as np
import pytest

from dualnet.wording import describe_more, number_of


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0 shared patients"),
        (1, "1 shared patient"),
        (2, "2 shared patients"),
        (112_120, "112,120 shared patients"),
        (np.int64(1), "1 shared patient"),
        (np.int64(1001), "1,001 shared patients"),
    ],
)
def test_a_noun_goes_with_its_number(number: int, expected: str) -> None:
    assert number_of(number, "shared patient") == expected


def test_what_else_is_bad_is_counted() -> None:
    assert describe_more(0, "row") == ""
    assert describe_more(1, "row") == "1 more row is bad. "
    assert describe_more(1200, "picture") == "1,200 more pictures are bad. "
