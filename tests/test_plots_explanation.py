"""Figures of an explanation, and the page that holds them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_cases import Page
from PIL import Image

from dualnet.plots.explanation import plot_heat_map
from dualnet.plots.explanation_bars import format_share, plot_observed, plot_shares
from dualnet.plots.explanation_curves import plot_curves
from dualnet.plots.explanation_page import (
    render_explanation_page,
    say_explanation,
    write_explanation_page,
)

NASTY = '<script>alert("x")</script>&b.png'


def player(name: str, value: str, share: float) -> dict[str, Any]:
    interval = {"low": share - 0.1, "high": share + 0.1, "undefined_resamples": 0}
    return {
        "player": name,
        "value": value,
        "reference": "mean 46",
        "share": share,
        "share_interval": interval,
    }


@pytest.fixture
def values() -> dict[str, Any]:
    seen = {
        "num_positive": 38,
        "num_patients": 100,
        "low": 0.285,
        "high": 0.483,
        "lowest": 0.35,
        "highest": 0.48,
        "share": 0.38,
    }
    told = {
        "from": -2.5,
        "to": -0.4,
        "players": [
            player("picture", "this one", 2.0),
            player("age", "57", -0.2),
            player("view", "AP", 0.3),
        ],
    }
    return {
        "image_id": NASTY,
        "finding": "Pleural_Thickening",
        "model": "xnet, fused, run small",
        "dataset": {"name": "nih", "phantom": False},
        "part": "test",
        "record": {"age": "57", "view": "AP"},
        "labels": ["Pleural_Thickening"],
        "calibrated": True,
        "probabilities": {
            "Effusion": {"probability": 0.1, "observed": None},
            "Pleural_Thickening": {"probability": 0.41, "observed": seen},
        },
        "picture": {
            "method": "hires_cam",
            "layer": "image_conv_4",
            "shape": [4, 4],
            "lowest": -0.5,
            "highest": 1.5,
            "boxes": [
                {
                    "finding": "Pleural_Thickening",
                    "left": 0.25,
                    "top": 0.5,
                    "width": 0.5,
                    "height": 0.25,
                }
            ],
            "verdict": "Maps point where findings are.",
            "inside": {"pointing": 1.0, "energy": 0.6, "area": 0.125},
        },
        "shares": {
            "reference": {"num_patients": 256, "part": "train", "seed": 0},
            "log_odds": told,
            "logits": told,
        },
        "curves": [
            {
                "field": "age",
                "values": [20.0, 57.0, 80.0, None],
                "probabilities": [0.2, 0.41, 0.6, 0.3],
                "own": 1,
                "typical": [25.0, 70.0],
            },
            {
                "field": "view",
                "values": ["PA", "AP"],
                "probabilities": [0.3, 0.41],
                "own": 1,
                "typical": None,
            },
        ],
        "neighbours": {
            "cases": [{"image_id": "00000001_000.png", "distance": 0.5}],
            "median": 1.4,
            "num_with_finding": 1,
            "share_with_finding": 0.07,
            "num_images": 1000,
            "num_patients": 700,
            "num_all": 2000,
        },
        "remarks": ["Compared with 1,000 of 2,000 radiographs of the train part."],
    }


@pytest.fixture
def image() -> np.ndarray:
    return np.full((16, 16), 100, np.uint8)


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_the_heat_map_shows_box_map_and_what_speaks_against(values, image) -> None:
    heat_map = np.zeros((16, 16), np.float32)
    heat_map[10, 6], heat_map[2, 2] = 1.5, -0.5
    figure = plot_heat_map(image, heat_map, values["picture"], values["finding"])
    title = figure.get_suptitle()
    assert title.startswith(
        "Pleural Thickening   HiResCAM at image_conv_4   4 \N{MULTIPLICATION SIGN} 4"
    )
    panels = figure.axes
    assert [panel.get_title(loc="left") for panel in panels[2:4]] == [
        "speaks for it",
        "speaks against it",
    ]
    np.testing.assert_array_equal(panels[2].images[0].get_array(), heat_map.clip(0))
    np.testing.assert_array_equal(panels[3].images[0].get_array(), (-heat_map).clip(0))
    assert panels[2].images[0].norm is panels[3].images[0].norm
    (box,) = panels[0].patches
    # of 16 pixels, the first of which has its centre at 0
    assert box.get_bbox().bounds == pytest.approx((3.5, 7.5, 8, 4))


def test_a_map_of_nothing_is_drawn(values, image) -> None:
    blank = np.zeros((16, 16), np.float32)
    values["picture"]["boxes"] = []
    figure = plot_heat_map(image, blank, values["picture"], "Effusion")
    assert len(figure.axes) == 4  # three panels and their scale
    assert figure.axes[0].get_title(loc="left") == "radiograph, no box known"


def test_each_share_begins_where_the_one_above_it_led(values) -> None:
    axes = plot_shares(values["shares"], "Effusion").axes[0]
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    expected = [(-2.5, -0.5), (-0.5, -0.2), (-0.2, -0.4)]  # picture, view, age
    for found, (start, end) in zip(ends, expected, strict=True):
        assert found == pytest.approx((start, end))
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [
        "mean reference",
        "picture",
        "view AP",
        "age 57",
        "this radiograph",
    ]
    assert axes.patches[2].get_hatch()
    assert "+2.00 [+1.90, +2.10]" in texts(axes)


def test_shares_without_an_interval_have_none() -> None:
    one = player("age", "57", 0.5)
    one["share_interval"] = {"low": None, "high": None}
    assert format_share(one) == "+.50"


def test_probabilities_stand_beside_what_was_observed(values) -> None:
    axes = plot_observed(values).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["Pleural Thickening (labelled)", "Effusion"]
    said, interval, share = axes.lines
    assert list(said.get_xdata()) == [0.41, 0.1]
    assert list(interval.get_xdata()) == [0.285, 0.483]
    assert list(share.get_xdata()) == [0.38]


def test_curves_mark_the_own_value_and_say_what_unknown_gives(values) -> None:
    age, view = plot_curves(values["curves"], "Effusion").axes
    assert list(age.lines[0].get_xdata()) == [20, 57, 80]
    assert list(age.lines[1].get_xdata()) == [57]
    assert texts(age) == ["unknown"]
    assert [label.get_text() for label in view.get_xticklabels()] == ["PA", "AP"]
    filled = [line.get_markerfacecolor() != "white" for line in view.lines]
    assert filled == [False, True]


def test_the_explanation_is_said_in_sentences(values) -> None:
    assert say_explanation(values) == [
        "Pleural Thickening: probability .410. Of the 100 patients of the test part with "
        "the nearest probabilities (.350 to .480), .380 [.285, .483] have it.",
        "Its log-odds are 2.10 higher than the mean of 256 training patients: "
        "picture +2.00, view AP +.30, age 57 -.20.",
        "The highest point of the heat map lies inside the box. The box has .600 of what "
        "speaks for the finding, and .125 of the picture.",
        "Of the nearest 1 training patient, 1 has Pleural Thickening; of all 1,000 "
        "radiographs, .070.",
    ]


def test_the_page_holds_its_figures_and_fetches_nothing(
    values, image, tmp_path: Path
) -> None:
    heat_map = np.linspace(-1, 1, 256, dtype=np.float32).reshape(16, 16)
    files = write_explanation_page(tmp_path, values, image=image, heat_map=heat_map)
    assert [file.name for file in files] == [
        "heat_map.png",
        "probabilities.png",
        "shares.png",
        "curves.png",
        "index.html",
    ]
    for file in files[:-1]:
        with Image.open(file) as picture:
            assert min(picture.size) > 300
    text = files[-1].read_text("utf-8")
    page = Page(text)
    assert not page.scripts
    assert "default-src 'none'" in text
    assert text.count("data:image/png") == 4
    assert NASTY in page.words
    assert "Not a medical device" in page.words
    assert "Compared with 1,000 of 2,000 radiographs" in page.words
    assert "00000001_000.png .50" in page.words
    assert "scored: Maps point where findings are." in page.words
    images = [found for tag, found in page.elements if tag == "img"]
    assert all(found["alt"] for found in images)


def test_a_page_of_a_record_alone_has_no_picture(values, tmp_path: Path) -> None:
    (tmp_path / "heat_map.png").touch()  # of an explanation before
    for key in ("picture", "shares", "neighbours"):
        del values[key]
    files = write_explanation_page(tmp_path, values)
    assert not (tmp_path / "heat_map.png").exists()
    assert "Where in the picture" not in Page(files[-1].read_text("utf-8")).words


def test_a_page_without_curves_or_labels_is_whole(values) -> None:
    values |= {"curves": [], "labels": None, "record": {}}
    words = Page(render_explanation_page(values, {})).words
    assert "another record" not in words
    assert "(labelled)" not in words
