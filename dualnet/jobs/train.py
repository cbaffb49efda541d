"""`dualnet train`: records, split, cache, batches, model, run folder."""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.data.augmentation import Augmentation
from dualnet.data.batches import Batches
from dualnet.data.cache import Cache
from dualnet.data.labels import MULTI_HOT, Targets, full_labels, make_targets
from dualnet.data.metadata import FIELD_COLUMNS, MetadataEncoder
from dualnet.data.modality_dropout import MetadataDropout
from dualnet.data.records import RecordSet
from dualnet.data.split import (
    check_split,
    make_certificate,
    sample_patients,
)
from dualnet.errors import ConfigError, RunError
from dualnet.files import LOCK, empty_folder, lock_folder
from dualnet.jobs.calibrate import calibrate_run
from dualnet.jobs.digests import compute_digests
from dualnet.jobs.finished import read_run
from dualnet.jobs.follow import RunFollower
from dualnet.jobs.model_card import write_model_card
from dualnet.jobs.sources import (
    describe_dataset,
    keep_cached,
    prepare,
    read_source,
    split_patients,
)
from dualnet.jobs.start import Origin, read_origin, settle_origin
from dualnet.jobs.training_page import noting_a_stop, write_run_page
from dualnet.runs import RunFolder, create_run
from dualnet.stopping import StopRequest
from dualnet.training.checkpoint import read_spent, refuse_others
from dualnet.training.devices import choose_devices
from dualnet.training.fit import fit
from dualnet.training.recipe import (
    class_weights,
    sampling_weights,
    smooth_targets,
    with_negative,
)
from dualnet.training.starting import Start
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


def train_run(
    config: Config,
    path: Path,
    *,
    overwrite: bool = False,
    stop: StopRequest | None = None,
) -> RunFolder:
    """Trains a model and writes its run folder.

    All that can be wrong with the data is found before a run that lies there is touched,
    and before there is a new one; of a stop meanwhile the configuration is left, so that
    `resume_run` can go on.

    Args:
        config: The whole configuration.
        path: The run folder to be.
        overwrite: Whether a run that lies there may be replaced.
        stop: Ends training when it is asked to; none: nobody asks.

    Returns:
        The finished run.
    """
    create_run(path, overwrite=overwrite)
    if overwrite:
        _check_outside(config, path)
    is_new = not path.exists()
    with locked_run(RunFolder(path)):
        run = create_run(path, overwrite=overwrite)  # again: nobody else writes now
        replaces = run.is_begun
        if not replaces:
            run.write_config(config)
        spent = dict[str, dict[str, float]]()
        try:
            data, start = prepare_run(config, spent)
        except Exception:
            if not replaces:
                _withdraw(run, folder=is_new)
            raise
        if replaces:
            run.config.unlink()  # first: half a run is none
            empty_folder(path, keep=[LOCK])
        return finish_run(config, run, data, start, spent=spent, stop=stop)


def prepare_run(
    config: Config, spent: dict[str, dict[str, float]]
) -> tuple[TrainingData, Start | None]:
    """Reads all that a run needs before it is fitted.

    Args:
        config: The whole configuration.
        spent: Seconds that each stage took; what it takes is noted.

    Returns:
        What the model is fitted on, and the weights to begin with; none: those that
        the seed decides.
    """
    origin = read_origin(config)
    with timed(spent, "preparing"):
        data = read_training_data(config)
        return data, _settle(origin, config, data) if origin else None


def finish_run(
    config: Config,
    run: RunFolder,
    data: TrainingData,
    start: Start | None = None,
    *,
    spent: dict[str, dict[str, float]],
    stop: StopRequest | None = None,
) -> RunFolder:
    """Does what is left of a run: fits, calibrates, writes the model card.

    Args:
        config: The whole configuration.
        run: The run folder.
        data: What the model is fitted on.
        start: The weights to begin with; none: those that the seed decides.
        spent: Seconds that each stage took so far; what it takes is added.
        stop: Ends training when it is asked to; none: nobody asks.

    Returns:
        The finished run.
    """
    if not run.is_fitted:
        spent["fitting"] = read_spent(run.checkpoints)
        with timed(spent, "fitting"), noting_a_stop(run):
            fit_run(config, run, data, start, stop=stop)
        run.write_environment({**run.read_environment(), "spent": spent})
    with timed(spent, "calibrating"):
        calibrate_run(read_run(run.path), data.cache)
    run.write_environment({**run.read_environment(), "spent": spent})
    write_run_page(run, "finished")
    write_model_card(run)  # last: a run that has one is finished
    return run


@contextmanager
def locked_run(run: RunFolder) -> Iterator[None]:
    """Lets one process at a time train into a run folder.

    Args:
        run: The run folder; made if absent.

    Yields:
        Nothing.

    Raises:
        RunError: If another process trains into it.
    """

    def refuse() -> None:
        raise RunError(
            f"{run.path}: must be trained by one process at a time. Received: another "
            "one is at work in it. Wait for its end, or name another folder."
        )

    with lock_folder(run.path, if_taken=refuse):
        yield


@contextmanager
def timed(spent: dict[str, dict[str, float]], stage: str) -> Iterator[None]:
    """Notes the seconds that a stage took: by the clock, and of all processors.

    Args:
        spent: Seconds by stage; those of this stage are added to.
        stage: Its name.

    Yields:
        Nothing.
    """
    clock, processor = time.perf_counter(), time.process_time()
    yield
    before = spent.get(stage, {})
    spent[stage] = {
        "seconds": before.get("seconds", 0.0) + time.perf_counter() - clock,
        "processor_seconds": before.get("processor_seconds", 0.0)
        + time.process_time()
        - processor,
    }


def fit_run(
    config: Config,
    run: RunFolder,
    data: TrainingData,
    start: Start | None = None,
    *,
    stop: StopRequest | None = None,
) -> None:
    """Fits a model on data that is read already, and writes the run folder.

    Args:
        config: The whole configuration.
        run: The run folder; of checkpoints in it training goes on.
        data: What the model is fitted on.
        start: The weights to begin with; none: those that the seed decides.
        stop: Ends training when it is asked to; none: nobody asks.
    """
    digests = compute_digests(config, data)
    refuse_others(run.checkpoints, digests)
    write_inputs(run, config, data)
    val = data.rows("val")
    fit(
        config,
        run,
        train=make_batches(config, data, "train"),
        val=make_batches(config, data, "val"),
        val_labels=full_labels(
            list(data.table["findings"].iloc[val]), data.records.vocabulary
        ),
        val_patients=data.table["patient_id"].iloc[val].to_numpy(),
        vocabulary=data.records.vocabulary,
        follower=RunFollower(
            run,
            train=data.table.iloc[data.rows("train")],
            val=data.table.iloc[val].assign(part="val"),
            vocabulary=data.records.vocabulary,
            class_names=data.targets.class_names,
            tensorboard=config.training.tensorboard,
        ),
        start=start,
        digests=digests,
        stop=stop,
    )


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


def write_inputs(run: RunFolder, config: Config, data: TrainingData) -> None:
    """Writes what a run starts from: configuration, records, split, encoder.

    Args:
        run: The run folder.
        config: The whole configuration.
        data: What the model is fitted on.
    """
    records, table = data.records, data.table
    certificate = make_certificate(
        data.split,
        table,
        config_values={
            **config.split.model_dump(mode="json"),
            "seed": config.seed,
            "sample": config.data.sample,
            "exclude_findings": list(config.data.exclude_findings),
            **_name_classes(config),
            "label_rule": config.training.label_rule,
            "vocabulary": records.vocabulary.name,
        },
        digests=records.digests,
        targets_dropped=data.targets.dropped,
        counts={
            **records.counts,
            "pictures_refused": data.num_refused,
            "radiographs_used": len(table),
        },
    )
    run.write_config(_with_cache(config, data.cache))
    run.write_records(table)
    details = records.details
    run.write_details(details[details["image_id"].isin(table["image_id"])])
    run.write_split(
        data.split,
        {
            **certificate,
            "vocabulary": asdict(records.vocabulary),
            "dataset": describe_dataset(records.folder),
        },
    )
    data.encoder.save(run.metadata_encoder)


def _name_classes(config: Config) -> dict[str, str]:
    """Returns what was asked of the classes, where something was."""
    data = config.data
    asked = {
        "classes": data.classes,
        "finding": data.finding,
        "against": data.against,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _settle(origin: Origin, config: Config, data: TrainingData) -> Start:
    table = data.table.assign(part=data.split["part"].to_numpy())
    judged = table[table["part"] != "train"]
    return settle_origin(
        origin,
        config,
        vocabulary=data.records.vocabulary,
        judged=judged,
        cache=data.cache,
    )


def _withdraw(run: RunFolder, *, folder: bool) -> None:
    """Removes what there is of a run whose data cannot be used."""
    if folder:
        shutil.rmtree(run.path, ignore_errors=True)
        return
    for file in (run.config, run.path / LOCK):
        file.unlink(missing_ok=True)


def _check_outside(config: Config, run: Path) -> None:
    """Refuses what is read and would be deleted when the run is overwritten."""
    data = config.data
    folders = {
        "data.path": data.path,
        "data.pictures": data.pictures,
        "data.cache": data.cache,
        "model.init_from": config.model.init_from,
    }
    for key, folder in folders.items():
        if folder is not None and folder.resolve().is_relative_to(run.resolve()):
            raise ConfigError(
                f"{key}: must not lie in the run folder, which --overwrite empties. "
                f"Received: {folder}. Name a folder outside {run}."
            )


def _metadata_dropout(
    config: Config, encoder: MetadataEncoder
) -> MetadataDropout | None:
    share = config.training.metadata_dropout
    return MetadataDropout(share, encoder.field_columns) if share else None


def _with_cache(config: Config, cache: Cache) -> Config:
    """Names the cache, so that `evaluate` finds it from any folder."""
    data = config.data.model_copy(update={"cache": cache.folder.resolve()})
    return config.model_copy(update={"data": data})


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
