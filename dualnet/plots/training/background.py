"""What the page of a training says of its time, its split and its configuration."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from dualnet.plots.report.sections import Section, Table
from dualnet.plots.style import display_name
from dualnet.plots.training.facts import TrainingFacts
from dualnet.wording import number_of

PARTS: Mapping[str, str] = {"train": "training", "val": "validation", "test": "test"}


def make_time(facts: TrainingFacts) -> Section:
    """Says on what, and where the time went."""
    spent = facts.environment.get("spent") or {}
    total = sum(stage["seconds"] for stage in spent.values()) or 1.0
    rows = [
        [
            name,
            format_seconds(stage["seconds"]),
            format_seconds(stage["processor_seconds"]),
            f"{100 * stage['seconds'] / total:.0f} %",
        ]
        for name, stage in spent.items()
    ]
    environment = facts.environment
    device = environment.get("device") or {}
    chosen = [
        [name, str(environment[name]["chosen"]), str(environment[name]["why"])]
        for name in ("precision", "compilation")
        if name in environment
    ]
    versions = ", ".join(
        f"{name} {version}"
        for name, version in (environment.get("versions") or {}).items()
    )
    return Section(
        key="time",
        title="Where the time went",
        paragraphs=(
            f"Device: {device.get('kind', 'unknown')}, {device.get('name', 'unknown')}. "
            f"Back end {environment.get('backend', 'unknown')}; {versions}."
            f"{_describe_memory(environment)}",
            *(() if spent else ("Known when the run is finished.",)),
        ),
        tables=(
            *(
                [
                    Table(
                        caption="Stages",
                        header=["stage", "time", "of all processors", "share"],
                        rows=rows,
                    )
                ]
                if spent
                else []
            ),
            Table(
                caption="What was chosen",
                header=["", "chosen", "why"],
                rows=chosen,
                left=(0, 1, 2),
            ),
        ),
    )


def _describe_memory(environment: Mapping[str, Any]) -> str:
    cost = environment.get("cost") or {}
    if not cost.get("peak_memory_mib"):
        return ""
    return f" At most {cost['peak_memory_mib']:,.0f} MiB of {cost['memory_of']} memory."


def make_split(facts: TrainingFacts) -> Section:
    """Says how many there are in each part, and which labels are lost."""
    certificate = facts.certificate
    parts = certificate["parts"]
    counts = certificate["counts"]
    dropped = [row for row in certificate["label_rule_dropped"] if row["dropped"]]
    rule = facts.config.training.label_rule
    shared = certificate["shared_patients"]
    used = Table(
        caption="Parts",
        header=["part", "radiographs", "patients"],
        rows=[
            [
                PARTS.get(str(name), str(name)),
                f"{part['radiographs']:,}",
                f"{part['patients']:,}",
            ]
            for name, part in parts.items()
        ],
        note="; ".join(
            f"{name.replace('_', ' ')}: {count:,}" for name, count in counts.items()
        )
        + ".",
    )
    classes = Table(
        caption="Radiographs with each label",
        header=["class", *(PARTS.get(str(name), str(name)) for name in parts)],
        rows=[
            [
                display_name(name),
                *(
                    f"{part['findings'].get(name, {}).get('count', 0):,}"
                    for part in parts.values()
                ),
            ]
            for name in facts.vocabulary.class_names
        ],
    )
    lost = Table(
        caption=f"Labels that the rule {rule} drops",
        header=["finding", "labelled", "kept", "dropped", "share"],
        rows=[
            [
                display_name(row["finding"]),
                *(f"{row[key]:,}" for key in ("present", "kept", "dropped")),
                f"{100 * row['dropped'] / row['present']:.0f} %",
            ]
            for row in dropped
        ],
    )
    return Section(
        key="split",
        title="The split",
        paragraphs=(
            f"{number_of(shared, 'patient')} in two parts. "
            + (
                "" if dropped else f"The label rule {rule} drops no label of a finding."
            ),
        ),
        tables=(used, classes, *([lost] if dropped else [])),
    )


def make_configuration(facts: TrainingFacts) -> Section:
    """Lists the configuration, a row a key."""
    values = facts.config.model_dump(mode="json")
    paths = facts.config.model_dump()
    return Section(
        key="configuration",
        title="Configuration",
        paragraphs=("As in config.yaml; of paths the last part.",),
        tables=(
            Table(
                caption="Keys",
                header=["key", "value"],
                rows=_flatten(values, paths),
                left=(0, 1),
            ),
        ),
    )


def _flatten(
    values: Mapping[str, Any], typed: Mapping[str, Any], prefix: str = ""
) -> list[list[str]]:
    rows: list[list[str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += _flatten(value, typed[key], f"{prefix}{key}.")
        else:
            rows.append([f"{prefix}{key}", _format_value(value, typed[key])])
    return rows


def _format_value(value: Any, typed: Any) -> str:
    if value is None:
        return "none"
    if isinstance(typed, PurePath):
        return typed.name
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(one) for one in value) or "none"
    return str(value)


def format_seconds(seconds: float) -> str:
    """Returns how long something took, in words.

    Args:
        seconds: At least 0.

    Returns:
        Two units at most.

    Example:
        >>> format_seconds(3.21), format_seconds(200), format_seconds(5000)
        ('3.2 s', '3 min 20 s', '1 h 23 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
