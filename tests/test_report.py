import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from page_cases import Page
from PIL import Image
from report_cases import judge_tiny
from truth_cases import printed

from dualnet.evaluation.evaluate import Evaluation
from dualnet.jobs.evaluate import write_evaluation
from dualnet.plots.embed import read_figure
from dualnet.plots.report import contents, document, scores
from dualnet.plots.report.charts import draw_charts, draw_roc
from dualnet.plots.report.contents import make_sections
from dualnet.plots.report.heading import make_heading
from dualnet.plots.report.page import render_page
from dualnet.plots.report.paper import BODY, HEIGHT, MARGIN, Font, Paper
from dualnet.plots.report.sections import Picture, Section, Table
from dualnet.plots.report.writer import write_report


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    return judge_tiny()


@pytest.fixture(scope="module")
def written(judged: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    write_evaluation(folder, judged)
    return folder


@pytest.fixture
def figure(tmp_path: Path) -> Path:
    path = tmp_path / "figure.png"
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page((written / "report.html").read_text("utf-8"))


def test_the_report_lies_beside_the_scores(written: Path) -> None:
    names = {file.name for file in written.iterdir()}
    assert names == {
        "metrics.json",
        "predictions.csv",
        "figures",
        "report.html",
        "report.pdf",
    }


def test_the_caution_stands_first_and_then_the_verdict(
    page: Page, judged: Evaluation
) -> None:
    caution = page.words.index("Not a medical device")
    verdict = page.words.index(judged.verdict.splitlines()[0])
    first_table = page.words.index("macro AUROC [95")
    assert caution < verdict < first_table


def test_the_phantom_is_named_above_the_verdict(judged: Evaluation) -> None:
    about = {"model": "one", "data": "drawn", "phantom": True}
    heading = make_heading({**judged.metrics, "caution": "Mind.", "about": about})
    assert heading.title == "Evaluation of one"
    assert [line.split(",")[0].split(":")[0] for line in heading.cautions] == [
        "Not a medical device",
        "Mind.",
        "Scores on the phantom",
    ]
    assert "Part test of drawn: 40 radiographs of 20 patients." in heading.subtitle


def test_lines_of_the_verdict_stay_with_their_sentence(judged: Evaluation) -> None:
    lines = ["One.", "Two.", "  against a", "  against b", "Three."]
    verdict = {**judged.metrics["verdict"], "lines": lines}
    heading = make_heading({**judged.metrics, "verdict": verdict})
    assert heading.verdict == [
        ("One.", []),
        ("Two.", ["against a", "against b"]),
        ("Three.", []),
    ]


def test_the_page_fetches_nothing(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in {"iframe", "object", "embed", "base", "form"}
        for name in ("src", "href", "srcset", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)


def test_only_the_scripts_of_the_page_may_run(page: Page) -> None:
    policy = next(
        attributes["content"]
        for tag, attributes in page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    running = [text for kind, text in page.scripts if kind is None]
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in running
    ]
    assert re.findall(r"'sha256-([^']+)'", policy) == digests
    assert len(digests) == 2  # plotly.js once, and our own
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy


def test_figures_have_no_button_that_sends_data_away(page: Page) -> None:
    own = [text for kind, text in page.scripts if kind is None][-1]
    assert 'modeBarButtons: [["toImage"]]' in own


def test_every_interactive_figure_has_a_still_twin(page: Page) -> None:
    values = json.loads(
        next(text for kind, text in page.scripts if kind == "application/json")
    )
    assert set(values) == {"roc", "comparison", "calibration", "confusion"}
    still = len(values) + 1  # reliability by finding
    places = {attributes.get("id") for _, attributes in page.elements}
    for name in values:
        assert {f"chart-{name}", f"figure-{name}"} <= places
    pictures = [attributes for tag, attributes in page.elements if tag == "img"]
    assert len(pictures) == still
    assert all(attributes.get("alt") for attributes in pictures)


def test_the_same_scores_give_the_same_bytes(
    written: Path, judged: Evaluation, tmp_path: Path
) -> None:
    figures = {file.stem: file for file in (written / "figures").iterdir()}
    write_report(tmp_path, judged.metrics, figures=figures, charts=draw_charts(judged))
    for name in ("report.html", "report.pdf"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_the_document_has_no_date_and_a_title(written: Path) -> None:
    document = (written / "report.pdf").read_bytes()
    assert document.startswith(b"%PDF-")
    assert b"CreationDate" not in document
    assert b"Producer" not in document
    assert b"/Title (Evaluation of a model)" in document
    sizes = re.findall(rb"/MediaBox \[ ([\d. ]+) \]", document)
    assert {size.split()[2:][0] for size in sizes} == {b"595.44"}  # A4
    assert len(sizes) >= 3


def test_undefined_scores_are_shown_as_such() -> None:
    metrics = judge_tiny((("No Finding",),), rows=4, rows_each=4).metrics
    sections = make_sections(metrics, [])
    words = Page(render_page(make_heading(metrics), sections, {}, {})).words
    assert "n/a (n=0)" in words
    assert "Undefined, left out: Edema, Mass." in words
    assert "nan" not in words.lower().split()


def test_what_a_name_holds_is_shown_and_not_run(
    judged: Evaluation, figure: Path
) -> None:
    about = {"model": "<script>alert(1)</script>", "data": "a&b", "phantom": False}
    html = render_page(
        make_heading({**judged.metrics, "about": about}),
        [
            Section(
                key="one",
                title="<i>One</i>",
                pictures=[Picture(name="figure", title="t", caption="c")],
            )
        ],
        {"figure": read_figure(figure)},
        {"figure": {"data": [{"name": "</script><b>"}], "layout": {}}},
    )
    assert "<script>alert" not in html
    assert "<i>One" not in html
    page = Page(html)
    values = next(text for kind, text in page.scripts if kind == "application/json")
    assert json.loads(values)["figure"]["data"] == [{"name": "</script><b>"}]


def test_a_page_without_charts_runs_no_script(judged: Evaluation, figure: Path) -> None:
    section = Section(
        key="one", title="One", pictures=[Picture(name="f", title="t", caption="c")]
    )
    html = render_page(
        make_heading(judged.metrics), [section], {"f": read_figure(figure)}, {}
    )
    assert Page(html).scripts == []
    assert "script-src" not in html or "script-src;" in html or 'script-src"' in html


def test_sections_without_a_word_are_left_out(
    judged: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(metrics: Any) -> None:
        return None

    monkeypatch.setattr(contents, "SECTIONS", (nothing, scores.make_findings))
    assert [one.key for one in make_sections(judged.metrics, ["roc"])] == ["findings"]


def test_a_figure_that_was_not_drawn_is_left_out_and_none_is_lost(
    judged: Evaluation,
) -> None:
    sections = make_sections(judged.metrics, ["roc", "gain_by_field"])
    shown = [picture.name for one in sections for picture in one.pictures]
    assert shown == ["roc", "gain_by_field"]
    assert sections[-1].pictures[0].title == "Gain by field"


def test_tables_hold_the_scores_and_the_outcomes(judged: Evaluation) -> None:
    section = scores.make_baselines(judged.metrics)
    assert section is not None
    by_macro, by_label = section.tables
    assert [row[0] for row in by_macro.rows] == [
        "model",
        "class prior",
        "metadata only",
    ]
    macro = judged.metrics["model"]["macro"]
    assert by_macro.rows[0][1].startswith(f"{printed(macro['auroc'])} [")
    assert by_macro.rows[1][-1] == judged.metrics["verdict"]["outcomes"]["class_prior"]
    accuracy = judged.metrics["model"]["first_label"]["accuracy"]
    assert by_label.rows[0][1].startswith(f"{printed(accuracy)} [")


def test_each_row_has_a_cell_a_column(judged: Evaluation) -> None:
    tables = [
        table
        for section in make_sections(judged.metrics, [])
        for table in section.tables
    ]
    assert tables
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_the_share_beside_average_precision_is_that_of_the_finding(
    judged: Evaluation,
) -> None:
    section = scores.make_findings(judged.metrics)
    assert section is not None
    rows = {row[0]: row for row in section.tables[0].rows}
    assert (rows["Edema"][1], rows["Edema"][4]) == ("20", ".500")
    assert (rows["Mass"][1], rows["Mass"][4]) == ("10", ".250")
    assert rows["Mean of 2 of 2"][4] == ""


def test_roc_menu_shows_all_findings_or_one(judged: Evaluation) -> None:
    chart = draw_roc(judged)
    names = [trace["name"] for trace in chart["data"]]
    assert names == ["chance", *["model", "metadata only"] * 2]
    buttons = chart["layout"]["updatemenus"][0]["buttons"]
    assert buttons[0]["label"] == "all findings (2)"
    assert buttons[0]["args"][0]["visible"] == [True, True, False, True, False]
    area = judged.metrics["model"]["findings"]["Mass"]["auroc"]
    assert buttons[2]["label"] == f"Mass: {printed(area)} (n=10)"
    assert buttons[2]["args"][0]["visible"] == [True, False, False, True, True]


def test_charts_are_plain_finite_values(judged: Evaluation) -> None:
    charts = draw_charts(judged)
    assert json.loads(json.dumps(charts, allow_nan=False)) == charts
    matrix = judged.metrics["model"]["first_label"]["confusion_matrix"]
    assert charts["confusion"]["data"][0]["customdata"] == matrix


def test_charts_of_undefined_scores_are_empty_where_undefined() -> None:
    charts = draw_charts(judge_tiny((("No Finding",),), rows=4))
    assert [trace["name"] for trace in charts["roc"]["data"]] == ["chance"]
    model = charts["comparison"]["data"][0]
    assert model["x"] == [None, None, None]
    json.dumps(charts, allow_nan=False)


def test_lines_break_where_the_sheet_ends() -> None:
    lines = BODY.wrap("word " * 60, 3.0)
    assert " ".join(lines) == " ".join(["word"] * 60)
    assert max(map(BODY.width_of, lines)) <= 3.0
    assert BODY.width_of(lines[0] + " word") > 3.0


def test_a_word_wider_than_the_sheet_has_its_own_line() -> None:
    assert BODY.wrap("a " + "x" * 90 + " b", 2.0) == ["a", "x" * 90, "b"]


def test_bold_is_measured_as_bold() -> None:
    assert Font(size=9, weight="bold").width_of("model") > BODY.width_of("model")


def test_a_sheet_that_is_full_is_turned(tmp_path: Path) -> None:
    with PdfPages(tmp_path / "one.pdf") as pages:
        paper = Paper(pages, footer="f")
        assert paper.room == pytest.approx(HEIGHT - 2 * MARGIN)
        lines = int(paper.room / BODY.height)
        for _ in range(lines):
            paper.write("a line", BODY)
        assert not paper.has_room(BODY.height)
        paper.write("another", BODY)
        assert paper.room == pytest.approx(HEIGHT - 2 * MARGIN - BODY.height)
        paper.finish()
        assert pages.get_pagecount() == 2


class Sheets:
    """Keeps the sheets of a document, and writes an empty file."""

    kept: list[Figure]

    def __init__(self, path: Path, metadata: dict[str, Any]) -> None:
        assert metadata["CreationDate"] is None
        path.write_bytes(b"")
        type(self).kept = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def savefig(self, sheet: Figure) -> None:
        self.kept.append(sheet)


def boxes_of(sheet: Figure) -> list[tuple[str, Bbox]]:
    """The words and pictures of a sheet with the rectangles they fill."""
    renderer = FigureCanvasAgg(sheet).get_renderer()
    words = [
        (text.get_text(), text.get_window_extent(renderer))
        for text in sheet.texts
        if text.get_text().strip()
    ]
    return [*words, *(("picture", axes.bbox) for axes in sheet.axes)]


def check_sheets(sheets: list[Figure]) -> None:
    for sheet in sheets:
        boxes = boxes_of(sheet)
        for name, box in boxes:
            assert sheet.bbox.x0 <= box.x0, name
            assert box.x1 <= sheet.bbox.x1, name
            assert sheet.bbox.y0 <= box.y0, name
        extents = np.array([box.extents for _, box in boxes])
        low = np.maximum(extents[:, None, :2], extents[None, :, :2])
        high = np.minimum(extents[:, None, 2:], extents[None, :, 2:])
        shared = (high - low > 1.5).all(axis=2)  # pixels: a hair is no overlap
        pairs = np.argwhere(np.triu(shared, 1))
        assert [(boxes[one][0], boxes[other][0]) for one, other in pairs] == []


def test_nothing_lies_on_anything_else_in_the_report(
    judged: Evaluation,
    written: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document, "PdfPages", Sheets)
    figures = {file.stem: read_figure(file) for file in (written / "figures").iterdir()}
    sections = make_sections(judged.metrics, figures)
    heading = make_heading({**judged.metrics, "caution": "Mind the gap. " * 30})
    document.write_document(tmp_path / "a.pdf", heading, sections, figures)
    assert len(Sheets.kept) >= 3
    check_sheets(Sheets.kept)


def test_long_and_wide_tables_and_tall_figures_find_their_sheets(
    judged: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "PdfPages", Sheets)
    tall = tmp_path / "tall.png"
    Image.fromarray(np.zeros((900, 30, 3), np.uint8)).save(tall)
    header = ["name", *(f"column {number} of many words" for number in range(12))]
    rows = [[f"row {row}", *[".123 [0.1, 0.2]"] * 12] for row in range(70)]
    section = Section(
        key="one",
        title="One",
        tables=[Table(caption="Scores", header=header, rows=rows)],
        pictures=[Picture(name="tall", title="Tall", caption="")],
    )
    heading = make_heading(judged.metrics)
    document.write_document(
        tmp_path / "a.pdf", heading, [section], {"tall": read_figure(tall)}
    )
    check_sheets(Sheets.kept)
    texts = [text.get_text() for sheet in Sheets.kept for text in sheet.texts]
    assert texts.count("Scores") == 1
    assert texts.count("Scores, continued") == 1
    assert texts.count("row 69") == 2  # in both blocks of columns
    assert texts.count(".123 [0.1, 0.2]") == 12 * 70


def test_names_of_columns_break_before_cells_shrink(
    judged: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "PdfPages", Sheets)
    header = ["", *["a rather long name of a column"] * 8]
    table = Table(caption="Scores", header=header, rows=[["row", *[".123"] * 8]])
    section = Section(key="one", title="One", tables=[table])
    document.write_document(
        tmp_path / "a.pdf", make_heading(judged.metrics), [section], {}
    )
    cells = [
        text
        for sheet in Sheets.kept
        for text in sheet.texts
        if text.get_text() == ".123"
    ]
    assert {text.get_size() for text in cells} == {document.SIZES[0]}
    check_sheets(Sheets.kept)
