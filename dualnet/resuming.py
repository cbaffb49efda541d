"""Which run `--resume` goes on with, and by which configuration: its own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dualnet.config import Config
from dualnet.config_layers import read_config
from dualnet.errors import ConfigError, RunError
from dualnet.runs import RunFolder
from dualnet.stages import shorten

PATHS = ("path", "pictures", "cache")


def read_resumed(
    path: Path,
    *,
    preset: str | None = None,
    file: Path | None = None,
    overrides: Iterable[str] = (),
) -> Config:
    """Reads the configuration that a run was begun with.

    Args:
        path: The run folder.
        preset: Named besides; what it says must be as the run has it.
        file: Given besides; what it says must be as the run has it.
        overrides: Given besides; what they say must be as the run has it.

    Returns:
        The run's configuration.

    Raises:
        RunError: If there is no run.
        ConfigError: If something given besides would make another run.
    """
    run = RunFolder(path)
    if not run.is_begun:
        raise RunError(
            f"{path}: must be a run that was begun. Received: no config.yaml in it. "
            "Train it without --resume."
        )
    config = run.read_config()
    stated = read_config(preset=preset, file=file, overrides=overrides, below=config)
    ours, theirs = _flatten(config), _flatten(stated)
    for key, value in theirs.items():
        if value != ours[key]:
            raise ConfigError(
                f"--resume: {key} must be as {path} has it, {shorten(ours[key])}. "
                f"Received: {shorten(value)}. Leave it out, or train another run."
            )
    return config


def describe_stop(path: Path) -> str:
    """Says how to go on with a run that was stopped.

    Args:
        path: The run folder.

    Returns:
        The rest of a line.
    """
    run = RunFolder(path)
    if run.is_begun and not run.is_finished:
        return f"go on with `dualnet train --run {path} --resume`"
    return f"{path} is as it was"


def _flatten(config: Config) -> dict[str, Any]:
    """Returns the values by dotted key; paths as they are from the root."""
    flat: dict[str, Any] = {"seed": config.seed}
    for stage, values in config.model_dump(mode="json", exclude={"seed"}).items():
        flat |= {f"{stage}.{name}": value for name, value in values.items()}
    for key in (f"data.{name}" for name in PATHS):
        flat[key] = flat[key] and str(Path(flat[key]).resolve())
    return flat
