"""The configuration: what is laid over what, and what is refused."""

from pathlib import Path

import pytest
import yaml

from dualnet.config import Config, format_config, parse_config
from dualnet.config_layers import preset_names, read_config
from dualnet.errors import ConfigError


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_whole_configuration(name: str) -> None:
    config = read_config(preset=name)
    assert parse_config(yaml.safe_load(format_config(config)), where=name) == config


def test_overrides_lie_over_the_file_and_the_file_over_the_preset(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("training: {epochs: 3, batch_size: 4}\n")
    config = read_config(preset="xnet", file=file, overrides=["training.epochs=1"])
    assert config.training.epochs == 1
    assert config.training.batch_size == 4
    assert config.model.image_branch == "xnet"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.epoch=1",
            r"`training\.epoch`: must be one of the keys .*epochs, .* Received: 1\.",
        ),
        ("trainin.epochs=1", r"`trainin`: must be one of the keys seed, data, phantom"),
        (
            "training.epochs=0",
            r"`training\.epochs`: must be at least 1\. Received: 0\.",
        ),
        ("training.epochs=x", r"`training\.epochs`: must be a whole number\. .*'x'"),
        ("training=1", r"`training`: must be keys with values\. Received: 1\."),
        (
            "model.modality=both",
            r"`model\.modality`: must be 'fused', .*Received: 'both'",
        ),
        ("training", r"--set: must be stage\.key=value\. Received: 'training'"),
        (
            "split.train=0.9",
            r"`split`: split\.train \+ val \+ test must be 1, not 1\.2",
        ),
        ("model.metadata_fields=[]", r"metadata_fields must be one or more"),
        ("phantom.images=100", r"phantom\.images must be at least phantom\.patients"),
        ("seed={", r"--set seed line 1: must be YAML"),
    ],
)
def test_a_bad_override_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(overrides=[override])


def test_shift_of_before_is_read() -> None:
    config = parse_config({"training": {"max_shift": 0.1}}, where="old")
    assert config.training.augmentation.shift == 0.1
    values = yaml.safe_load(format_config(config))
    assert "max_shift" not in values["training"]
    assert parse_config(values, where="new") == config


def test_shift_under_both_names_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`training`: .*give one of the two\. Rec"):
        read_config(
            overrides=["training.max_shift=0", "training.augmentation.shift=0.1"]
        )


def test_an_unknown_preset_is_named_with_those_that_exist() -> None:
    with pytest.raises(
        ConfigError, match=r"one of .*covid, .*xnet, xnet-residual\. Received: 'xnte'"
    ):
        read_config(preset="xnte")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: must be a readable YAML file"):
        read_config(file=tmp_path / "no.yaml")


def test_a_file_that_is_a_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text("- 1\n")
    with pytest.raises(ConfigError, match=r"must map stages to keys\. Received: \[1\]"):
        read_config(file=file)


def test_the_configuration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().seed = 1  # type: ignore[misc]


def test_a_preset_goes_by_its_former_name_too() -> None:
    assert read_config(preset="residual") == read_config(preset="xnet-residual")


@pytest.mark.parametrize("name", ["xnet", "xnet-residual"])
def test_x_net_takes_other_fields_of_the_record(name: str) -> None:
    config = read_config(
        preset=name, overrides=["model.metadata_fields=[age,view,sex]"]
    )
    assert config.model.metadata_fields == ("age", "view", "sex")
