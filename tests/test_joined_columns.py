"""Another table's columns, brought to radiographs by their name."""

from pathlib import Path

import pytest

from dualnet.data.joined_columns import MOST_GROUPS, parse_join, read_joined
from dualnet.errors import ConfigError, RecordError

IMAGE_IDS = ["1.png", "2.png", "3.png"]


def write(folder: Path, text: str) -> Path:
    file = folder / "sites.csv"
    file.write_text(text)
    return file


def test_columns_come_in_the_order_of_the_radiographs(tmp_path: Path) -> None:
    file = write(tmp_path, "image_id,site,room\n3.png,b,x\n1.png, a ,\n9.png,c,y\n")
    found = read_joined(file, ["site"], IMAGE_IDS)
    assert found.columns == {"site": ["a", "", "b"]}
    assert (found.num_matched, found.num_rows_unused) == (2, 1)
    assert found.line == (
        "--join sites.csv: 2 radiographs matched, 1 without a row; "
        "1 row of other radiographs"
    )


def test_all_columns_are_taken_where_none_is_named(tmp_path: Path) -> None:
    rows = [f"{number}.png,{number},s" for number in range(20)]
    file = write(tmp_path, "\n".join(["Image Index,number,site", *rows]))
    found = read_joined(file, [], [f"{number}.png" for number in range(20)])
    assert list(found.columns) == ["site"]
    assert found.left_out == ("number",)
    assert "more than 12 values in number, left out" in found.line


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (
            "image_id,site\n1.png,a\n2.png,b\n1.png,a\n",
            ["site"],
            r"sites\.csv line 4: a radiograph must stand once in `image_id`\. "
            r"Received: 1\.png again",
        ),
        ("name,site\n1.png,a\n", ["site"], r"must name image_id or Image Index\. .*2"),
        ("image_id,site\n1.png,a\n", ["room"], r"must name one column `room`"),
        ("image_id,site\n1.png,a,b\n", ["site"], r"line 2: must have 2 fields"),
        ("image_id,site\n", ["site"], r"must hold at least one row"),
    ],
)
def test_a_bad_table_is_named(
    tmp_path: Path, text: str, columns: list[str], message: str
) -> None:
    with pytest.raises(RecordError, match=message):
        read_joined(write(tmp_path, text), columns, IMAGE_IDS)


def test_a_named_column_of_many_values_is_refused(tmp_path: Path) -> None:
    number = MOST_GROUPS + 1
    rows = "".join(f"{row}.png,{row}\n" for row in range(number))
    file = write(tmp_path, f"image_id,age\n{rows}")
    expected = r"`age` must have at most 12 different values\. Received: 13"
    with pytest.raises(RecordError, match=expected):
        read_joined(file, ["age"], [f"{row}.png" for row in range(number)])


def test_a_table_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="must be a readable CSV file, UTF-8"):
        read_joined(file, [], IMAGE_IDS)


def test_a_path_with_a_colon_is_a_path(tmp_path: Path) -> None:
    file = tmp_path / "a:b"
    file.touch()
    assert parse_join(str(file)) == (file, ())
    assert parse_join(f"{file}:site") == (file, ("site",))
    assert parse_join("t.csv:a, b") == (Path("t.csv"), ("a", "b"))


@pytest.mark.parametrize("text", ["t.csv:", ":a", "t.csv:a,,b"])
def test_an_empty_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must be TABLE or TABLE:column,column"):
        parse_join(text)
