"""What a model begins with besides its first weights: those of another."""

import logging
from dataclasses import dataclass
from typing import Any

from dualnet.models.weight_files import LayerWeights
from dualnet.models.weights import Taken, take_weights

logger = logging.getLogger(__name__)

BRANCH, METADATA, HEAD = "image_", "metadata_", "logits"


@dataclass(frozen=True, kw_only=True)
class Start:
    """Weights to begin with.

    Args:
        layers: The arrays of each layer.
        source: Where they are from, in words.
        facts: What the run keeps of them, plain values for JSON.
        metadata: Whether the metadata branch may take its share: the fields are the
            same.
        head: Whether the head may: the classes are the same.
    """

    layers: LayerWeights
    source: str
    facts: dict[str, Any]
    metadata: bool = False
    head: bool = False

    def give(self, model: Any) -> Taken:
        """Gives a model the weights that fit, and says how many.

        Args:
            model: A dual classifier or one of its ablations; its weights are changed.

        Returns:
            What it took.
        """
        taken = take_weights(model, self.layers, wanted=self._may_take)
        logger.info("weights of %s: %s", self.source, taken.describe())
        return taken

    def describe(self, taken: Taken) -> dict[str, Any]:
        """Returns what `environment.json` keeps, plain values."""
        return {
            **self.facts,
            "taken": len(taken.taken),
            "of_other_shapes": list(taken.unlike),
            "not_there": list(taken.absent),
            "not_used": list(taken.unused),
        }

    def _may_take(self, name: str) -> bool:
        return (
            name.startswith(BRANCH)
            or (self.metadata and name.startswith((METADATA, "film_")))
            or (self.head and name == HEAD)
        )
