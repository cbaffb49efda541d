"""The section on probabilities as the model gives them, where nothing was fitted."""

from collections.abc import Mapping
from typing import Any

from dualnet.plots.report.captions import show
from dualnet.plots.report.sections import Section


def make_uncalibrated(metrics: Mapping[str, Any]) -> Section | None:
    """Says why neither a temperature nor a threshold was fitted.

    Args:
        metrics: Plain values, as `evaluate` collects them; the reason under
            `calibration`.

    Returns:
        The section, or None where they were fitted or nobody said why not.
    """
    found = metrics.get("calibration")
    if not found or found["fitted_on"] or not found.get("reason"):
        return None
    return Section(
        key="uncalibrated",
        title="Probabilities as the model gives them",
        paragraphs=(f"Not calibrated: {found['reason']}.",),
        pictures=show("reliability"),
    )
