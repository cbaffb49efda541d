"""A run that begins with another's weights says so, and knows nobody it will judge."""

from pathlib import Path

import keras
import numpy as np
import pytest
from run_cases import configure

from dualnet.cli import main
from dualnet.errors import RunError
from dualnet.files import sha256
from dualnet.jobs.train import train_run
from dualnet.runs import RunFolder


@pytest.fixture(scope="module")
def first(
    small_phantom: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunFolder, Path]:
    folder = tmp_path_factory.mktemp("first")
    cache = folder / "cache"
    config = configure(
        small_phantom, cache, "model.modality=image", "split.rare_findings=train"
    )
    return train_run(config, folder / "run"), cache


def begin(
    first: tuple[RunFolder, Path], data: Path, run: Path, *more: str
) -> RunFolder:
    config = configure(
        data,
        first[1],
        f"model.init_from={first[0].path}",
        "split.rare_findings=train",
        *more,
    )
    return train_run(config, run)


def weights(run: RunFolder, layer: str) -> np.ndarray:
    model = keras.saving.load_model(run.model, compile=False)
    return model.get_layer(layer).get_weights()[0]


def test_run_begins_with_anothers_branch_and_says_so(
    first, small_phantom: Path, tmp_path: Path, caplog
):
    with caplog.at_level("INFO"):
        run = begin(
            first,
            small_phantom,
            tmp_path / "run",
            "training.halves_first=false",
            "training.epochs=2",
            "training.frozen_epochs=1",
            "training.fine_tune_rate=1e-12",
        )
    told = run.read_environment()["began_with"]
    assert told["run"] == str(first[0].path.resolve())
    assert told["sha256"] == sha256(first[0].model)
    assert told["taken"] == 5  # four convolutions, a dense layer
    assert told["of_other_shapes"] == ["logits"]
    assert any("5 of 8 layers; of other shapes: logits" in m for m in caplog.messages)
    for layer in ("image_conv_1", "image_dense_1"):
        np.testing.assert_allclose(
            weights(run, layer), weights(first[0], layer), atol=1e-9
        )
    assert run.read_config().model.init_from == first[0].path


@pytest.mark.slow
def test_head_is_taken_where_the_classes_are_the_same(
    first, small_phantom: Path, tmp_path: Path
):
    run = begin(
        first,
        small_phantom,
        tmp_path / "run",
        "model.modality=image",
        "training.learning_rate=1e-12",
    )
    assert run.read_environment()["began_with"]["taken"] == 6
    np.testing.assert_allclose(
        weights(run, "logits"), weights(first[0], "logits"), atol=1e-9
    )


def test_run_that_knows_who_is_to_be_judged_is_refused(
    first, small_phantom: Path, tmp_path: Path
):
    message = r"no patient of its train part .* Received: \d+ of \d+ radiographs"
    with pytest.raises(RunError, match=message):
        begin(first, small_phantom, tmp_path / "run", "seed=5")
    assert not (tmp_path / "run").exists()


def test_command_line_names_the_run(capsys, tmp_path: Path):
    words = [
        "train",
        "--run",
        str(tmp_path / "run"),
        "--init-from",
        str(tmp_path / "no"),
    ]
    assert main(words) == 2
    assert "no: must be a run folder" in capsys.readouterr().err
