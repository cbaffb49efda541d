"""What `metrics.json` holds, as a published JSON Schema (draft 2020-12).

The schema says what every evaluation has. Sections that are not in it are allowed:
what an evaluation was asked for besides stands under keys of its own. The number in
its name rises when a reader of before would be misled.
"""

import json
from importlib import resources
from typing import Any

SCHEMA = "urn:dualnet:metrics:1"  # the schema's `$id`, and `$schema` of every file
FILE = "metrics.schema.json"


def read_metrics_schema() -> dict[str, Any]:
    """Reads the JSON Schema of `metrics.json`.

    Returns:
        The schema, as plain values.

    Example:
        >>> read_metrics_schema()["$id"]
        'urn:dualnet:metrics:1'
    """
    file = resources.files("dualnet.evaluation") / FILE
    return json.loads(file.read_text("utf-8"))
