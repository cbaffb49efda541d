"""Label vocabularies: the findings of each dataset, their order and their source."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Self

from dualnet.errors import ConfigError

NO_FINDING = "No Finding"


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The findings a dataset labels, in the order of a model's outputs.

    Args:
        name: The dataset's short name.
        findings: The positive findings, in alphabetical order.
        negative: The name of the class without any finding.
        source: Where the list comes from.
    """

    name: str
    findings: tuple[str, ...]
    negative: str
    source: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """All classes, findings and the negative one, in alphabetical order."""
        return tuple(sorted((*self.findings, self.negative)))

    def without(self, names: Collection[str]) -> Self:
        """Returns the vocabulary with some of its findings left out.

        Args:
            names: Findings of it, not all of them; none: it stays as it is.

        Raises:
            ConfigError: If a name is no finding of it, or none would be left.
        """
        left = tuple(name for name in self.findings if name not in names)
        unknown = [name for name in names if name not in self.findings]
        if unknown or not left:
            raise ConfigError(
                "data.exclude_findings: must be some of "
                f"{', '.join(self.findings)}, not all. "
                f"Received: {', '.join(unknown or names)}. Correct the list."
            )
        return replace(self, findings=left)


NIH = Vocabulary(
    name="nih",
    findings=(
        "Atelectasis",
        "Cardiomegaly",
        "Consolidation",
        "Edema",
        "Effusion",
        "Emphysema",
        "Fibrosis",
        "Hernia",
        "Infiltration",
        "Mass",
        "Nodule",
        "Pleural_Thickening",
        "Pneumonia",
        "Pneumothorax",
    ),
    negative=NO_FINDING,
    source="Wang et al., ChestX-ray8, CVPR 2017; the 14 findings of the "
    "2017 and 2020 releases of NIH ChestX-ray14",
)

CHEST_XRAY = Vocabulary(
    name="chest_xray",
    findings=("Pneumonia",),
    negative="Normal",
    source="Kermany et al., Cell 172, 2018; the two class folders of chest_xray",
)

CHEST_XRAY_CAUSES = Vocabulary(
    name="chest_xray_causes",
    findings=("Bacterial_Pneumonia", "Viral_Pneumonia"),
    negative="Normal",
    source="Kermany et al., Cell 172, 2018; the cause in the file names of chest_xray",
)

COVID_RADIOGRAPHY = Vocabulary(
    name="covid_radiography",
    findings=("COVID", "Lung_Opacity", "Viral_Pneumonia"),
    negative="Normal",
    source="Chowdhury et al., IEEE Access 8, 2020, and Rahman et al., Computers in "
    "Biology and Medicine 132, 2021; the four class folders of the COVID-19 "
    "Radiography Database",
)

VOCABULARIES = {
    vocabulary.name: vocabulary
    for vocabulary in (NIH, CHEST_XRAY, CHEST_XRAY_CAUSES, COVID_RADIOGRAPHY)
}
