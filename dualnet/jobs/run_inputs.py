"""What a run folder says of what it starts from, with the split's certificate."""

from dataclasses import asdict

from dualnet.config import Config
from dualnet.data.cache import Cache
from dualnet.data.split import make_certificate
from dualnet.jobs.sources import describe_dataset
from dualnet.jobs.training_data import TrainingData
from dualnet.runs import RunFolder


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


def _with_cache(config: Config, cache: Cache) -> Config:
    """Names the cache, so that `evaluate` finds it from any folder."""
    data = config.data.model_copy(update={"cache": cache.folder.resolve()})
    return config.model_copy(update={"data": data})
