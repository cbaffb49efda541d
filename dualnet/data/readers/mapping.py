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
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from dualnet.data.readers.mapping_findings import (
    FindingColumns,
    FindingList,
    Header,
    Names,
    Value,
    Values,
    VocabularyMapping,
    as_tuple,
)
from dualnet.findings import VOCABULARIES, Vocabulary
from dualnet.stages import Stage


def _as_pattern(value: object) -> object:
    try:
        return re.compile(value) if isinstance(value, str) else value
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None


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


class TableMapping(Stage):
    """What the columns of a table mean."""

    name: Header
    reference: str = ""
    table: Names = Field(min_length=1)
    image: ImageMapping
    patient: ColumnPart
    age: AgeMapping | None = None
    sex: Annotated[tuple[SexColumn, ...], BeforeValidator(as_tuple)] = ()
    view: Annotated[tuple[ViewColumn, ...], BeforeValidator(as_tuple)] = ()
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
