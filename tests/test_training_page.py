"""The page to follow a training by: what it says, and that it needs nothing else."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from page_cases import Page
from PIL import Image
from training_cases import make_facts

from dualnet.plots.style import render_figure
from dualnet.plots.training.charts import draw_curves, draw_finding_curves
from dualnet.plots.training.curves import plot_curves, plot_finding_curves
from dualnet.plots.training.page import render_training_page, write_training_page
from dualnet.plots.training.sections import describe_state

HALVES = {
    "metadata_half": {"val_loss": [2.5, 2.25, 2.375]},
    "record_weights": {"Edema": 0.5, "Mass": 1.25, "No Finding": 0.875},
    "fused": {"val_macro_auroc": 0.8125, "val_loss": 1.0},
    "image_half": {"val_macro_auroc": 0.75},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    samples = folder / "samples.png"
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(samples)
    write_training_page(
        folder / "training.html",
        make_facts(halves=HALVES, reports=("evaluation/report.html",)),
        figure=folder / "training.png",
        samples=samples,
    )
    return folder


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page((written / "training.html").read_text("utf-8"))


def read_page(**changes) -> str:
    return Page(render_training_page(make_facts(**changes), {})).words


def charts_of(page: Page) -> dict:
    (values,) = (text for kind, text in page.scripts if kind == "application/json")
    return json.loads(values)


def test_page_needs_nothing_from_anywhere(page: Page) -> None:
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "data"):
            address = attributes.get(name) or ""
            assert address.startswith(("data:", "#", "evaluation/")) or not address
    policy = next(
        attributes["content"] or ""
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data: blob:")
    assert sum(len(text) > 1_000_000 for _, text in page.scripts) == 1  # plotly, once


def test_page_says_what_was_kept_and_why_it_ended(page: Page) -> None:
    assert "Not a medical device" in page.words
    assert (
        "Finished after 4 of 6 epochs; none was better for 1 epoch."
        " Epoch 3 is kept: validation macro AUROC .750, the highest." in page.words
    )
    assert "3 (kept) .667 .833 .750 0.00033" in page.words
    assert ("a", {"href": "evaluation/report.html"}) in page.elements


def test_page_holds_the_halves_the_split_the_time_and_the_configuration(
    page: Page,
) -> None:
    assert "validation loss 2.250 after 2 of 3 epochs" in page.words
    assert "Joined: .812." in page.words
    assert "Edema .50 Mass 1.25 No Finding .88" in page.words
    assert "0 patients in two parts." in page.words
    assert "Mass 8 6 2 25 %" in page.words
    assert "preparing 5.0 s 9.0 s 50 %" in page.words
    assert "At most 1,234 MiB of device memory." in page.words
    assert "training.patience 1" in page.words
    assert "data.path nih" in page.words
    assert "secret" not in page.words


def test_page_says_which_finding_is_undefined(page: Page) -> None:
    assert "Edema 3 .625 .750 2" in page.words  # at the epoch kept, highest, in epoch
    assert "Undefined, as none or all radiographs have it: Mass." in page.words


def test_finished_page_holds_still_figures_and_the_samples(
    page: Page, written: Path
) -> None:
    shown = {attributes["alt"] for tag, attributes in page.elements if tag == "img"}
    assert len(shown) == 3
    with Image.open(written / "training.png") as picture:
        assert picture.size == (860, 620)


def test_running_page_is_of_the_epochs_so_far(tmp_path: Path) -> None:
    facts = make_facts(2, state="running")
    write_training_page(
        tmp_path / "a.html", facts, figure=tmp_path / "a.png", samples=tmp_path / "b"
    )
    page = Page((tmp_path / "a.html").read_text("utf-8"))
    assert "Running, epoch 3 of 6." in page.words
    assert "Epoch 2 is kept" in page.words
    assert "Known when the run is finished." in page.words
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]
    assert charts_of(page)["training"]["data"][0]["x"] == [1, 2]


def test_page_before_the_first_epoch_has_ended() -> None:
    words = read_page(num_epochs=0, state="running")
    assert "Running, epoch 1 of 6." in words
    assert "No epoch has ended yet." in words


def test_page_of_a_run_of_before_has_no_areas() -> None:
    areas = make_facts().areas[["epoch"]].head(0)
    words = read_page(areas=areas)
    assert "Finished after 4 of 6 epochs" in words
    assert "Each finding" not in words


def test_name_of_a_run_cannot_end_an_element() -> None:
    html = render_training_page(make_facts(name="</title><b>x"), {})
    assert "<b>x" not in html


def test_last_epoch_is_the_one_kept_where_that_is_configured() -> None:
    config = make_facts().config
    training = config.training.model_copy(update={"keep": "last"})
    facts = make_facts(config=config.model_copy(update={"training": training}))
    assert (facts.kept, facts.kept_score) == (4, 0.7)
    kept = "Epoch 4 is kept: validation macro AUROC .700, as the last is kept."
    assert describe_state(facts)[1] == kept


@pytest.mark.parametrize(
    ("num_epochs", "state", "said"),
    [
        (6, "finished", "Finished after 6 of 6 epochs."),
        (6, "running", "Running, all 6 epochs done; the rest is being made."),
        (1, "running", "Running, epoch 2 of 6. Reload to see more."),
        (1, "stopped", "Stopped in epoch 2 of 6. dualnet train --resume goes on."),
    ],
)
def test_state_is_said(num_epochs: int, state: str, said: str) -> None:
    assert describe_state(make_facts(num_epochs, state=state))[0] == said


def test_curves_hold_the_history_and_mark_the_epoch_kept() -> None:
    chart = draw_curves(make_facts())
    by_name = {trace["name"]: trace for trace in chart["data"]}
    assert by_name["training"]["y"] == [2.0, 1.0, 0.66667, 0.5]
    assert by_name["macro AUROC"]["y"] == [0.5, 0.625, 0.75, 0.7]
    assert by_name["pictures a second"]["y"] == [80.0] * 4
    assert {shape["x0"] for shape in chart["layout"]["shapes"]} == {3}
    assert len(chart["layout"]["shapes"]) == 4
    json.dumps(chart, allow_nan=False)


def test_each_finding_can_be_switched() -> None:
    facts = make_facts()
    chart = draw_finding_curves(facts)
    assert [trace["name"] for trace in chart["data"]] == ["macro AUROC", "Edema"]
    buttons = chart["layout"]["updatemenus"][0]["buttons"]
    shown = {one["label"]: one["args"][0]["visible"] for one in buttons}
    assert shown == {
        "all findings": [True, True],
        "macro AUROC alone": [True, "legendonly"],
        "Edema: .625 (n=3)": [True, True],
    }


def test_undefined_auroc_is_a_gap_and_no_number() -> None:
    facts = make_facts()
    areas = facts.areas.assign(Edema=[0.5, np.nan, 0.6, 0.7])
    chart = draw_finding_curves(make_facts(areas=areas))
    assert chart["data"][1]["y"] == [0.5, None, 0.6, 0.7]


def test_still_curves_say_their_names() -> None:
    texts = [one.get_text() for one in plot_finding_curves(make_facts()).axes[0].texts]
    assert "Edema\n.625 (n=3)" in texts
    assert "Mass\nn/a (n=0)" in texts
    assert "undefined" in texts
    titles = [axes.get_title(loc="left") for axes in plot_curves(make_facts()).axes]
    assert titles == [
        "Loss",
        "Validation macro AUROC",
        "Learning rate",
        "Pictures a second",
    ]


@pytest.mark.parametrize("num_epochs", [1, 60])
def test_still_curves_are_drawn_of_few_and_many_epochs(num_epochs: int) -> None:
    facts = make_facts(1)
    history = facts.history.loc[[0] * num_epochs].reset_index(drop=True)
    history["epoch"] = range(1, num_epochs + 1)
    pixels = render_figure(plot_curves(make_facts(history=history)))
    assert pixels.shape == (620, 860, 3)
    assert (pixels != 255).any(axis=2).mean() > 0.01


def test_page_names_no_address(written: Path) -> None:
    html = (written / "training.html").read_text("utf-8")
    own = re.sub(r"<script>.*?</script>", "", html, flags=re.S)
    assert "http://" not in own
    assert "https://" not in own
