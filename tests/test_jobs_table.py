"""Commands on a table that a mapping explains."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from run_cases import configure
from table_cases import (
    PLAIN,
    write_mapping,
)

from dualnet.cli import main
from dualnet.config_layers import read_config
from dualnet.data.phantom import make_phantom
from dualnet.data.readers import read_records
from dualnet.findings import NIH
from dualnet.jobs.prepare import prepare_data
from dualnet.jobs.sources import read_source, split_patients
from dualnet.jobs.train import train_run


def write_as_table(images: Path, nih: pd.DataFrame, data: Path) -> Path:
    """Writes NIH's radiographs with a table of another form; returns the mapping."""
    shutil.copytree(images, data / "pictures")
    rows = pd.DataFrame(
        {
            "File": nih["image_id"].str.removesuffix(".png"),
            "Patient": "p" + nih["patient_id"],
            "Age": nih["age_years"],
            "Sex": nih["sex"].map({"M": 1, "F": 2}),
            "View": nih["view_position"].str.lower(),
            "Visit": nih["follow_up"],
            "Found": nih["findings"].map(";".join),
        }
    )
    rows.to_csv(data / "radiographs.csv", index=False)
    names = {name: name for name in NIH.class_names}
    return write_mapping(
        data,
        image={"id": "File", "paths": ["pictures/{id}.png"]},
        view={"column": "View", "values": {"pa": "PA", "ap": "AP"}},
        vocabulary="nih",
        finding_list={**PLAIN["finding_list"], "names": names},
    )


def test_from_a_table_to_the_cache(tmp_path: Path, small_phantom: Path) -> None:
    """The phantom's own pictures, told by a table of another form."""
    nih = read_records(small_phantom, format="nih").table
    data = tmp_path / "data"
    write_as_table(small_phantom / "images", nih, data)
    config = read_config(
        overrides=[
            f"data.path={data}",
            f"data.cache={tmp_path / 'cache'}",
            "data.image_size=32",
            "data.workers=1",
            "split.rare_findings=train",
        ]
    )
    records = read_source(config)
    same = ["age_years", "sex", "view_position", "follow_up", "findings"]
    pd.testing.assert_frame_equal(records.table[same], nih[same])
    parts = split_patients(records.pictured(), records, config)
    assert parts.groupby("patient_id")["part"].nunique().max() == 1
    assert set(parts["part"]) == {"train", "val", "test"}
    cache = prepare_data(config)
    assert cache.read(np.arange(90)).shape == (90, 32, 32, 1)


def test_a_run_is_judged_on_a_table_that_the_options_name(
    tmp_path: Path, small_phantom: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["split.rare_findings=train", "model.modality=metadata"]
    config = configure(small_phantom, tmp_path / "cache", *options)
    run = train_run(config, tmp_path / "run")
    other = tmp_path / "other"
    make_phantom(other, num_images=12, num_patients=6, seed=9, size=64, workers=1)
    data = tmp_path / "data"
    nih = read_records(other, format="nih").table
    mapping = write_as_table(other / "images", nih, data)
    mapping = mapping.rename(tmp_path / "mine.yaml")
    words = ["evaluate", str(run.path), "--mapping", str(mapping)]
    assert main([*words, "--data", str(data), "--cache", str(tmp_path / "more")]) == 0
    predictions = pd.read_csv(run.evaluation / "data" / "predictions.csv")
    assert predictions["image_id"].tolist() == [
        name.removesuffix(".png") for name in nih["image_id"]
    ]
    assert main(words) == 2
    assert "--mapping: must be left out where --data" in capsys.readouterr().err
    assert main([*words[:2], "--pictures", "apart"]) == 2
    said = capsys.readouterr().err
    assert "--pictures: must be left out where --data" in said
    assert "Received: 'apart'" in said
    words = ["evaluate", str(run.path), "--format"]
    assert main([*words, "nih", "--data", str(data)]) == 2
    assert f"{data}: must hold NIH's table" in capsys.readouterr().err
    assert main([*words, "nih"]) == 2
    assert "--format: must be left out where --data" in capsys.readouterr().err


def test_prepare_takes_a_mapping(
    tmp_path: Path, small_phantom: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    nih = read_records(small_phantom, format="nih").table
    mapping = write_as_table(small_phantom / "images", nih, data)
    mapping = mapping.rename(tmp_path / "mine.yaml")
    words = ["prepare", "--data", str(data), "--mapping", str(mapping)]
    words += ["--cache", str(tmp_path / "cache"), "--image-size", "32"]
    assert main([*words, "--workers", "1"]) == 0
    assert "90 pictures, 0 refused" in capsys.readouterr().out


def test_commands_take_pictures_apart_from_the_table(
    tmp_path: Path,
    small_phantom: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, apart = tmp_path / "data", tmp_path / "apart"
    (apart / "images").mkdir(parents=True)
    shutil.copytree(small_phantom, data, ignore=shutil.ignore_patterns("images"))
    for picture in sorted((small_phantom / "images").iterdir())[:5]:
        shutil.copy(picture, apart / "images")
    monkeypatch.chdir(tmp_path)
    words = ["--data", str(data), "--pictures", "apart", "--set", "data.image_size=32"]
    assert main(["prepare", *words]) == 0
    said = capsys.readouterr().out  # the cache is named after the pictures
    assert said.startswith("5 pictures, 0 refused: cache/apart-")
    assert main(["explore", *words, "--out", "explored"]) == 0
    facts = json.loads((tmp_path / "explored" / "explore.json").read_text())
    assert facts["dataset"] == "data, pictures of apart"
