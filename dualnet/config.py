"""The configuration: one model a stage, unknown keys refused.

Defaults are the main job, X-Net on the embedded phantom; `config_layers` lays a preset,
a file and overrides over them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, field_validator, model_validator

from dualnet.image_branches import OWN, expected_branch
from dualnet.stages import Stage, parse_stage

Modality = Literal["fused", "image", "metadata"]
MetadataField = Literal["age", "follow_up", "view", "sex"]
LabelRule = Literal["first", "member", "soft", "multi_hot"]


class DataConfig(Stage):
    """Where the radiographs are."""

    path: Path | None = Field(
        default=None, description="Dataset folder; none: the phantom."
    )
    format: (
        Literal["nih", "chest_xray", "covid_radiography", "dicom", "table"] | None
    ) = Field(default=None, description="Reader; none: found out.")
    mapping: str | None = Field(
        default=None,
        description="What a table's columns mean: chexpert, padchest or a YAML file; "
        "none: dualnet-table.yaml in the dataset's folder.",
    )
    pictures: Path | None = Field(
        default=None,
        description="Folder of the pictures that NIH's or another table names; "
        "none: the dataset's folder.",
    )
    on_bad_row: Literal["error", "set_aside"] = Field(
        default="error", description="A row that breaks a rule stops, or is left out."
    )
    exclude_findings: tuple[str, ...] = Field(
        default=(), description="Classes left out, with every radiograph that has one."
    )
    classes: Literal["cause"] | None = Field(
        default=None,
        description="Kermany's pneumonias by their cause; none: as the folders are.",
    )
    finding: str | None = Field(
        default=None,
        description="Of two classes, the radiographs with this among their labels.",
    )
    against: str | None = Field(
        default=None,
        description="The other class; none: the radiographs without any finding.",
    )
    sample: int | None = Field(
        default=None,
        ge=3,
        description="Draw patients until about this many radiographs.",
    )
    image_size: int = Field(default=256, ge=32, le=1024, description="Side in pixels.")
    cache: Path | None = Field(
        default=None,
        description="Cache folder; none: cache/<dataset>-<digest of its path>.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Pictures decoded at once; none: one a core.",
    )

    @model_validator(mode="after")
    def _two_classes_are_named(self) -> Self:
        if self.against is not None and self.finding is None:
            raise ValueError("data.against needs data.finding, the other class")
        if self.finding is not None and self.exclude_findings:
            raise ValueError(
                "data.exclude_findings must be empty where data.finding chooses the rows"
            )
        return self


class PhantomConfig(Stage):
    """The synthetic radiographs that are used where no dataset is named."""

    images: int = Field(default=2400, ge=30)
    patients: int = Field(default=700, ge=9)
    seed: int = Field(default=0, ge=0)
    record_tells: bool = Field(
        default=True, description="Findings depend on age, sex, view and follow-up."
    )
    shortcut: Literal["none", "border"] = Field(
        default="none", description="A mark in the border that tells Effusion."
    )

    @model_validator(mode="after")
    def _images_reach_every_patient(self) -> Self:
        if self.images < self.patients:
            raise ValueError("phantom.images must be at least phantom.patients")
        return self


class SplitConfig(Stage):
    """How patients are divided among the parts."""

    method: Literal["ratios", "official"] = "ratios"
    train: float = Field(default=0.7, gt=0, lt=1)
    val: float = Field(
        default=0.1, gt=0, lt=1, description="Of the official train_val too."
    )
    test: float = Field(default=0.2, gt=0, lt=1)
    rare_findings: Literal["refuse", "train"] = Field(
        default="refuse",
        description="A finding with fewer patients than there are parts.",
    )

    @model_validator(mode="after")
    def _ratios_sum_to_one(self) -> Self:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"split.train + val + test must be 1, not {total:g}")
        return self


class ModelConfig(Stage):
    """The dual classifier."""

    modality: Modality = "fused"
    image_branch: str = Field(
        default="xnet",
        description="xnet, residual, cnn1, cnn3, or a backbone of keras.applications "
        "by its name in lower case, such as densenet121.",
    )
    metadata_fields: tuple[MetadataField, ...] = ("age", "follow_up", "view")
    metadata_units: tuple[int, ...] = (32, 16)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    fusion: Literal["concat", "film"] = Field(
        default="concat",
        description="Side by side, or the record scales and shifts what the picture "
        "shows.",
    )
    weights: str = Field(
        default="none",
        description="The image branch begins with: none, imagenet, or the weights of a "
        ".keras or .weights.h5 file.",
    )
    init_from: Path | None = Field(
        default=None, description="Begin with the weights of another run."
    )

    @field_validator("image_branch")
    @classmethod
    def _branch_is_known(cls, name: str) -> str:
        expected = expected_branch(name)
        if expected is not None:
            raise ValueError(expected)
        return name

    @model_validator(mode="after")
    def _fields_are_few_and_different(self) -> Self:
        if not self.metadata_fields or len(set(self.metadata_fields)) < len(
            self.metadata_fields
        ):
            raise ValueError("model.metadata_fields must be one or more, each once")
        return self

    @model_validator(mode="after")
    def _weights_come_from_one_place(self) -> Self:
        if self.init_from is not None and self.weights != "none":
            raise ValueError("model.weights must be none where init_from names a run")
        if self.weights == "imagenet" and self.image_branch in OWN:
            raise ValueError(
                "model.weights must not be imagenet with a branch of our own: "
                "only backbones of keras.applications have such weights"
            )
        return self


class AugmentationConfig(Stage):
    """How far training pictures are changed; see `dualnet.data.augmentation`."""

    shift: float = Field(
        default=0.05, ge=0, le=0.25, description="Of the side, along each axis."
    )
    rotation: float = Field(default=0.0, ge=0, le=45, description="Degrees.")
    zoom: float = Field(
        default=0.0, ge=0, le=0.5, description="Larger or smaller by this share."
    )
    contrast: float = Field(
        default=0.0, ge=0, lt=1, description="About the picture's mean, a share."
    )
    brightness: float = Field(
        default=0.0, ge=0, lt=1, description="Of the range of gray values."
    )
    horizontal_flip: bool = Field(
        default=False,
        description="Mirror half of the pictures. Off: the heart lies on the left.",
    )


class TrainingConfig(Stage):
    """How the model is fitted."""

    label_rule: LabelRule = Field(
        default="first", description="See dualnet.data.labels."
    )
    epochs: int = Field(default=8, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["cosine", "plateau", "constant"] = Field(
        default="cosine", description="How the learning rate goes."
    )
    accumulate: int = Field(
        default=1, ge=1, description="Batches whose gradients make one step."
    )
    devices: Literal["one", "all"] = Field(
        default="one",
        description="All: each takes a batch, the learning rate grows with them.",
    )
    augmentation: AugmentationConfig = AugmentationConfig()
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay of the weights' average, which is judged and kept; 0: none.",
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="Share of a target given to all classes."
    )
    imbalance: Literal["none", "class_weights", "balanced_sampling"] = "none"
    loss: Literal["cross_entropy", "focal", "logit_adjusted"] = Field(
        default="cross_entropy", description="See dualnet.training.losses."
    )
    focal_gamma: float = Field(
        default=2.0, ge=0, le=10, description="How much less what is known counts."
    )
    logit_adjustment: float = Field(
        default=1.0, ge=0, le=2, description="Tau: how much of the log class shares."
    )
    patience: int = Field(
        default=5, ge=1, description="Epochs without a better validation macro AUROC."
    )
    keep: Literal["best", "last"] = Field(
        default="best",
        description="The epoch of the best validation macro AUROC, or the last of all.",
    )
    metadata_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of training rows shown without their record, and of the "
        "others' fields, each, shown as missing.",
    )
    frozen_epochs: int = Field(
        default=0,
        ge=0,
        description="First epochs in which the image branch keeps its weights.",
    )
    unfreeze: Literal["all"] | int = Field(
        default="all", description="Then all of it learns, or its last so many stages."
    )
    fine_tune_rate: float | None = Field(
        default=None,
        gt=0,
        description="Highest learning rate then; none: a tenth of learning_rate.",
    )
    halves_first: bool = Field(
        default=True, description="Fit each half of the fused model alone, then join."
    )
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    compilation: Literal["auto", "xla", "none"] = "auto"
    tensorboard: bool = True
    profile: tuple[int, int] | None = Field(
        default=None,
        description="FIRST,LAST: the batches, from 1, that a profile is taken of.",
    )
    checkpoint_minutes: float = Field(
        default=5, ge=0, description="Between checkpoints inside an epoch."
    )
    keep_checkpoints: bool = Field(
        default=False, description="Keep those of all epochs, when it is finished too."
    )

    @field_validator("profile", mode="before")
    @classmethod
    def _read_first_and_last(cls, value: Any) -> Any:
        """Reads `10,20`, as it stands on a command line."""
        parts = value.split(",") if isinstance(value, str) else []
        if len(parts) == 2 and all(part.strip().isdecimal() for part in parts):
            return tuple(int(part) for part in parts)
        return value

    @model_validator(mode="after")
    def _profile_is_in_order(self) -> Self:
        if self.profile and not 1 <= self.profile[0] <= self.profile[1]:
            first, last = self.profile
            raise ValueError(
                "training.profile must be FIRST,LAST of at least 1 and in order, "
                f"not {first},{last}"
            )
        return self

    @model_validator(mode="after")
    def _loss_changes_something(self) -> Self:
        if self.loss == "logit_adjusted" and self.label_rule == "multi_hot":
            raise ValueError(
                "training.loss must not be logit_adjusted with label_rule multi_hot: "
                "each finding has its own sigmoid, of which it would move the bias alone"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _read_shift_of_before(cls, values: Any) -> Any:
        """Reads `max_shift`, as runs of before have it, as `augmentation.shift`."""
        if not isinstance(values, Mapping) or "max_shift" not in values:
            return values
        others = {key: value for key, value in values.items() if key != "max_shift"}
        given = others.get("augmentation") or {}
        if not isinstance(given, Mapping) or "shift" in given:
            raise ValueError(
                "training.max_shift is the old name of training.augmentation.shift: "
                "give one of the two"
            )
        return {**others, "augmentation": {**given, "shift": values["max_shift"]}}

    @field_validator("unfreeze", mode="plain")
    @classmethod
    def _stages_are_counted(cls, value: Any) -> Literal["all"] | int:
        if value == "all" or (type(value) is int and value >= 1):
            return value
        raise ValueError("must be all, or a number of stages from 1")

    @model_validator(mode="after")
    def _epochs_are_left_to_fine_tune(self) -> Self:
        if self.frozen_epochs >= self.epochs:
            raise ValueError(
                "training.frozen_epochs must be less than training.epochs, "
                f"{self.epochs}"
            )
        return self


class EvaluationConfig(Stage):
    """How a run is judged."""

    batch_size: int = Field(default=64, ge=1)
    resamples: int = Field(default=1000, ge=20, description="Patient bootstrap.")


class Config(Stage):
    """Everything that decides a run; with the data, it decides every bit of it."""

    seed: int = Field(default=0, ge=0, lt=2**31)
    data: DataConfig = DataConfig()
    phantom: PhantomConfig = PhantomConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_validator(mode="after")
    def _member_of_which_class(self) -> Self:
        if self.training.label_rule == "member" and self.data.finding is None:
            raise ValueError(
                "training.label_rule member needs data.finding, such as Pneumothorax"
            )
        return self

    @model_validator(mode="after")
    def _what_is_frozen_has_been_taught(self) -> Self:
        begun = self.model.weights != "none" or self.model.init_from is not None
        if self.training.frozen_epochs and not begun:
            raise ValueError(
                "training.frozen_epochs must be 0 where neither model.weights nor "
                "model.init_from says what the branch has learnt before"
            )
        return self


def parse_config(values: Mapping[str, Any], *, where: str) -> Config:
    """Checks plain values, as read from YAML, and returns the configuration.

    Args:
        values: Stage names to their keys and values.
        where: Named in the error.

    Returns:
        The whole configuration.

    Raises:
        ConfigError: If a key is not known or a value not allowed.
    """
    return parse_stage(
        Config, values, where=where, advice="Correct the configuration or --set."
    )


def format_config(config: Config) -> str:
    """Returns the configuration as YAML that `read_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
