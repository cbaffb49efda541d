"""Which column of a predictions table is which class, by prefix or by mapping."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualnet.errors import ConfigError, RecordError
from dualnet.findings import Vocabulary
from dualnet.stages import Stage, parse_stage, parse_yaml, shorten
from dualnet.wording import number_of

ID_COLUMNS = (
    "image_id",
    "Image Index",
    "image_index",
    "image",
    "image_name",
    "filename",
    "file",
    "path",
    "id",
)
# asked in this order; the first under which every finding has a column, else the first
# under which one has
PREFIXES = ("prob_", "probability_", "pred_", "p_", "score_", "logit_", "")


class PredictionColumns(Stage):
    """What the columns of a predictions table are, as a YAML file says.

    `image_id` names the column with the radiograph's name, if it is no usual one;
    `classes` gives the column of each class.
    """

    image_id: str | None = None
    classes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ClassColumns:
    """The columns that were found.

    Args:
        image_id: Names the radiograph.
        classes: The column of each class that has one, in the vocabulary's order.
        unused: Columns with the classes' prefix, of no class.
    """

    image_id: str
    classes: Mapping[str, str]
    unused: tuple[str, ...] = ()


def read_prediction_columns(file: Path) -> PredictionColumns:
    """Reads the mapping of a predictions table's columns.

    Args:
        file: YAML with `classes` and, if need be, `image_id`.

    Returns:
        The mapping.

    Raises:
        ConfigError: If it cannot be read, or a key is not known.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--columns: must be a readable YAML file, UTF-8. Received: {str(file)!r}: "
            f"{getattr(error, 'strerror', None) or 'other bytes'}. Correct the name."
        ) from error
    return parse_stage(
        PredictionColumns,
        parse_yaml(text, where=file.name),
        where=file.name,
        advice="Give `classes`, a column a class, and if need be `image_id`.",
    )


def find_class_columns(
    header: Sequence[str],
    vocabulary: Vocabulary,
    *,
    where: str,
    id_column: str | None = None,
    prefix: str | None = None,
    columns: PredictionColumns | None = None,
) -> ClassColumns:
    """Finds the columns of a predictions table.

    Names are compared by their letters and digits alone, whatever their case:
    `Pleural_Thickening` is `Pleural Thickening`.

    Args:
        header: Names of the columns.
        vocabulary: Names the classes.
        where: The file's name, for the error.
        id_column: The column with the radiograph's name; none: one of `ID_COLUMNS`.
        prefix: Of the classes' columns; none: one of `PREFIXES`.
        columns: What a mapping says instead of a prefix.

    Returns:
        The columns.

    Raises:
        ConfigError: If `columns` names no class, or stands beside a prefix.
        RecordError: If the radiograph's column, or that of every finding, is absent, or
            a class has two.
    """
    if columns is not None:
        if prefix is not None:
            raise ConfigError(
                "--prefix: must be left out where --columns names every column. "
                f"Received: {prefix!r}. Leave one of the two out."
            )
        classes, unused = _read_mapped(header, vocabulary, columns, where=where), ()
        id_column = id_column or columns.image_id
    else:
        classes, unused = _find_prefixed(header, vocabulary, prefix, where=where)
    if not set(classes) & {*vocabulary.findings}:
        asked = "" if prefix is None else f" with the prefix {prefix!r}"
        raise RecordError(
            f"{where}: must have a column of probabilities a finding{asked}, such as "
            f"{prefix or 'prob_'}{vocabulary.findings[0]}. "
            f"Received: {_count(header)}. Name their --prefix, or map them with --columns."
        )
    return ClassColumns(
        image_id=_find_id(header, id_column, where=where),
        classes={
            name: classes[name] for name in vocabulary.class_names if name in classes
        },
        unused=tuple(unused),
    )


def simplify(name: str) -> str:
    """Returns a name as names are compared.

    Example:
        >>> simplify("Pleural_Thickening") == simplify("pleural thickening")
        True
    """
    return re.sub(r"[\W_]+", "", name).casefold()


def _find_prefixed(
    header: Sequence[str], vocabulary: Vocabulary, prefix: str | None, *, where: str
) -> tuple[dict[str, str], list[str]]:
    asked = PREFIXES if prefix is None else (prefix,)
    found = [_match(header, vocabulary, one, where=where) for one in asked]
    some = [one for one in found if set(one[0]) & {*vocabulary.findings}]
    full = [one for one in some if set(one[0]) >= {*vocabulary.findings}]
    return next(iter([*full, *some]), ({}, []))


def _match(
    header: Sequence[str], vocabulary: Vocabulary, prefix: str, *, where: str
) -> tuple[dict[str, str], list[str]]:
    class_of = {simplify(name): name for name in vocabulary.class_names}
    classes: dict[str, str] = {}
    unused = []
    for column in header:
        if not column.strip().casefold().startswith(prefix.casefold()):
            continue
        name = class_of.get(simplify(column.strip()[len(prefix) :]))
        if name is None:
            unused.append(column)
        elif name in classes:
            raise RecordError(
                f"{where}: must have one column of {name}. "
                f"Received: {classes[name]!r} and {column!r}. Take one of them out."
            )
        else:
            classes[name] = column
    return classes, unused if prefix else []


def _read_mapped(
    header: Sequence[str],
    vocabulary: Vocabulary,
    columns: PredictionColumns,
    *,
    where: str,
) -> dict[str, str]:
    class_of = {simplify(name): name for name in vocabulary.class_names}
    classes: dict[str, str] = {}
    for name, column in columns.classes.items():
        if simplify(name) not in class_of:
            raise ConfigError(
                f"--columns: must map classes of {', '.join(vocabulary.class_names)}. "
                f"Received: {shorten(name)}. Correct the name."
            )
        if column not in header:
            raise RecordError(
                f"{where}: must have the column {column!r} that --columns gives {name}. "
                f"Received: {_count(header)}. Correct the mapping."
            )
        classes[class_of[simplify(name)]] = column
    return classes


def _find_id(header: Sequence[str], id_column: str | None, *, where: str) -> str:
    names = ID_COLUMNS if id_column is None else (id_column,)
    by_name = {simplify(column): column for column in reversed(header)}
    found = next((simplify(name) for name in names if simplify(name) in by_name), None)
    if found is None:
        raise RecordError(
            f"{where}: must have a column with the radiograph's name, "
            f"{' or '.join(names)}. Received: {_count(header)}. "
            "Name it with --id-column."
        )
    return by_name[found]


def _count(header: Sequence[str]) -> str:
    # the header is not echoed: without one, it is a row
    return f"{number_of(len(header), 'column')}, none such"
