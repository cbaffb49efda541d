"""Cells set under each other."""

from dualnet.evaluation.text.columns import align

ROWS = [["", "n", "metadata only", "AUROC [95 %]"], ["Mass", "12", ".500", ".6"]]


def test_cells_stand_under_their_names() -> None:
    assert align(ROWS, left=(0, 3), rules=(1,)).splitlines() == [
        "       n  metadata only  AUROC [95 %]",
        "----  --  -------------  ------------",
        "Mass  12           .500  .6",
    ]


def test_names_are_broken_only_above_narrow_numbers() -> None:
    text = align(ROWS, left=(0, 3), rules=(1,), break_names=True)
    assert text.splitlines() == [
        "       n  metadata  AUROC [95 %]",
        "              only",
        "----  --  --------  ------------",
        "Mass  12      .500  .6",
    ]
