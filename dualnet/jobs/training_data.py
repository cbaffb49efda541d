"""What a model is fitted on: read, sampled, split, prepared, and put into batches."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.data.augmentation import Augmentation
from dualnet.data.batches import Batches
from dualnet.data.cache import Cache
from dualnet.data.labels import MULTI_HOT, Targets, make_targets
from dualnet.data.metadata import FIELD_COLUMNS, MetadataEncoder
from dualnet.data.modality_dropout import MetadataDropout
from dualnet.data.records import RecordSet
from dualnet.data.split import check_split, sample_patients
from dualnet.errors import ConfigError
from dualnet.jobs.sources import keep_cached, prepare, read_source, split_patients
from dualnet.training.devices import choose_devices
from dualnet.training.recipe import (
    class_weights,
    sampling_weights,
    smooth_targets,
    with_negative,
)
from dualnet.wording import number_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a model is fitted on, row by row.

    Args:
        table: Records, one row a radiograph, without those that were refused.
        split: `image_id`, `patient_id`, `part`, in the order of `table`.
        cache: The pictures.
        targets: By the label rule, in the order of `table`.
        encoder: Fitted on the training part.
        records: As they were read.
        num_refused: Rows left out because their picture could not be read.
    """

    table: pd.DataFrame
    split: pd.DataFrame
    cache: Cache
    targets: Targets
    encoder: MetadataEncoder
    records: RecordSet
    num_refused: int = 0

    def rows(self, part: str) -> np.ndarray:
        """Returns the positions in `table` of one part, int64."""
        return np.flatnonzero(self.split["part"].to_numpy() == part)


def read_training_data(config: Config) -> TrainingData:
    """Reads, samples, splits and prepares what the configuration names.

    Args:
        config: The whole configuration.

    Returns:
        The rows that are used, with their parts, pictures and targets.
    """
    records = read_source(config)
    records.check_labelled()
    table = records.pictured()
    if config.data.sample is not None:
        table = sample_patients(table, num_images=config.data.sample, seed=config.seed)
        logger.info("%s sampled, by patient", number_of(len(table), "radiograph"))
    check_modality(table, config)
    split = split_patients(table, records, config)
    cache = prepare(table, config, records.folder)
    num_sampled = len(table)
    table = keep_cached(table, cache)
    split = split[split["image_id"].isin(table["image_id"])].reset_index(drop=True)
    check_split(split)
    targets = make_targets(
        list(table["findings"]), records.vocabulary, config.training.label_rule
    )
    _log_dropped(targets, config.training.label_rule)
    fields = config.model.metadata_fields
    encoder = MetadataEncoder(fields).fit(table[split["part"] == "train"])
    return TrainingData(
        table=table,
        split=split,
        cache=cache,
        targets=targets,
        encoder=encoder,
        records=records,
        num_refused=num_sampled - len(table),
    )


def check_modality(table: pd.DataFrame, config: Config) -> None:
    """Checks that there is a record to learn from, if it is to be learnt from.

    Args:
        table: The rows that are used.
        config: The whole configuration.

    Raises:
        ConfigError: If the model takes metadata, and no row knows any of its fields.
    """
    model = config.model
    columns = [FIELD_COLUMNS[name] for name in model.metadata_fields]
    if model.modality != "image" and table[columns].isna().to_numpy().all():
        raise ConfigError(
            "model.modality: must be image where no row knows any of "
            f"{', '.join(model.metadata_fields)}. Received: {model.modality}. "
            "Say --set model.modality=image."
        )


def make_batches(config: Config, data: TrainingData, part: str) -> Batches:
    """Makes the batches of one part; the training part is shuffled and weighted.

    Args:
        config: The whole configuration.
        data: What the model is fitted on.
        part: `train`, `val` or `test`.

    Returns:
        Batches of `({"image", "metadata"}, targets)`.
    """
    rows = data.rows(part)
    targets = data.targets.matrix[rows]
    training = part == "train"
    imbalance = config.training.imbalance if training else "none"
    weights = draws = None
    apart = config.training.label_rule == MULTI_HOT
    if imbalance == "class_weights" and not apart:  # a finding's weights: in its loss
        weights = targets @ class_weights(targets)
    if imbalance == "balanced_sampling":
        draws = sampling_weights(with_negative(targets) if apart else targets)
    devices = choose_devices(config.training)
    smoothing = config.training.label_smoothing
    if training and smoothing:
        targets = smooth_targets(targets, smoothing, exclusive=not apart)
    return Batches(
        data.cache,
        data.cache.rows(data.table["image_id"].iloc[rows]),
        data.encoder.transform(data.table.iloc[rows]),
        targets,
        batch_size=devices.batch_size,
        seed=config.seed if training else None,
        sample_weights=weights,
        sampling_weights=draws,
        augmentation=make_augmentation(config) if training else None,
        metadata_dropout=_metadata_dropout(config, data.encoder),
        modality=config.model.modality,
        multiple_of=devices.count if training else 1,
        image_ids=data.table["image_id"].iloc[rows].to_numpy(),
    )


def make_augmentation(config: Config) -> Augmentation:
    """Returns how far the training pictures are changed, the shift in pixels."""
    values = config.training.augmentation.model_dump()
    shift = round(values.pop("shift") * config.data.image_size)
    return Augmentation(shift=shift, **values)


def _metadata_dropout(
    config: Config, encoder: MetadataEncoder
) -> MetadataDropout | None:
    share = config.training.metadata_dropout
    return MetadataDropout(share, encoder.field_columns) if share else None


def _log_dropped(targets: Targets, rule: str) -> None:
    counts = targets.dropped[targets.dropped["dropped"] > 0]
    for finding, present, dropped in zip(
        counts["finding"], counts["present"], counts["dropped"], strict=True
    ):
        logger.info(
            "label rule `%s` drops %s of %s %s (%.0f %%)",
            rule,
            f"{dropped:,}",
            f"{present:,}",
            finding,
            100 * dropped / present,
        )
