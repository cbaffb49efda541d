"""What layers know, in plain words and as a table."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.text.columns import align
from dualnet.evaluation.text.verdict import format_interval, format_number
from dualnet.wording import describe_rows, number_of, of_phantom

THUMBNAIL = "16 x 16 pixels"  # of the picture: what it gives away without the model
CHANCE = 0.5


def say_probes(values: Mapping[str, Any]) -> list[str]:
    """Says what can be told of radiographs from the features of the answer.

    Args:
        values: Plain values, as `dualnet.jobs.embedding` collects them.

    Returns:
        Sentences, one a grouping.
    """
    where = f"{describe_rows(values)}{of_phantom(values)}"
    lines = [
        _say(grouping, layers, values) for grouping, layers in values["probes"].items()
    ]
    if not lines:
        return [
            f"Nothing to ask of {where}: neither view, sex, age, visit nor source takes "
            "two values in enough patients."
        ]
    lines[0] = f"Of {where}: {lines[0]}"
    lines.append(
        "What a layer knows the answer need not use; whether it does, "
        "`dualnet evaluate --audit` says."
    )
    return lines


def probes_table(values: Mapping[str, Any]) -> list[list[str]]:
    """Lists how well each layer tells each grouping.

    Args:
        values: Plain values, as `dualnet.jobs.embedding` collects them.

    Returns:
        The header, and a row a layer: the mean AUROC of each grouping's groups with its
        interval.
    """
    probes = values["probes"]
    heads = [
        f"{name} ({number_of(first['num_scored'], 'group')})"
        for name, layers in probes.items()
        if (first := next(iter(layers.values())))
    ]
    layers = list(dict.fromkeys(name for one in probes.values() for name in one))
    rows = [["Layer, AUROC [95 % interval]", *heads]]
    rows += [
        [layer, *(_cell(one.get(layer)) for one in probes.values())] for layer in layers
    ]
    return rows


def format_probes(values: Mapping[str, Any]) -> str:
    """Writes sentences and table as text.

    Args:
        values: Plain values, with their `verdict`.

    Returns:
        Lines, the verdict first.
    """
    blocks = ["\n".join(values["verdict"])]
    if values["probes"]:
        blocks.append(align(probes_table(values), left=(0,), rules=(1,)))
    return "\n\n".join(blocks) + "\n"


def _say(grouping: str, layers: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    layer = values["layer"]
    found, pixels = layers.get(layer), layers.get(THUMBNAIL)
    given = (
        "; the record, which the model reads, says so"
        if grouping in values["given"]
        else ""
    )
    known = _is_known(found)
    head = f"{layer} {'knows' if known else 'is not shown to know'} the {grouping}"
    return (
        f"{head}, AUROC {_cell(found)} where chance is .500 and {THUMBNAIL} give "
        f"{format_number(pixels['auroc'] if pixels else None)}{given}."
    )


def _is_known(found: Mapping[str, Any] | None) -> bool:
    if found is None or found["auroc_interval"]["low"] is None:
        return False
    return found["auroc_interval"]["low"] > CHANCE


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "n/a"
    return f"{format_number(found['auroc'])} {format_interval(found['auroc_interval'])}"
