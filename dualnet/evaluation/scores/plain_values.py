"""Values as JSON can hold them."""

import math
from typing import Any


def plain_values(values: Any) -> Any:
    """Turns NaN, which JSON has not, into None; dicts and lists are gone through."""
    if isinstance(values, dict):
        return {key: plain_values(value) for key, value in values.items()}
    if isinstance(values, list):
        return [plain_values(value) for value in values]
    return None if isinstance(values, float) and math.isnan(values) else values
