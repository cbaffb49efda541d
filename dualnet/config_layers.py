"""A configuration laid together: the defaults, a preset, a YAML file, overrides.

A preset is a YAML file of `dualnet/presets`; `--config FILE` and
`--set stage.key=value` are laid over it.
"""

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from dualnet.config import Config, parse_config
from dualnet.errors import ConfigError
from dualnet.stages import parse_yaml, shorten

FORMER_NAMES = {"residual": "xnet-residual"}  # of presets


def preset_names() -> list[str]:
    """Returns the names of the presets that ship with the package."""
    folder = resources.files("dualnet") / "presets"
    return sorted(
        Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".yaml")
    )


def read_config(
    *,
    preset: str | None = None,
    file: Path | None = None,
    overrides: Iterable[str] = (),
    below: Config | None = None,
) -> Config:
    """Reads a configuration: preset, then file, then dotted overrides.

    Args:
        preset: Name of a preset, one of `preset_names()`.
        file: YAML file laid over the preset.
        overrides: Lines such as `training.epochs=1`; values are read as YAML.
        below: What they are all laid over; none: the defaults.

    Returns:
        The whole configuration, checked.

    Raises:
        ConfigError: If a name, a key or a value is not known or not allowed.

    Example:
        >>> read_config(overrides=["training.epochs=1"]).training.epochs
        1
    """
    values = {} if below is None else below.model_dump(mode="json")
    if preset is not None:
        values = _merge(values, _read_preset(preset))
    if file is not None:
        values = _merge(values, _read_yaml(_read_text(file), where=str(file)))
    for line in overrides:
        values = _merge(values, _parse_override(line))
    return parse_config(values, where=str(file or preset or "configuration"))


def _read_preset(name: str) -> dict[str, Any]:
    name = FORMER_NAMES.get(name, name)
    if name not in preset_names():
        raise ConfigError(
            f"preset: must be one of {', '.join(preset_names())}. "
            f"Received: {shorten(name)}. Name a preset, or give --config FILE."
        )
    text = (resources.files("dualnet") / "presets" / f"{name}.yaml").read_text("utf-8")
    return _read_yaml(text, where=f"preset {name}")


def _read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: must be a readable YAML file. "
            f"Received: {getattr(error, 'strerror', 'no UTF-8')}. Check the path."
        ) from error


def _read_yaml(text: str, *, where: str) -> dict[str, Any]:
    values = parse_yaml(text, where=where) or {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"{where}: must map stages to keys. Received: {shorten(values)}. "
            "Write for instance `training: {epochs: 1}`."
        )
    return values


def _parse_override(line: str) -> dict[str, Any]:
    key, equals, value = line.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"--set: must be stage.key=value. Received: {shorten(line)}. "
            "Write for instance --set training.epochs=1."
        )
    nested: Any = _read_yaml(f"value: {value}", where=f"--set {key}")["value"]
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return nested


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged
