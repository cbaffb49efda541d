"""Mappings as files: those that ship with the package, and a person's own."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dualnet.data.readers.mapping import TableMapping
from dualnet.errors import ConfigError

MAPPING_FILE = "dualnet-table.yaml"


@dataclass(frozen=True, kw_only=True)
class NamedMapping:
    """A mapping and the file it stands in.

    Args:
        mapping: What the columns mean.
        file: The file's name.
        digest: SHA-256 of it.
    """

    mapping: TableMapping
    file: str
    digest: str


def mapping_names() -> list[str]:
    """Returns the names of the mappings that ship with the package."""
    return sorted(
        Path(file.name).stem
        for file in _shipped().iterdir()
        if file.name.endswith(".yaml")
    )


def read_mapping(mapping: str | Path) -> NamedMapping:
    """Reads a mapping.

    Args:
        mapping: One of `mapping_names()`, or a YAML file.

    Returns:
        The mapping, checked.

    Raises:
        ConfigError: If there is no such file, a key is not known or a value not allowed.
    """
    if str(mapping) in mapping_names():
        data, where = (_shipped() / f"{mapping}.yaml").read_bytes(), f"{mapping}.yaml"
    else:
        data, where = _read_bytes(Path(mapping)), Path(mapping).name
    return NamedMapping(
        mapping=_parse(_parse_yaml(data, where=where), where=where),
        file=where,
        digest=hashlib.sha256(data).hexdigest(),
    )


def _shipped() -> Any:
    return resources.files("dualnet") / "presets" / "tables"


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"data.mapping: must be {', '.join(mapping_names())} or a readable YAML "
            f"file. Received: {str(file)!r}: {error.strerror}. Correct the name."
        ) from error


def _parse_yaml(data: bytes, *, where: str) -> Any:
    try:
        return yaml.safe_load(data.decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise ConfigError(
            f"{where} line {line}: must be YAML. Received: a syntax error. "
            "Mend the line."
        ) from error


def _parse(values: Any, *, where: str) -> TableMapping:
    try:
        return TableMapping.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "mapping"
        reason = first["msg"].removeprefix("Value error, ")
        received = repr(first["input"])
        short = received if len(received) <= 60 else f"{received[:57]}..."
        raise ConfigError(
            f"{where}: `{key}`: {reason}. Received: {short}. "
            "See docs/tables.md for the keys."
        ) from None
