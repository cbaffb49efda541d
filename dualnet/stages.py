"""Keys and values as YAML, checked: every error is one line in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from dualnet.errors import ConfigError

LONGEST = 60  # characters of a value that an error repeats


class Stage(BaseModel):
    """Base of the stages: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


StageType = TypeVar("StageType", bound=Stage)


def parse_yaml(text: str, *, where: str) -> Any:
    """Parses YAML.

    Args:
        text: The file's text.
        where: Named in the error.

    Returns:
        Plain values.

    Raises:
        ConfigError: If it is not YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise ConfigError(
            f"{where} line {line}: must be YAML. Received: a syntax error. "
            "Mend the line."
        ) from error


def parse_stage(
    stage: type[StageType], values: Any, *, where: str, advice: str
) -> StageType:
    """Checks plain values.

    Args:
        stage: What they must be.
        values: Keys and their values, as read from YAML.
        where: Named in the error.
        advice: What to do, the error's last sentence.

    Returns:
        The stage.

    Raises:
        ConfigError: If a key is not known or missing, or a value not allowed.

    Example:
        >>> class Drawing(Stage):
        ...     size: int
        >>> parse_stage(Drawing, {"size": "big"}, where="a.yaml", advice="Mend it.")
        Traceback (most recent call last):
        dualnet.errors.ConfigError: a.yaml: `size`: must be a whole number. Received: \
'big'. Mend it.
    """
    try:
        return stage.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    received = "nothing" if first["type"] == "missing" else shorten(first["input"])
    raise ConfigError(
        f"{where}: {f'`{key}`: ' if key else ''}{_expected(first, stage)}. "
        f"Received: {received}. {advice}"
    )


def shorten(value: object) -> str:
    """Returns a value as an error repeats it: of a long one, the beginning."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _expected(error: Any, stage: type[Stage]) -> str:
    """Returns pydantic's reason in plain words."""
    if error["type"] == "extra_forbidden":
        known = _known_keys(stage, error["loc"][:-1])
        return f"must be one of the keys {', '.join(known)}" if known else "unknown key"
    plain: dict[str, str] = {
        "missing": "must be given",
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "float_type": "must be a number",
        "bool_parsing": "must be true or false",
        "bool_type": "must be true or false",
        "string_type": "must be a text",
        "model_type": "must be keys with values",
        "dict_type": "must be keys with values",
    }
    reason: str = error["msg"].removeprefix("Value error, ")
    reason = reason.replace("Input should be", "must be")
    reason = reason.replace("greater than or equal to", "at least")
    reason = reason.replace("less than or equal to", "at most")
    return plain.get(error["type"], reason)


def _known_keys(stage: type[Stage], place: Sequence[str | int]) -> list[str]:
    """Returns the keys of the stage at a place; none where a list is on the way."""
    below: Any = stage
    for part in place:
        fields: Mapping[str, Any] = getattr(below, "model_fields", {})
        below = fields[str(part)].annotation if str(part) in fields else None
    return list(getattr(below, "model_fields", {}))
