"""Mappings as files: those that ship with the package, and a person's own."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from dualnet.data.readers.mapping import TableMapping
from dualnet.errors import ConfigError
from dualnet.stages import parse_stage, parse_yaml

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
    checked = parse_stage(
        TableMapping,
        parse_yaml(_decode(data, where=where), where=where),
        where=where,
        advice="See docs/tables.md for the keys.",
    )
    return NamedMapping(
        mapping=checked,
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


def _decode(data: bytes, *, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{where}: must be UTF-8. Received: other bytes. Save it as UTF-8."
        ) from error
