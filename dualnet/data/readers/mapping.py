r"""What the columns of a table mean: a mapping, as YAML, checked key by key.

    name: our_hospital                  # becomes the records' `source`
    table: radiographs.csv              # or a list: the first that is there
    image: {id: File, paths: ["images/{id}"]}
    patient: PatientNumber              # or {column: File, pattern: 'patient\\d+'}
    age: AgeYears                       # or {birth_year: Born}, with `study_date`
    sex: {column: Sex, values: {M: M, W: F}}
    view: {column: View, values: {pa: PA, ap: AP, lat: LATERAL}}
    study_date: {column: Taken, format: "%Y-%m-%d"}
    follow_up: {order_of: study_date}   # or a column, or left out
    keep: {View: [pa, ap]}              # other rows are left out, and counted
    vocabulary: {findings: [Effusion, Pneumothorax], negative: Normal}
    finding_list: {column: Labels, separator: ";", names: {...}, ...}

Either `finding_list` (one column of labels) or `finding_columns` (one column a finding)
says what was found. `dualnet/presets/tables` holds CheXpert's and PadChest's.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from dualnet.findings import VOCABULARIES, Vocabulary
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


def _as_tuple(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _as_pattern(value: object) -> object:
    try:
        return re.compile(value) if isinstance(value, str) else value
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None


Value = Annotated[str, BeforeValidator(_read_value)]
Header = Annotated[str, Field(min_length=1)]
Values = Annotated[tuple[Value, ...], BeforeValidator(_as_tuple)]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class Named(Stage):
    """A stage that a column's name alone may stand for."""

    @model_validator(mode="before")
    @classmethod
    def _name_is_a_column(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value


class ColumnPart(Named):
    """A column, or what a pattern finds in it: its first group, or the whole match."""

    column: Header
    pattern: Annotated[re.Pattern[str] | None, BeforeValidator(_as_pattern)] = None


class ImageMapping(Stage):
    """Which picture a row tells of."""

    id: ColumnPart = Field(description="Becomes `image_id`.")
    paths: tuple[str, ...] = Field(
        default=("{id}", "images/{id}"),
        min_length=1,
        description="Below the dataset's folder; {id} or {Column}. The first counts "
        "where a picture lies.",
    )

    @property
    def columns(self) -> list[str]:
        """The columns that the paths name."""
        named = [name for path in self.paths for name in PLACEHOLDER.findall(path)]
        return [name for name in named if name != "id"]


PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class AgeMapping(Named):
    """How old the patient is: a column of years, or the year of birth."""

    column: Header | None = Field(
        default=None, description="Years, or DICOM's age string, as 058Y."
    )
    birth_year: Header | None = Field(
        default=None, description="Taken from the year of `study_date`."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.column is None) == (self.birth_year is None):
            raise ValueError("must have either `column` or `birth_year`")
        return self


class StudyDate(Stage):
    """When the radiograph was taken."""

    column: Header
    format: str = Field(default="%Y%m%d", description="As for strptime.")


class FollowUpMapping(Named):
    """The follow-up number: a column, or the order of a patient's study dates."""

    column: Header | None = None
    order_of: Literal["study_date"] | None = Field(
        default=None, description="0 is a patient's first date, whatever is kept."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.column is None) == (self.order_of is None):
            raise ValueError("must have either `column` or `order_of`")
        return self


class SexColumn(Stage):
    """A column that tells the sex; null, as an empty cell: the next column tells."""

    column: Header
    values: dict[Value, Literal["M", "F"] | None]


class ViewColumn(Stage):
    """A column that tells the view; null, as an empty cell: the next column tells."""

    column: Header
    values: dict[Value, Literal["PA", "AP", "LATERAL"] | None]


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


class TableMapping(Stage):
    """What the columns of a table mean."""

    name: Header
    reference: str = ""
    table: Names = Field(min_length=1)
    image: ImageMapping
    patient: ColumnPart
    age: AgeMapping | None = None
    sex: Annotated[tuple[SexColumn, ...], BeforeValidator(_as_tuple)] = ()
    view: Annotated[tuple[ViewColumn, ...], BeforeValidator(_as_tuple)] = ()
    study_date: StudyDate | None = None
    follow_up: FollowUpMapping | None = None
    keep: dict[Header, Values] = Field(
        default={}, description="Values of the rows to keep, by column."
    )
    vocabulary: VocabularyMapping
    finding_columns: FindingColumns | None = None
    finding_list: FindingList | None = None

    @model_validator(mode="after")
    def _one_kind_of_findings(self) -> Self:
        if (self.finding_columns is None) == (self.finding_list is None):
            raise ValueError("must have either `finding_columns` or `finding_list`")
        return self

    @model_validator(mode="after")
    def _dates_are_named(self) -> Self:
        by_birth = self.age is not None and self.age.birth_year is not None
        by_order = self.follow_up is not None and self.follow_up.order_of is not None
        if (by_birth or by_order) and self.study_date is None:
            raise ValueError("birth_year and order_of need `study_date`")
        return self

    @model_validator(mode="after")
    def _classes_are_known(self) -> Self:
        known = self.make_vocabulary().class_names
        unknown = [name for name in self.findings.named_classes if name not in known]
        if unknown:
            raise ValueError(
                f"class {unknown[0]!r} is none of the vocabulary's: {', '.join(known)}"
            )
        return self

    @property
    def findings(self) -> FindingColumns | FindingList:
        """How the findings are told, whichever way."""
        found = self.finding_columns or self.finding_list
        if found is None:
            raise ValueError("must have either `finding_columns` or `finding_list`")
        return found

    @property
    def columns(self) -> list[str]:
        """The columns of the table that are read, each once."""
        found = self.findings
        names = [
            self.image.id.column,
            *self.image.columns,
            self.patient.column,
            *(step.column for step in (*self.sex, *self.view)),
            *(found.columns if isinstance(found, FindingColumns) else [found.column]),
            *self.keep,
            *_present(self.age and (self.age.column or self.age.birth_year)),
            *_present(self.study_date and self.study_date.column),
            *_present(self.follow_up and self.follow_up.column),
        ]
        return list(dict.fromkeys(names))

    def make_vocabulary(self) -> Vocabulary:
        """Returns the label vocabulary that the mapping names or lists."""
        listed = self.vocabulary
        if listed.negative is None:
            return VOCABULARIES[str(listed.name)]
        return Vocabulary(
            name=listed.name or self.name,
            findings=tuple(sorted(listed.findings)),
            negative=listed.negative,
            source=self.reference or f"the mapping of {self.name}",
        )


def _present(name: str | None) -> Iterable[str]:
    return () if name is None else (name,)
