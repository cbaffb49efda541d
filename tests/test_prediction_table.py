from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from truth_cases import EDEMA, MASS, NONE, TINY

from dualnet.data.readers.prediction_columns import find_class_columns
from dualnet.data.readers.prediction_table import PredictionTable, read_predictions
from dualnet.errors import ConfigError, DualNetError, RecordError
from dualnet.findings import NIH


def write(folder: Path, text: str, name: str = "preds.csv") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def read(folder: Path, text: str, **options: object) -> PredictionTable:
    return read_predictions(write(folder, text), TINY, **options)  # type: ignore[arg-type]


def test_scores_are_in_the_order_of_the_classes(tmp_path: Path) -> None:
    table = read(tmp_path, "image_id,prob_Mass,prob_Edema\na.png,0.25,0.5\nb.png,1,0\n")
    assert table.image_ids.tolist() == ["a.png", "b.png"]
    assert table.scores[:, [EDEMA, MASS]].tolist() == [[0.5, 0.25], [0, 1]]
    assert np.isnan(table.scores[:, NONE]).all()
    assert table.unscored == ("No Finding",)
    assert table.columns == {"Edema": "prob_Edema", "Mass": "prob_Mass"}


def test_digits_are_read_as_they_are_written(tmp_path: Path) -> None:
    table = read(tmp_path, "id,Edema,Mass\na,0.1,0.30000000000000004\n")
    assert table.scores[0, [EDEMA, MASS]].tolist() == [0.1, 0.30000000000000004]


@pytest.mark.parametrize(
    "name", ["image_id", "Image Index", "IMAGE INDEX", "filename", "path"]
)
def test_radiographs_column_is_found(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f"Mass,{name}\n0.5, a.png \n").image_ids.tolist() == ["a.png"]


def test_radiographs_column_can_be_named(tmp_path: Path) -> None:
    text = "image_id,study,Mass\n1,a.png,0.5\n2,b.png,0.5\n"
    table = read(tmp_path, text, id_column="study")
    assert table.image_ids.tolist() == ["a.png", "b.png"]


@pytest.mark.parametrize(
    "column",
    [
        "prob_Pleural_Thickening",
        "prob_Pleural Thickening",
        "Prob_pleural-thickening",
        "pred_PleuralThickening",
        " Pleural_Thickening",
    ],
)
def test_names_are_matched_leniently(tmp_path: Path, column: str) -> None:
    file = write(tmp_path, f"image_id,{column}\na.png,0.5\n")
    assert list(read_predictions(file, NIH).columns) == ["Pleural_Thickening"]


def test_probabilities_are_taken_not_the_labels_beside_them(tmp_path: Path) -> None:
    text = "id,Edema,Mass,No Finding,prob_Edema,prob_Mass\na,1,0,0,0.3,0.4\n"
    table = read(tmp_path, text)
    assert table.scores[0, [EDEMA, MASS]].tolist() == [0.3, 0.4]
    assert read(tmp_path, text, prefix="").scores[0].tolist() == [1, 0, 0]


def test_prefix_with_every_finding_is_taken_first() -> None:
    header = ["id", "prob_Edema", "score_Edema", "score_Mass", "score_Lung"]
    found = find_class_columns(header, TINY, where="preds.csv")
    assert list(found.classes.values()) == ["score_Edema", "score_Mass"]
    assert found.unused == ("score_Lung",)


def test_mapping_names_the_columns(tmp_path: Path) -> None:
    columns = write(
        tmp_path, "image_id: study\nclasses: {mass: m1, no finding: none}\n", "c.yaml"
    )
    table = read(tmp_path, "study,m1,none\na.png,0.5,0.5\n", columns=columns)
    assert table.columns == {"Mass": "m1", "No Finding": "none"}
    assert table.image_ids.tolist() == ["a.png"]


@pytest.mark.parametrize(
    ("mapping", "error", "message"),
    [
        ("classes: {Lung: m1}", ConfigError, r"^--columns: .* Received: 'Lung'"),
        (
            "classes: {Mass: m2}",
            RecordError,
            r"^preds\.csv: .*'m2'.*Received: 2 columns",
        ),
        ("class: {Mass: m1}", ConfigError, r"^c\.yaml: .*`?class"),
        ("classes: {Mass: m1", ConfigError, r"^c\.yaml line \d: must be YAML"),
    ],
)
def test_mapping_that_does_not_fit_is_refused(
    tmp_path: Path, mapping: str, error: type[DualNetError], message: str
) -> None:
    columns = write(tmp_path, mapping, "c.yaml")
    with pytest.raises(error, match=message):
        read(tmp_path, "id,m1\na.png,0.5\n", columns=columns)


def test_mapping_stands_without_a_prefix_and_must_be_there(tmp_path: Path) -> None:
    columns = write(tmp_path, "classes: {Mass: m1}", "c.yaml")
    with pytest.raises(ConfigError, match=r"^--prefix: .* Received: 'm'"):
        read(tmp_path, "id,m1\na.png,0.5\n", columns=columns, prefix="m")
    with pytest.raises(ConfigError, match=r"^--columns: .*d\.yaml.*No such file"):
        read(tmp_path, "id,m1\na.png,0.5\n", columns=tmp_path / "d.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,prob_Lung\na,0.5\n", r"a column of probabilities a finding.*2 columns"),
        ("id,prob_No Finding\na,0.5\n", r"a column of probabilities a finding"),
        ("name2,Mass\na,0.5\n", r"radiograph's name, image_id or .*--id-column"),
        ("id,Mass,MASS\na,0.5,0.5\n", r"one column of Mass\. .*'Mass' and 'MASS'"),
        ("id,Mass\n", r"at least one row\. Received: only a header"),
        ("", r"line 1: must name the columns\. Received: no column"),
        ("id,Mass\na,0.5\nb\n", r"line 3: must have 2 fields.*Received: 1 field"),
        ("id,Mass\na,0.5\nb,0.5,0.5\n", r"line 3: .*Received: 3 fields"),
        ("id,Mass\na,0.5\n,0.5\n", r"line 3: must name a radiograph\. .*\(1 of 2 rows"),
        ("id,Mass\na,0.5\nb,0.5\na,1\n", r"line 4: .*once\. Received: 'a'.*line 2 too"),
        (
            "id,Mass\na,0.5\nb,nan\nc,\n",
            r"line 3: `Mass` .*finite.*'nan' \(2 of 3 rows",
        ),
        ("id,Mass\na,0.5\nb,\n", r"line 3: `Mass` must be a finite.*Received: ''"),
        ("id,Mass\na,high\n", r"line 2: `Mass` must be a finite.*Received: 'high'"),
        ("id,Mass\na,inf\n", r"line 2: `Mass` must be a finite.*Received: 'inf'"),
        ("id,Mass\na,1.7\n", r"line 2: .*in \[0, 1\]\. Received: '1\.7'.*--logits"),
        ("id,Mass\na,-0.01\n", r"line 2: .*in \[0, 1\]\. Received: '-0\.01'"),
    ],
)
def test_table_that_is_none_is_refused_by_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(RecordError, match=rf"^preds\.csv:? ?.*{message}") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_logits_may_be_any_finite_number(tmp_path: Path) -> None:
    table = read(tmp_path, "id,Mass\na,-7.5\nb,1e3\n", logits=True)
    assert table.scores[:, MASS].tolist() == [-7.5, 1000]
    with pytest.raises(RecordError, match=r"line 2: .*finite.*'-inf'"):
        read(tmp_path, "id,Mass\na,-inf\n", logits=True)


def test_last_digit_above_one_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path, "id,Mass\na,1.0000001\n").scores[0, MASS] == 1.0000001


def test_absent_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no\.csv: must be readable.*No such file"):
        read_predictions(tmp_path / "no.csv", TINY)


def test_parquet_is_the_same_table(tmp_path: Path) -> None:
    values = {"image_id": ["a.png", "b.png"], "prob_Mass": [0.1, 1.0]}
    pd.DataFrame(values).to_parquet(tmp_path / "preds.parquet")
    table = read_predictions(tmp_path / "preds.parquet", TINY)
    assert table.image_ids.tolist() == ["a.png", "b.png"]
    assert table.scores[:, MASS].tolist() == [0.1, 1.0]


def test_parquet_with_a_missing_score_is_refused(tmp_path: Path) -> None:
    values = {"image_id": ["a.png", "b.png"], "prob_Mass": [0.1, None]}
    pd.DataFrame(values).to_parquet(tmp_path / "preds.parquet")
    with pytest.raises(RecordError, match=r"^preds\.parquet line 2: `prob_Mass`"):
        read_predictions(tmp_path / "preds.parquet", TINY)
    (tmp_path / "preds.parquet").write_text("no table")
    with pytest.raises(RecordError, match=r"^preds\.parquet: must be a readable Parq"):
        read_predictions(tmp_path / "preds.parquet", TINY)
