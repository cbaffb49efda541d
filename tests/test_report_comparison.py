"""The report of a comparison: its numbers are those of `compare.json`."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compare_cases import make_run
from test_report import Page, Sheets, check_sheets
from truth_cases import printed

from dualnet.evaluation.text.verdict import BEATS, UNDEFINED, UNSHOWN, WORSE
from dualnet.files import write_json
from dualnet.jobs.compare import compare_runs
from dualnet.plots.embed import read_figure
from dualnet.plots.report import comparison, document
from dualnet.plots.report.comparison_charts import draw_comparison_charts
from dualnet.plots.report.comparison_heading import make_comparison_heading
from dualnet.plots.report.contents import make_sections
from dualnet.plots.report.sections import Section

OWN = {"auroc": 0.6125, "auroc_interval": {"low": 0.5, "high": 0.75}}
RECORD = {"auroc": 0.5875, "auroc_interval": {"low": 0.45, "high": 0.625}}


def judge_on_its_own(folder: Path, *, phantom: bool = False) -> None:
    """Writes what an evaluation says of the model and a baseline of it."""
    file = folder / "evaluation" / "metrics.json"
    more = {
        "num_images": 95,
        "num_patients": 48,
        "about": {"phantom": phantom},
        "model": {"macro": OWN},
        "baselines": {"metadata_only": {"macro": RECORD}},
    }
    write_json(file, json.loads(file.read_text()) | more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of three runs: one much better than the first, one as good."""
    room = tmp_path_factory.mktemp("compared")
    image = ("model.modality=image",)
    make_run(room / "image", skill=0.5, seed=1, overrides=image)
    make_run(room / "fused", skill=3.0, seed=2)
    make_run(room / "stranger", skill=0.5, seed=3, overrides=("seed=7",))
    judge_on_its_own(room / "fused", phantom=True)
    runs = [room / name for name in ("image", "fused", "stranger")]
    return compare_runs(runs, out=room / "out").folder


@pytest.fixture(scope="module")
def values(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "compare.json").read_text())


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def sections(values: dict[str, Any]) -> dict[str, Section]:
    drawn = ("macro", "findings", "differences")
    made = make_sections(values, drawn, comparison.SECTIONS)
    return {one.key: one for one in made}


def bracketed(ends: dict[str, Any], write: Any = printed) -> str:
    return f"[{write(ends['low'])}, {write(ends['high'])}]"


def signed(value: float) -> str:
    return f"{value:+.3f}".replace("0.", ".", 1)


def test_the_report_lies_beside_the_numbers(folder: Path) -> None:
    names = {file.name for file in folder.iterdir()}
    assert names == {
        *("compare.csv", "compare.json", "figures"),
        *("report.html", "report.pdf"),
    }
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_scores_are_those_of_the_numbers(
    values: dict[str, Any], sections: dict[str, Section]
) -> None:
    means, areas, precisions = sections["scores"].tables
    for row, (name, run) in zip(means.rows, values["runs"].items(), strict=True):
        assert row[0] == name
        macro = run["macro"]
        assert row[2] == (
            f"{printed(macro['auroc'])} {bracketed(macro['auroc_interval'])}"
        )
    assert [row[1] for row in means.rows] == [
        "picture",
        "picture and record",
        "picture and record",
    ]
    for table, measure in ((areas, "auroc"), (precisions, "average_precision")):
        assert table.header[2:] == list(values["runs"])
        assert [row[0] for row in table.rows] == [
            *("Edema", "Mass", "No Finding", "Mean of 2 of 2")
        ]
        for finding, row in zip(
            ("Edema", "Mass", "No Finding"), table.rows, strict=False
        ):
            for run, cell in zip(values["runs"].values(), row[2:], strict=True):
                one = run["findings"][finding]
                ends = bracketed(one[f"{measure}_interval"])
                assert cell == f"{printed(one[measure])} {ends}"


def test_differences_are_those_of_the_numbers(
    values: dict[str, Any], sections: dict[str, Section]
) -> None:
    tables = sections["differences"].tables
    assert [one.caption for one in tables] == [
        "fused less image",
        "stranger less image",
    ]
    for table, found in zip(tables, values["differences"].values(), strict=True):
        area = found["findings"]["Edema"]["auroc"]
        *_, difference, said, p_value, holm, hochberg, _ = table.rows[0]
        assert difference == f"{signed(area['difference'])} {bracketed(area, signed)}"
        for cell, key in (
            *((p_value, "p_value"), (holm, "p_holm")),
            (hochberg, "p_benjamini_hochberg"),
        ):
            expected = "<.001" if area[key] < 0.001 else f"{area[key]:.3f}"
            assert cell == expected.removeprefix("0")
        shown = found["findings"]["Edema"]["outcome"] == BEATS
        assert said == ("better" if shown else "not shown")
        negative, mean = table.rows[-2:]
        assert (negative[0], negative[3], negative[5]) == ("No Finding", "", "")
        assert mean[2].startswith(signed(found["macro"]["auroc"]["difference"]))
    assert [row[3] for row in tables[0].rows] == ["better", "better", "", "better"]


def test_the_heading_says_which_is_better_and_what_is_not_shown(
    values: dict[str, Any],
) -> None:
    heading = make_comparison_heading(values)
    assert heading.title == "Comparison of fused and stranger with image"
    area = values["differences"]["fused"]["macro"]["auroc"]
    first, second, added, last = heading.verdict
    assert first[0].startswith(
        f"fused is better than image: {signed(area['difference'])} "
        f"{bracketed(area, signed)} macro AUROC, "
    )
    assert first[1][0].startswith("On 80 radiographs of 40 patients; p .0")
    assert first[1][0].endswith(", corrected for 2 models.")
    assert first[1][1] == (
        "Corrected for 2 findings looked at, 2 shown to differ: better for Edema and "
        "Mass."
    )
    assert second[0].startswith("stranger is not shown to differ from image: ")
    assert second[1][1:] == [
        "Corrected for 2 findings looked at, none shown to differ.",
        "Not shown to differ: Edema and Mass.",
    ]
    assert added[0].startswith("The record adds to the picture: +.")
    assert last[0].startswith("The intervals are over patients")
    assert heading.facts[-1] == ("80", "radiographs of 40 patients")
    assert heading.facts[0][0] == printed(values["runs"]["image"]["macro"]["auroc"])


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (WORSE, "fused is worse than image: "),
        (UNSHOWN, "fused is not shown to differ from image: "),
        (UNDEFINED, "Whether fused differs from image cannot be told: "),
    ],
)
def test_each_outcome_has_its_words(
    values: dict[str, Any], outcome: str, said: str
) -> None:
    found = copy.deepcopy(values)
    difference = found["differences"]["fused"]
    difference["outcome"] = difference["findings"]["Mass"]["outcome"] = outcome
    sentence, parts = make_comparison_heading(found).verdict[0]
    assert sentence.startswith(said)
    words = {
        WORSE: "2 shown to differ: better for Edema; worse for Mass.",
        UNSHOWN: "Not shown to differ: Mass.",
        UNDEFINED: "Cannot be told: Mass.",
    }
    assert any(part.endswith(words[outcome]) for part in parts)


def test_differences_of_few_patients_are_called_doubtful(
    values: dict[str, Any],
) -> None:
    found = copy.deepcopy(values)
    found["runs"]["image"]["findings"]["Mass"]["n_positive_patients"] = 19
    _, parts = make_comparison_heading(found).verdict[0]
    assert parts[-1] == "Doubtful, being of fewer than 20 patients: Mass."


def test_each_model_stands_beside_its_own_baselines(
    values: dict[str, Any], sections: dict[str, Section]
) -> None:
    table = sections["baselines"].tables[0]
    assert table.rows == [
        ["fused", "the model", "95", ".613 [.500, .750]"],
        ["", "metadata only", "", ".588 [.450, .625]"],
    ]
    found = copy.deepcopy(values)
    found["runs"]["fused"]["judged"]["model"] = None
    assert comparison.make_own_baselines(found) is None


def test_what_only_some_runs_have_predicted_is_said(values: dict[str, Any]) -> None:
    found = copy.deepcopy(values)
    found["runs"]["fused"] |= {"num_predicted": 1_080, "num_left_out": 1_000}
    section = comparison.make_rows(found)
    assert section is not None
    assert "Left out of fused: 1,000 of 1,080 radiographs." in section.paragraphs
    assert section.tables[0].rows[1][:3] == ["fused", "1,080", "1,000"]


def test_cautions_stand_first_and_then_the_verdict(
    page: Page, values: dict[str, Any]
) -> None:
    words = page.words
    places = [
        words.index(said)
        for said in (
            "Not a medical device",
            "Scores on the phantom",
            "fused is better than image",
            "Scores side by side",
        )
    ]
    assert places == sorted(places)
    assert values["about"] == {"phantom": True}
    area = values["runs"]["fused"]["macro"]["auroc"]
    assert f"{printed(area)} macro AUROC of fused" in words


def test_the_page_fetches_nothing_and_holds_plotly_once(
    page: Page, folder: Path
) -> None:
    html = (folder / "report.html").read_text("utf-8")
    assert html.count("plotly.js v") == 1
    addresses = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if key in {"src", "href"} and value
    ]
    assert all(value.startswith(("data:", "#")) for value in addresses)
    assert [kind for kind, _ in page.scripts] == ["application/json", None, None]


def test_charts_draw_the_numbers(values: dict[str, Any]) -> None:
    charts = draw_comparison_charts(values)
    assert json.loads(json.dumps(charts, allow_nan=False)) == charts
    traces = charts["differences"]["data"]
    assert [trace["name"] for trace in traces] == ["fused", "stranger"]
    mean = values["differences"]["fused"]["macro"]["auroc"]
    assert traces[0]["x"][-1] == pytest.approx(mean["difference"], abs=5e-5)
    assert traces[0]["marker"]["symbol"] == ["circle"] * 3
    assert traces[1]["marker"]["symbol"] == ["square-open"] * 3
    assert traces[1]["text"][-1].endswith("], not shown")
    macro = [trace["x"][0] for trace in charts["macro"]["data"]]
    areas = [run["macro"]["auroc"] for run in values["runs"].values()]
    assert macro == pytest.approx(areas, abs=5e-5)
    assert [len(trace["x"]) for trace in charts["findings"]["data"]] == [3, 3, 3]


def test_nothing_lies_on_anything_else_on_paper(
    values: dict[str, Any],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document, "PdfPages", Sheets)
    figures = {file.stem: read_figure(file) for file in (folder / "figures").iterdir()}
    sections = make_sections(values, figures, comparison.SECTIONS)
    heading = make_comparison_heading({**values, "reference": "image"})
    document.write_document(tmp_path / "a.pdf", heading, sections, figures)
    check_sheets(Sheets.kept)
    long = replace(heading, title="a long name " * 40)
    document.write_document(tmp_path / "b.pdf", long, [], {})
    check_sheets(Sheets.kept)
