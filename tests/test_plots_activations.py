"""Figures of activations, and the page that holds them."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dualnet.errors import ConfigError
from dualnet.explain.channels import compute_statistics
from dualnet.plots.activation_bars import (
    plot_metadata_activations,
    plot_probabilities,
    plot_units,
)
from dualnet.plots.activations import (
    arrange_filters,
    describe_scale,
    plot_feature_maps,
    plot_filters,
)
from dualnet.plots.embed import draw_bars, embed_map
from dualnet.plots.pages import (
    ActivationPage,
    render_activation_page,
    write_activation_pages,
)

NASTY = '<script>alert("x")</script>/../a&b.png'


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.fixture
def maps() -> np.ndarray:
    values = np.random.default_rng(0).random((6, 6, 12)).astype(np.float32)
    values *= np.arange(1, 13)  # channel 11 is the most active
    values[..., 4] = 0
    return values


@pytest.fixture
def page(maps: np.ndarray) -> ActivationPage:
    return ActivationPage(
        image_id="00000001_000.png",
        class_names=("Effusion", "No Finding", "Pleural_Thickening"),
        probabilities=np.array([0.2, 0.5, 0.3]),
        layers=[
            ("image_conv_1", "convolution"),
            ("image_pool", "pooling"),
            ("metadata_dense_1", "metadata dense"),
            ("fusion", "fusion"),
            ("logits", "logits"),
            ("probabilities", "probabilities"),
        ],
        activations={
            "image_conv_1": maps,
            "image_pool": maps.mean((0, 1)),
            "metadata_dense_1": np.array([0.0, 2.0]),
            "fusion": np.arange(14.0),
            "logits": np.array([-1.0, 1.5, 0.25]),
            "probabilities": np.array([0.2, 0.5, 0.3]),
        },
        image=np.full((8, 8), 100, np.uint8),
        picture=np.full((16, 12), 100, np.uint8),
        prepared=np.full((8, 8, 1), -0.2, np.float32),
        record={"age": "58 years", "view": "PA"},
        feature_names=("age", "age_missing"),
        feature_values=np.array([0.4, 0.0]),
        filters=np.random.default_rng(1).normal(size=(3, 3, 1, 12)),
        fusion_parts={"image": 12, "metadata": 2},
        logit_parts={
            "image": np.array([-1.0, 1.0, 0.25]),
            "metadata": np.array([0.5, 0.25, -0.5]),
            "bias": np.array([-0.5, 0.25, 0.5]),
        },
        findings=("Pleural_Thickening",),
    )


def test_feature_maps_show_the_most_active_channels_with_their_numbers(maps):
    image = np.zeros((8, 8), np.uint8)
    figure = plot_feature_maps("image_conv_1", maps, image, max_channels=10)
    radiograph, grid, colour_bar = figure.axes
    assert radiograph.get_title(loc="left").startswith("input  8")
    shown = texts(grid)
    assert len(shown) == len(grid.images) == 10
    assert shown[0] == "11"
    assert "4 dead" not in shown  # dead ones come last
    title = figure.get_suptitle()
    assert title.startswith("image_conv_1")
    assert "10 of 12 channels" in title
    assert "1 dead" in title
    low, high = np.percentile(maps, (1, 99))
    assert colour_bar.get_ylim() == pytest.approx((low, high))


def test_a_dead_channel_is_marked(maps):
    (grid, _) = plot_feature_maps("image_conv_1", maps).axes
    assert texts(grid)[-1] == "4 dead"


def test_each_map_is_drawn_as_it_is(maps):
    (grid, _) = plot_feature_maps("image_conv_1", maps).axes
    np.testing.assert_array_equal(grid.images[0].get_array(), maps[..., 11])


def test_maps_that_are_all_the_same_are_drawn_too():
    figure = plot_feature_maps("image_conv_1", np.zeros((4, 4, 3)))
    assert "3 dead" in figure.get_suptitle()


def test_units_are_bars_in_their_order():
    (axes,) = plot_units("image_pool", np.array([1.0, -2.0, 0.0])).axes
    assert [bar.get_height() for bar in axes.patches] == [1, -2, 0]


def test_filters_have_a_scale_that_is_symmetric_about_zero():
    filters = np.zeros((3, 2, 2, 5))
    filters[0, 0, 0, 0], filters[0, 0, 1, 0] = -3, 1
    grid, colour_bar = plot_filters("image_conv_1", filters).axes
    assert texts(grid) == ["0", "1", "2", "3", "4"]
    assert colour_bar.get_ylim() == (-3, 3)
    first = arrange_filters(filters)[0]
    np.testing.assert_array_equal(first, [[-3, 0, 1, 0], [0] * 4, [0] * 4])


def test_metadata_figure_splits_the_fusion_by_branch():
    figure = plot_metadata_activations(
        ("age", "age_missing"),
        np.array([0.5, 1.0]),
        {"metadata_dense_1": np.array([0.0, 1.0, 2.0])},
        np.array([-1.0, 2.0, 3.0]),
        {"image": 2, "metadata": 1},
    )
    features, dense, image, metadata = figure.axes
    assert texts(features) == [".50", "1.00"]
    assert dense.get_title(loc="left") == "metadata_dense_1: 2 of 3 above 0"
    assert image.get_title(loc="left") == "fusion, image: 1 of 2 above 0"
    assert [bar.get_height() for bar in image.patches] == [-1, 2]
    assert [bar.get_height() for bar in metadata.patches] == [3]
    assert image.get_ylim() == metadata.get_ylim()


def test_probabilities_are_sorted_printed_and_labelled():
    names, values = (
        ("Effusion", "Mass", "Pleural_Thickening"),
        np.array([0.2, 0.1, 0.7]),
    )
    (axes,) = plot_probabilities(names, values, ("Effusion",)).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["Pleural Thickening", "Effusion", "Mass"]
    assert texts(axes) == [".700", ".200  labelled", ".100"]
    (axes,) = plot_probabilities(names, values, in_class_order=True).axes
    assert texts(axes) == [".200", ".100", ".700"]


def test_a_map_is_embedded_in_the_colours_of_its_scale():
    text = embed_map(np.array([[0.0, 5.0, 99.0]]), 0, 10, "gray")
    data = base64.b64decode(text.removeprefix("data:image/png;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    assert pixels.shape == (42, 126)  # each value a square of 42 pixels
    assert pixels[0, 20::42].tolist() == [0, 128, 255]


def test_bars_end_where_their_values_say():
    bars = draw_bars(np.array([1.0, -1.0, 0.0]), {"image": 1, "metadata": 2})
    assert (bars["zero"], bars["ends"], bars["active"]) == (50, (-1, 1), 1)
    image, metadata = bars["parts"]
    assert image["path"] == "M0.1 50.0V0.0h.8V50.0z"
    assert metadata["path"].startswith("M1.1 50.0V100.0h.8V50.0z")
    assert (metadata["first"], metadata["length"]) == (1, 2)


def test_files_are_numbered_in_the_order_of_the_stages(page, tmp_path: Path):
    paths = write_activation_pages(tmp_path / "activations", page)
    assert [path.name for path in paths] == [
        "01_input.png",
        "02_image_conv_1.png",
        "03_image_pool.png",
        "04_channels.png",
        "05_filters.png",
        "06_metadata.png",
        "07_probabilities.png",
        "index.html",
    ]
    assert sorted(paths) == sorted((tmp_path / "activations").iterdir())
    for path in paths[:-1]:
        with Image.open(path) as picture:
            assert min(picture.size) > 300


def test_figures_of_an_earlier_call_do_not_stay(page, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("kept")
    (tmp_path / "09_image_conv_9.png").write_bytes(b"old")
    bare = replace(
        page,
        layers=(),
        activations={},
        picture=None,
        filters=None,
        feature_names=(),
        feature_values=[],
    )
    write_activation_pages(tmp_path, bare)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "01_probabilities.png",
        "index.html",
        "notes.txt",
    ]


def test_the_page_holds_every_stage_and_fetches_nothing(page):
    html = render_activation_page(page)
    for name, _ in page.layers[:-1]:
        assert f'<section id="{name}"' in html
        assert f'href="#{name}"' in html
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(sources) > 12
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html
    assert "Not a medical device" in html
    assert "Pleural Thickening (labelled)" in html
    assert "image: units 0 to 11<" in html
    assert "metadata: units 12 to 13<" in html
    assert html.count("<span>4 dead</span>") == 1


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_page_says_what_the_logits_go_into(page, activation: str):
    shown = replace(page, activation=activation)
    assert f"logits, before the {activation}" in render_activation_page(shown)


def test_the_page_escapes_what_it_is_given(page):
    html = render_activation_page(
        replace(page, image_id=NASTY, record={"<b>age</b>": "<i>58</i>"})
    )
    assert html.count("<script>") == 1  # the page's own
    assert "&lt;script&gt;" in html
    assert "<b>" not in html
    assert "<i>" not in html


def test_a_nasty_layer_name_stays_in_the_folder(page, tmp_path: Path):
    name = "../block/conv"
    page = replace(
        page,
        layers=[(name, "convolution")],
        activations={name: page.activations["image_conv_1"]},
    )
    _, second, *_ = write_activation_pages(tmp_path, page)
    assert second == tmp_path / "02_.._block_conv.png"


def test_pages_of_one_modality_show_their_half(page):
    image_only = replace(
        page,
        layers=page.layers[:2],
        feature_names=(),
        feature_values=np.zeros(0),
        fusion_parts={},
    )
    assert "Metadata branch" not in render_activation_page(image_only)
    metadata_only = replace(
        page,
        layers=page.layers[2:3],
        image=None,
        picture=None,
        prepared=None,
        filters=None,
    )
    html = render_activation_page(metadata_only)
    assert "Image branch" not in html
    assert "as the model is given it" not in html


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": [("gone", "pooling")]}, "without activations: gone"),
        ({"probabilities": np.ones(2)}, "2 probabilities for 3 class names"),
        ({"feature_values": np.ones(5)}, "5 values for 2 feature names"),
        ({"image": np.zeros((1, 8, 8), np.uint8)}, r"image of shape=\(1, 8, 8\)"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    page, tmp_path: Path, change, message
):
    with pytest.raises(ConfigError, match=message):
        write_activation_pages(tmp_path / "none", replace(page, **change))
    assert not (tmp_path / "none").exists()


def test_the_scale_is_described_with_what_is_left_out(maps):
    text = describe_scale(compute_statistics(maps), 5)
    assert text.startswith("5 of 12 channels, most active first; 1 dead")
