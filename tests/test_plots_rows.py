"""Figures and pages of several inputs, and of the strongest patches."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from page_cases import Page

from dualnet.plots.activation_curves import StageCurves, plot_stage_curves
from dualnet.plots.activation_input import plot_channels, plot_input
from dualnet.plots.activation_patches import (
    ChannelPatches,
    StagePatches,
    plot_patches,
)
from dualnet.plots.activation_rows import StageRows, plot_map_rows, plot_unit_rows
from dualnet.plots.patch_pages import PatchPage, render_patch_page, write_patch_page
from dualnet.plots.row_pages import RowPage, Table, render_row_page, write_row_page

LABELS = ("first.png", "second.png", "difference")


@pytest.fixture
def maps() -> StageRows:
    values = np.random.default_rng(0).random((3, 4, 4, 12)).astype(np.float32)
    values[2] = values[0] - values[1]
    return StageRows(
        name="image_conv_1",
        kind="convolution",
        activations=values,
        labels=LABELS,
        images=np.full((3, 8, 8), 100.0, np.float32),
        order=[7, *range(7), *range(8, 12)],
        notes={7: "d +.50"},
        note="what is shown",
        difference=True,
    )


@pytest.fixture
def units() -> StageRows:
    return StageRows(
        name="logits",
        kind="logits",
        activations=np.array([[1.0, -2.0], [0.5, 3.0], [0.5, -5.0]]),
        labels=LABELS,
        unit_names=("Effusion", "Mass"),
        difference=True,
    )


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_rows_share_one_scale_and_a_difference_has_its_own(maps: StageRows) -> None:
    figure = plot_map_rows(maps)
    grid, difference, activation = figure.axes
    assert len(grid.images) == 3 * (1 + 8)
    shown = maps.activations[..., maps.channels]
    assert activation.get_ylim() == pytest.approx(np.percentile(shown[:2], (1, 99)))
    limit = np.percentile(np.abs(shown[2]), 99)
    assert difference.get_ylim() == pytest.approx((-limit, limit))
    first = texts(grid)
    assert first[0] == "first.png"
    assert first[1] == "7  d +.50"
    assert {"0", "second.png", "difference"} <= set(first)
    # the second picture of a row is its first channel
    np.testing.assert_array_equal(
        grid.images[1].get_array(), maps.activations[0, ..., 7]
    )
    assert "image_conv_1" in figure.get_suptitle()


def test_without_an_order_the_most_active_channels_come_first() -> None:
    values = np.zeros((2, 3, 3, 3))
    values[0, ..., 1], values[1, ..., 2] = 4, -6
    stage = StageRows(name="a", kind="b", activations=values, labels=LABELS[:2])
    assert stage.channels == [2, 1, 0]
    assert not stage.is_difference(1)


def test_unit_rows_have_one_scale_but_for_the_difference(units: StageRows) -> None:
    first, second, difference = plot_unit_rows(units).axes
    assert first.get_ylim() == second.get_ylim() == pytest.approx((-2.25, 3.25))
    assert [bar.get_height() for bar in difference.patches] == [0.5, -5]
    assert first.get_title(loc="left") == "first.png: 1 of 2 above 0"
    assert difference.get_title(loc="left") == "difference"
    names = [label.get_text() for label in difference.get_xticklabels()]
    assert names == ["Effusion", "Mass"]


def make_row_page(*stages: StageRows) -> RowPage:
    return RowPage(
        title="Two <b>pictures</b>",
        lead="A run.",
        labels=LABELS,
        images=stages[0].images,
        stages=stages,
        tables=[
            Table(caption="Probabilities", head=["class", "a"], rows=[["x", ".5"]])
        ],
    )


def test_a_page_of_rows_fetches_nothing_and_has_all_maps(
    maps: StageRows, units: StageRows, tmp_path: Path
) -> None:
    page = make_row_page(maps, units)
    paths = write_row_page(tmp_path, page)
    assert [path.name for path in paths] == [
        "01_image_conv_1.png",
        "02_logits.png",
        "index.html",
    ]
    html = render_row_page(page)
    seen = Page(html)
    buttons = [
        one for tag, one in seen.elements if tag == "button" and "data-title" in one
    ]
    assert len(buttons) == 3 * 8
    assert buttons[0]["data-title"] == "image_conv_1, channel 7, first.png"
    ids = {one["id"] for _, one in seen.elements if one.get("id")}
    for button in buttons:
        assert button["data-radiograph"] in ids
        assert button["data-scale"] in ids
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "<b>pictures" not in html
    assert "Not a medical device" in seen.words
    assert "7 d +.50" in seen.words
    assert len(seen.scripts) == 1


def test_one_picture_may_stand_for_all_rows(maps: StageRows) -> None:
    alone = replace(maps, images=np.full((1, 8, 8), 100.0), difference=False)
    grid = plot_map_rows(alone).axes[0]
    assert len(grid.images) == 1 + 3 * 8
    curves = StageCurves(
        epochs=[1, 2, 3], distances={"image_conv_1": np.ones(3)}, dead={}
    )
    seen = Page(render_row_page(replace(make_row_page(alone), curves=curves)))
    named = {
        one["data-radiograph"] for _, one in seen.elements if "data-radiograph" in one
    }
    assert named == {"row-0"}
    assert "in every row" in seen.words
    drawn = [
        one
        for tag, one in seen.elements
        if tag == "img" and "epoch by" in (one["alt"] or "")
    ]
    assert len(drawn) == 1


def test_rows_of_a_record_alone_need_no_picture(units: StageRows) -> None:
    html = render_row_page(make_row_page(units))
    assert "Two &lt;b&gt;" in html
    assert 'id="row-0"' not in html


def test_a_page_lets_only_its_own_script_run(maps: StageRows) -> None:
    import base64
    import hashlib

    html = render_row_page(make_row_page(maps))
    ((_, script),) = Page(html).scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


@pytest.fixture
def patches() -> StagePatches:
    square = np.ma.masked_array(np.full((5, 5), 200, np.uint8))
    cut = np.ma.masked_array(np.full((5, 5), 90, np.uint8), np.eye(5, dtype=bool))
    return StagePatches(
        name="image_conv_2",
        kind="convolution",
        channels=[
            ChannelPatches(
                channel=3, answers=np.array([2.5, 1.25]), patches=[square, cut]
            ),
            ChannelPatches(channel=0, answers=np.array([0.5]), patches=[square]),
        ],
        num_channels=8,
        num_dead=2,
        num_pictures=1200,
        size=5,
        whole=False,
    )


def test_patches_stand_in_rows_under_their_answers(patches: StagePatches) -> None:
    figure = plot_patches(patches)
    (grid,) = figure.axes
    assert texts(grid) == ["channel 3", "2.5", "1.25", "channel 0", "0.5"]
    assert len(grid.images) == 3
    title = figure.get_suptitle()
    assert "2 of 8 channels" in title
    assert "2 dead in all of 1,200 radiographs" in title
    assert "a unit sees 5 pixels" in title
    assert "the whole picture or more" in replace(patches, whole=True).note


def test_a_page_of_patches_holds_kernels_and_patches(
    patches: StagePatches, tmp_path: Path
) -> None:
    page = PatchPage(
        title="Filters",
        lead="A run.",
        filters=np.random.default_rng(0).normal(size=(3, 3, 1, 4)),
        stages=[patches],
    )
    paths = write_patch_page(tmp_path, page)
    assert [path.name for path in paths] == [
        "01_filters.png",
        "02_image_conv_2.png",
        "index.html",
    ]
    seen = Page(render_patch_page(page))
    titles = [one["data-title"] for _, one in seen.elements if "data-title" in one]
    assert titles[0] == "filter 0"
    assert titles[4:] == [
        "image_conv_2, channel 3, patch 1",
        "image_conv_2, channel 3, patch 2",
        "image_conv_2, channel 0, patch 1",
    ]


def test_curves_go_over_the_epochs() -> None:
    curves = StageCurves(
        epochs=[1, 3],
        distances={"image_conv_1": np.array([0.5, 0.0])},
        dead={"image_conv_1": np.array([0.25, 0.5])},
    )
    left, right = plot_stage_curves(curves).axes
    np.testing.assert_array_equal(left.lines[0].get_xydata(), [[1, 0.5], [3, 0]])
    np.testing.assert_array_equal(right.lines[0].get_ydata(), [0.25, 0.5])


def test_the_input_is_drawn_before_and_after_preprocessing() -> None:
    prepared = np.linspace(-1, 1, 192).reshape(8, 8, 3)
    figure = plot_input(
        np.zeros((16, 12), np.uint8), np.zeros((8, 8), np.uint8), prepared
    )
    titles = [axes.get_title(loc="left") for axes in figure.axes[:5]]
    assert titles[0].startswith("the file\n16")
    assert titles[1].startswith("given to the model\n8")
    assert "channel 2" in titles[4]
    assert len(figure.axes) == 10  # each with its scale


def test_a_mark_a_channel_and_the_dead_are_counted() -> None:
    maps = np.ones((2, 2, 3))
    maps[0, 0] = [2, 0, 3]
    maps[..., 2] = -1
    figure = plot_channels(
        [("conv", "convolution"), ("fusion", "fusion")],
        {"conv": maps, "fusion": np.zeros(3)},
    )
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["conv  (1 of 3 dead)"]
    alive, dead = (marks.get_offsets()[:, 0].tolist() for marks in axes.collections)
    assert alive == [1, 0.75]
    assert dead == [0]
