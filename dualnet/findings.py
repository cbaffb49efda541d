"""Label vocabularies: the findings of each dataset, their order and their source."""

from dataclasses import dataclass

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

VOCABULARIES = {vocabulary.name: vocabulary for vocabulary in (NIH,)}
