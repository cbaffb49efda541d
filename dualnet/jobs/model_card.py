"""`MODEL_CARD.md` of a run: written by `train`, completed by `evaluate`."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from dualnet.evaluation.model_card import RunFacts, format_model_card
from dualnet.evaluation.schema import SCHEMA
from dualnet.files import sha256, write_text
from dualnet.jobs.finished import read_vocabulary
from dualnet.jobs.sources import read_dataset
from dualnet.runs import RunFolder

logger = logging.getLogger(__name__)

METRICS = "metrics.json"
NO_EPOCH = pd.DataFrame({"seconds": [], "images_per_second": []})


def write_model_card(run: RunFolder) -> None:
    """Writes a run's model card from what its folder holds, scores among it.

    Args:
        run: A finished run. Each evaluation that lies in it is in the card.
    """
    config, certificate = run.read_config(), run.read_certificate()
    facts = RunFacts(
        name=run.path.resolve().name,
        config=config,
        certificate=certificate,
        vocabulary=read_vocabulary(run, certificate),
        dataset=read_dataset(config, certificate),
        environment=run.read_environment(),
        history=pd.read_csv(run.history) if run.history.is_file() else NO_EPOCH,
        model_sha256=sha256(run.model),
        evaluations=_read_evaluations(run.evaluation),
    )
    write_text(run.model_card, format_model_card(facts))


def _read_evaluations(folder: Path) -> dict[str, dict[str, Any]]:
    """Reads the scores in a folder and in those within, the run's test part first."""
    files = [folder / METRICS, *sorted(folder.glob(f"*/{METRICS}"))]
    found = {}
    for file in files:
        if not file.is_file():
            continue
        metrics = _read_metrics(file)
        if metrics is None:
            logger.info("%s: not this version's, left out of the model card", file)
            continue
        found[file.parent.relative_to(folder.parent).as_posix()] = metrics
    return found


def _read_metrics(file: Path) -> dict[str, Any] | None:
    try:
        metrics = json.loads(file.read_text("utf-8"))
        known = metrics["$schema"] == SCHEMA and "about" in metrics
    except (OSError, ValueError, TypeError, LookupError):
        return None
    return metrics if known else None
