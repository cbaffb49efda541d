"""The model card of a run: what it is, what it is for, what is known of it.

After M. Mitchell et al., Model cards for model reporting, FAT* 2019, section 4; its
"ethical considerations" are among the limits. A card says only what the run folder
holds, so the same folder gives the same card.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dualnet.config import Config, TrainingConfig
from dualnet.evaluation.sections import subgroup_note, subgroup_table
from dualnet.evaluation.table import findings_table, summary_table
from dualnet.evaluation.text.caution import (
    NOT_A_MEDICAL_DEVICE,
    ON_THE_PHANTOM,
    due_cautions,
)
from dualnet.evaluation.text.markdown import (
    format_markdown_list,
    format_markdown_table,
)
from dualnet.evaluation.text.verdict import display_baseline
from dualnet.findings import Vocabulary
from dualnet.wording import number_of

NOT_MEASURED = "not measured"
MODALITIES = {
    "fused": "the radiograph and the patient's record",
    "image": "the radiograph alone",
    "metadata": "the patient's record alone",
}
LABEL_RULES = {
    "first": "the label that stands first is the target",
    "member": "one class if the finding is among the labels, else the other",
    "soft": "all labels of a radiograph are the target, in equal parts",
    "multi_hot": "each finding apart from the others, one sigmoid each",
}
SHOWN_AGE = "{mean:.1f} (SD {sd:.1f}, {missing:,} unknown)"


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run folder says of its model.

    Args:
        name: The run's.
        config: Its configuration.
        certificate: Of its split.
        vocabulary: Its classes.
        dataset: `name`, and whether it is a `phantom`.
        environment: Versions, device, precision and compilation.
        history: One row an epoch, with `seconds` and `images_per_second`.
        model_sha256: Of the model's file.
        evaluations: The scores there are, by what was judged; empty before any.
    """

    name: str
    config: Config
    certificate: Mapping[str, Any]
    vocabulary: Vocabulary
    dataset: Mapping[str, Any]
    environment: Mapping[str, Any]
    history: pd.DataFrame
    model_sha256: str
    evaluations: Mapping[str, Mapping[str, Any]]


def format_model_card(facts: RunFacts) -> str:
    """Writes the model card.

    Args:
        facts: What the run folder says.

    Returns:
        Markdown, after a head of YAML that model hubs read.
    """
    blocks = [
        *_front(facts),
        *_details(facts),
        *_uses(),
        *_limits(facts),
        *_data(facts),
        *_training(facts),
        *_scores(facts),
        *_compute(facts),
    ]
    return "\n\n".join(blocks) + "\n"


def _front(facts: RunFacts) -> list[str]:
    head = "\n".join(
        [
            "---",
            "library_name: keras",
            "pipeline_tag: image-classification",
            "tags: [chest-radiograph, multi-modal, not-a-medical-device]",
            "---",
        ]
    )
    cautions = [NOT_A_MEDICAL_DEVICE]
    if facts.dataset["phantom"]:
        cautions.append(ON_THE_PHANTOM)
    return [head, f"# Model card: {facts.name}", *(f"> **{one}**" for one in cautions)]


def _details(facts: RunFacts) -> list[str]:
    model, environment = facts.config.model, facts.environment
    vocabulary = facts.vocabulary
    findings = ", ".join(display_baseline(name) for name in vocabulary.findings)
    rows = {
        "What it does": f"classifies chest radiographs; reads "
        f"{MODALITIES[model.modality]}",
        "Classes": f"{findings}; and {vocabulary.negative} "
        f"({vocabulary.name}: {vocabulary.source})",
        "Inputs": _describe_inputs(facts.config),
        "Image branch": "none" if model.modality == "metadata" else model.image_branch,
        "Written by": f"dualnet {environment.get('dualnet', 'of an unknown version')}, "
        f"run format {environment.get('run_format', 'unknown')}",
        "`model.keras`, SHA-256": f"`{facts.model_sha256}`",
    }
    return ["## Model", format_markdown_list(rows)]


def _describe_inputs(config: Config) -> str:
    side = config.data.image_size
    image = f"a frontal radiograph, {side} by {side} gray values"
    fields = ", ".join(display_baseline(one) for one in config.model.metadata_fields)
    metadata = f"{fields}, any of which may be missing"
    return {
        "fused": f"{image}; {metadata}",
        "image": image,
        "metadata": metadata,
    }[config.model.modality]


def _uses() -> list[str]:
    return [
        "## Intended use",
        "Research and teaching: to study what a picture and a record each tell, to "
        "compare methods, to find faults in data and in models.",
        "Not for diagnosis, triage, screening, treatment, insurance or the choice of "
        "patients for a trial; not for single patients at all; not for views, devices, "
        "ages and hospitals unlike those of the training data.",
    ]


def _limits(facts: RunFacts) -> list[str]:
    limits = [
        "Labels that a program took from reports, as those of the large public sets "
        "are, are wrong for some radiographs. Scores here are against these labels, not "
        "against what the patient had.",
        "A score inside one dataset says little of another hospital. A model may read "
        "the hospital, the device, a tube or the patient's position in place of the "
        "disease; the record tells some of these too.",
        "Probabilities fit the shares of the classes in training. Elsewhere they are "
        "too high or too low.",
        "Groups that are rare in the data are judged on few patients. Equal scores in "
        "the mean can hide unequal ones by age, sex or view.",
    ]
    dropped = sum(one["dropped"] for one in facts.certificate["label_rule_dropped"])
    if dropped:
        limits.append(
            f"The label rule `{facts.config.training.label_rule}` leaves "
            f"{number_of(dropped, 'label')} out of training (`split.json`)."
        )
    return ["## Limits", "\n".join(f"- {one}" for one in limits)]


def _data(facts: RunFacts) -> list[str]:
    certificate = facts.certificate
    drawn = " (drawn: synthetic radiographs)" if facts.dataset["phantom"] else ""
    counts = ", ".join(
        f"{display_baseline(name)} {count:,}"
        for name, count in certificate["counts"].items()
    )
    rows = {
        "Dataset": f"{facts.dataset['name']}{drawn}",
        **{
            f"`{name}`, SHA-256": f"`{digest}`"
            for name, digest in certificate["tables_sha256"].items()
        },
        "Rows": counts,
        "`split.csv`, SHA-256": f"`{certificate['split_sha256']}`",
        "Patients in more than one part": f"{certificate['shared_patients']:,}",
    }
    header = ["part", "radiographs", "patients", "age in years", "female", "PA", "AP"]
    parts = [
        [
            name,
            f"{part['radiographs']:,}",
            f"{part['patients']:,}",
            _describe_age(part["age_years"]),
            *(
                _percent(part[field][value]["share"])
                for field, value in (
                    ("sex", "F"),
                    ("view_position", "PA"),
                    ("view_position", "AP"),
                )
            ),
        ]
        for name, part in certificate["parts"].items()
    ]
    findings = [
        [
            display_baseline(name),
            *(
                f"{part['findings'][name]['count']:,} "
                f"({_percent(part['findings'][name]['share'])})"
                for part in certificate["parts"].values()
            ),
        ]
        for name in certificate["parts"]["train"]["findings"]
    ]
    return [
        "## Data and split certificate",
        format_markdown_list(rows),
        format_markdown_table([header, *parts]),
        format_markdown_table([["finding", *certificate["parts"]], *findings]),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _describe_age(values: Mapping[str, Any]) -> str:
    if values["mean"] is None or values["sd"] is None:
        return "unknown"
    return SHOWN_AGE.format_map(values)


def _training(facts: RunFacts) -> list[str]:
    training = facts.config.training
    halves = facts.config.model.modality == "fused" and training.halves_first
    rows = {
        "Label rule": f"`{training.label_rule}`: {LABEL_RULES[training.label_rule]}",
        "Order": (
            "each half alone, then both joined, weighted on the validation part"
            if halves
            else "all at once"
        ),
        "Epochs run": f"{len(facts.history):,} of at most {training.epochs:,}",
        "Batch size": f"{training.batch_size}",
        "Learning rate": f"{training.learning_rate:g}, weight decay "
        f"{training.weight_decay:g}",
        "Loss": _describe_loss(training),
        "Imbalance": training.imbalance,
        "Seed": f"{facts.config.seed}",
    }
    return [
        "## Training",
        format_markdown_list(rows),
        "The whole configuration is in `config.yaml`.",
    ]


def _describe_loss(training: TrainingConfig) -> str:
    return {
        "cross_entropy": "cross-entropy",
        "focal": f"focal, gamma {training.focal_gamma:g}",
        "logit_adjusted": f"logit-adjusted, tau {training.logit_adjustment:g}: "
        "probabilities are those of classes that are equally frequent",
    }[training.loss]


def _scores(facts: RunFacts) -> list[str]:
    if not facts.evaluations:
        return ["## Scores", "Not judged yet: `dualnet evaluate` completes this card."]
    blocks = ["## Scores"]
    for name, metrics in facts.evaluations.items():
        blocks += _describe_evaluation(name, metrics)
    return [
        *blocks,
        "Intervals are from resampling patients. The baselines are fitted on the "
        "training part. `n/a`: these radiographs cannot give the score.",
    ]


def _describe_evaluation(name: str, metrics: Mapping[str, Any]) -> list[str]:
    on = metrics["about"]["data"]
    verdict = [
        f"  - {line.strip()}" if line.startswith(" ") else f"- {line}"
        for line in metrics["verdict"]["lines"]
    ]
    return [
        f"### {name}: part {metrics['part']} of {on}, "
        f"{number_of(metrics['num_images'], 'radiograph')} of "
        f"{number_of(metrics['num_patients'], 'patient')}",
        *(f"> **{one}**" for one in due_cautions(metrics)),
        "\n".join(verdict),
        format_markdown_table(findings_table(metrics)),
        format_markdown_table(summary_table(metrics)),
        *_describe_subgroups(metrics),
    ]


def _describe_subgroups(metrics: Mapping[str, Any]) -> list[str]:
    found = metrics.get("subgroups")
    if not found or not found["groupings"]:
        return []
    note = subgroup_note(metrics)
    return [format_markdown_table(subgroup_table(metrics)), note[0].upper() + note[1:]]


def _compute(facts: RunFacts) -> list[str]:
    environment, history = facts.environment, facts.history
    device = environment.get("device") or {}
    config = facts.config
    halves = config.model.modality == "fused" and config.training.halves_first
    what = "the image half's epochs" if halves else "the epochs"
    rows = {
        "Machine": f"{device.get('name', 'unknown')} ({device.get('kind', 'unknown')})",
        "Precision": _chosen(environment, "precision"),
        "Compilation": _chosen(environment, "compilation"),
        f"Seconds in {what}": (
            f"{history['seconds'].sum():,.0f}" if len(history) else NOT_MEASURED
        ),
        "Pictures a second, median": (
            f"{history['images_per_second'].median():,.0f}"
            if len(history)
            else NOT_MEASURED
        ),
        "Seconds in all, by the clock": _spent(environment, "seconds"),
        "Seconds of processor": _spent(environment, "processor_seconds"),
        "Energy and carbon": NOT_MEASURED,
        "Versions": ", ".join(
            f"{name} {version}"
            for name, version in (environment.get("versions") or {}).items()
        ),
    }
    return ["## Compute", format_markdown_list(rows)]


def _spent(environment: Mapping[str, Any], unit: str) -> str:
    """Says what `train` took, and each of its stages."""
    stages = environment.get("spent") or {}
    if not stages:
        return NOT_MEASURED
    parts = ", ".join(f"{name} {times[unit]:,.0f}" for name, times in stages.items())
    return f"{sum(times[unit] for times in stages.values()):,.0f} ({parts})"


def _chosen(environment: Mapping[str, Any], key: str) -> str:
    values = environment.get(key) or {}
    return str(values.get("chosen", "unknown"))
