import ctypes
import sys

import pandas as pd
import pytest

from dualnet.memory import release_unused


def test_what_is_used_stays() -> None:
    table = pd.DataFrame({"finding": ["Edema", "Mass"] * 1000})

    release_unused()

    assert table["finding"].value_counts().to_dict() == {"Edema": 1000, "Mass": 1000}


def test_a_c_library_that_cannot_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    monkeypatch.delitem(sys.modules, "pyarrow", raising=False)

    assert release_unused() is None
