"""The command line: one clear line for bad input, exit status 2, nothing half-written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dualnet.cli import main
from dualnet.config_layers import preset_names
from dualnet.data.readers import READERS
from dualnet.data.readers.mapping_file import mapping_names

TABLE = "Data_Entry_2017_v2020.csv"
TRAIN = (
    "--set",
    "data.image_size=64",
    "--set",
    "split.rare_findings=train",
    "--set",
    "training.epochs=1",
)


@pytest.fixture
def data(small_phantom: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_phantom, tmp_path / "data"))


def run_train(data: Path, tmp_path: Path, *options: str) -> int:
    return main(
        [
            "train",
            *("--data", str(data)),
            *("--run", str(tmp_path / "run")),
            *("--cache", str(tmp_path / "cache")),
            *(options or TRAIN),
        ]
    )


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


def edit(table: Path, line: int, old: str, new: str) -> None:
    lines = table.read_text().splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    table.write_text("".join(lines))


def column(table: Path, line: int, number: int) -> str:
    return table.read_text().splitlines()[line - 1].split(",")[number]


def replace_cell(table: Path, line: int, number: int, value: str) -> None:
    lines = table.read_text().splitlines()
    cells = lines[line - 1].split(",")
    cells[number] = value
    lines[line - 1] = ",".join(cells)
    table.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("cell", "value", "message"),
    [
        (1, "Influenza", "'Influenza'"),
        (4, "412Y", "'412Y'"),
        (6, "XX", "'XX'"),
    ],
)
def test_a_bad_cell_is_named_with_its_line(
    cell: int,
    value: str,
    message: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    replace_cell(data / TABLE, 5, cell, value)
    assert run_train(data, tmp_path) == 2
    line = last_line(capsys)
    assert f"{TABLE} line 5" in line
    assert message in line
    assert not (tmp_path / "run").exists()


def test_a_duplicate_image_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = column(data / TABLE, 2, 0)
    replace_cell(data / TABLE, 3, 0, name)
    assert run_train(data, tmp_path) == 2
    assert name in last_line(capsys)


def test_a_missing_column_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(data / TABLE, 1, "View Position", "View")
    assert run_train(data, tmp_path) == 2
    assert "View Position" in last_line(capsys)


@pytest.mark.parametrize("kind", ["file", "empty", "absent"])
def test_a_folder_that_is_no_dataset_is_named(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    if kind == "file":
        data.write_text("not a folder")
    if kind == "empty":
        data.mkdir()
    assert run_train(data, tmp_path) == 2
    assert str(data) in last_line(capsys)
    assert not (tmp_path / "run").exists()


def test_a_finding_of_one_patient_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = data / TABLE
    for line in range(2, 92):
        replace_cell(table, line, 1, "Hernia" if line == 2 else "No Finding")
    assert run_train(data, tmp_path, "--set", "data.image_size=64") == 2
    line = last_line(capsys)
    assert "Hernia" in line
    assert "split.rare_findings=train" in line


def test_a_folder_of_broken_pictures_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for picture in (data / "images").iterdir():
        picture.write_text("no picture")
    assert run_train(data, tmp_path) == 2
    assert "Received" in last_line(capsys)
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(tmp_path / "none")]) == 2
    assert "must be a run folder. Received: no such folder" in last_line(capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "No such command 'trian'"),
        (["train"], "Missing option '--run'. See `dualnet train --help`."),
        (["train", "--run", "r", "--preset", "xnte"], "preset: must be one of "),
        (["train", "--run", "r", "--set", "training.epochs=none"], "training.epochs"),
        (["train", "--run", "r", "--config", "no.yaml"], "No such file or directory"),
        (["phantom", "out", "--images", "many"], "--images"),
        (
            ["phantom", "out", "--images", "9", "--patients", "10"],
            "from 10 to 100,000,000. Received: num_images=9. Give a number in that "
            "range; each patient has a radiograph.",
        ),
    ],
)
def test_bad_words_get_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_failure_of_ours_gets_one_line_and_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr("dualnet.jobs.evaluate.evaluate_run", fail)
    assert main(["evaluate", "run"]) == 1
    assert capsys.readouterr().err == (
        "dualnet: ZeroDivisionError: oh no. Say --debug for a traceback.\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        "",
        "phantom",
        "download",
        "prepare",
        "explore",
        "export-folders",
        "train",
        "evaluate",
        "visualize",
        "explain",
        "embedding",
    ],
)
def test_help_loads_no_framework(command: str) -> None:
    code = (
        "import sys\n"
        "from dualnet.cli import main\n"
        f"status = main({[*command.split(), '--help']!r})\n"
        "heavy = {'keras', 'tensorflow', 'pandas', 'numpy', 'matplotlib', 'sklearn'}\n"
        "heavy.add('requests')\n"
        "sys.exit(status or ' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: dualnet" in done.stdout


def test_help_names_each_command_in_a_whole_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2].strip().splitlines()
    assert len(listed) == 12
    for line in listed:
        assert line.endswith(".")
        assert "..." not in line


def test_help_names_what_there_is_to_choose(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "--help"]) == 0
    said = capsys.readouterr().out
    for name in (*preset_names(), *READERS, *mapping_names()):
        assert name in said


def test_import_dualnet_loads_no_framework() -> None:
    code = (
        "import sys, dualnet\n"
        "assert dualnet.Config\n"
        "sys.exit(' '.join({'keras', 'tensorflow', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
