"""What a table says was found: the part of a mapping that is about findings."""

import re
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from dualnet.findings import VOCABULARIES
from dualnet.stages import Stage

Policy = Literal["U-Zeros", "U-Ones", "U-Ignore"]


@lru_cache(maxsize=4096)  # PadChest: 160,000 lists of 193 labels
def plain_value(value: object) -> str:
    """Returns a cell's value as it is compared: a number has one way to be written.

    Args:
        value: Text of a table, or a value of the mapping.

    Returns:
        The text without blanks around it; `1`, `1.0` and `01.00` alike are `1`.

    Example:
        >>> plain_value("-1.0")
        '-1'
    """
    text = str(value).strip()
    if re.fullmatch(r"-?\d{1,15}(\.0+)?", text, re.ASCII):
        return str(int(text.partition(".")[0]))
    return text


def _read_value(value: object) -> str:
    if isinstance(value, bool):
        # YAML 1.1 takes YES, NO, ON and OFF for truth values
        raise ValueError("must be in quotes, such as 'NO'")  # noqa: TRY004 - as below
    if not isinstance(value, str | int | float):
        raise ValueError("must be a text or a number")  # noqa: TRY004 - pydantic's way
    return plain_value(value)


def as_tuple(value: object) -> object:
    """Returns one value as a list of it, for what may be one or several."""
    return value if isinstance(value, list | tuple) else (value,)


Value = Annotated[str, BeforeValidator(_read_value)]
Header = Annotated[str, Field(min_length=1)]
Values = Annotated[tuple[Value, ...], BeforeValidator(as_tuple)]
Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


class VocabularyMapping(Stage):
    """The classes: those of a known vocabulary, or a list."""

    name: str | None = Field(default=None, description="None: the mapping's name.")
    findings: tuple[Header, ...] = ()
    negative: Header | None = Field(
        default=None, description="The class without any finding."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_is_a_vocabulary(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known_or_whole(self) -> Self:
        if not self.findings and self.negative is None:
            if self.name not in VOCABULARIES:
                known = ", ".join(VOCABULARIES)
                raise ValueError(f"must be {known}, or have `findings` and `negative`")
            return self
        names = (*self.findings, self.negative or "")
        if not self.findings or not self.negative or len({*names}) < len(names):
            raise ValueError("must have `findings` and `negative`, each name once")
        if any("|" in name for name in names):
            raise ValueError("must have no name with a `|`")
        return self


class FindingColumns(Stage):
    """One column a finding.

    A cell is one of `present`, `absent`, `uncertain`; list "" where empty cells are to
    be read. The policy says what an uncertain finding counts as: `U-Zeros` absent,
    `U-Ones` present, `U-Ignore` neither. Where the paper masks the loss of one label,
    `U-Ignore` leaves the radiograph out: a record has no third state.

    Reference:
        Irvin et al., CheXpert, AAAI 2019, section 3, https://arxiv.org/abs/1901.07031
    """

    columns: dict[Header, str] = Field(min_length=1, description="Column: class.")
    present: Values = Field(min_length=1)
    absent: Values = Field(min_length=1)
    uncertain: Values = ()
    policy: Policy | None = None
    policy_of: dict[str, Policy] = Field(default={}, description="Of single classes.")
    otherwise: Literal["negative", "leave_out"] = Field(
        description="A row without a finding that the table does not call negative."
    )

    @model_validator(mode="before")
    @classmethod
    def _list_names_classes(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("columns"), list):
            names = [str(name) for name in value["columns"]]
            return {**value, "columns": dict(zip(names, names, strict=True))}
        return value

    @model_validator(mode="after")
    def _values_are_different(self) -> Self:
        values = (*self.present, *self.absent, *self.uncertain)
        if len({*values}) < len(values):
            raise ValueError("present, absent and uncertain must share no value")
        if (self.policy is None) != (not self.uncertain):
            raise ValueError("must have both `uncertain` and `policy`, or neither")
        return self

    @property
    def named_classes(self) -> list[str]:
        """The classes that the mapping names."""
        return [*self.columns.values(), *self.policy_of]


class FindingList(Stage):
    """One column with all labels of a row. An empty cell tells nothing: it is left out."""

    column: Header
    separator: str = Field(
        min_length=1, description="Or python_list, for text such as ['a', 'b']."
    )
    names: dict[Value, Names] = Field(
        min_length=1, description="Label: class, or classes."
    )
    unlisted: Literal["error", "ignore"] = Field(
        description="A label that `names` lacks."
    )
    leave_out: Values = Field(default=(), description="Labels whose rows are left out.")
    otherwise: Literal["negative", "leave_out"] = Field(
        description="A row without a finding that the table does not call negative."
    )

    @property
    def named_classes(self) -> list[str]:
        """The classes that the mapping names."""
        return [name for names in self.names.values() for name in names]
