"""How much of an answer is the picture's, and how much each field of the record's.

The picture and each field of the record are the players of a game. What a coalition is
worth is what the model says when its members are this radiograph's and all else is a
reference radiograph's, picture and record of one patient. A player's share is the
mean of what its joining adds, over all orders of joining. With a picture and at most four
fields there are 32 coalitions, so the shares are exact, not sampled; and they add up to
the difference between what the model says here and of the reference.

The reference decides what is explained: against typical patients, why this one is not
typical. So there are many references, each gives shares of its own, and their mean is
told with an interval. A mixture of one patient's picture and another's age may be a
patient that nobody has seen; the shares tell what the model does, not what the body does.

Reference:
    Shapley, A value for n-person games, 1953; Lundberg and Lee, A unified approach to
    interpreting model predictions, NeurIPS 2017, equation 4 (the weights);
    Sundararajan and Najmi, The many Shapley values for model explanation, ICML 2020,
    section 2.3 (a coalition's worth by a reference, there called a baseline).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.special import logsumexp

from dualnet.data.labels import SIGMOID
from dualnet.errors import ConfigError
from dualnet.explain.split_model import Cases, SplitModel

PICTURE = "picture"
LOG_ODDS = "log_odds"
LOGITS = "logits"
SCALES = (LOG_ODDS, LOGITS)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Shares of one radiograph's picture and record in what the model says of it.

    Args:
        players: `picture` if the model sees it, then the fields that it reads.
        by_reference: Each player's share against each reference, float64, shape
            (references, players, classes).
        case: What the model says of the radiograph, float64, shape (classes,).
        references: What it says of each reference, shape (references, classes).
        scale: What that is: `log_odds`, of the probability, or `logits`.
    """

    players: tuple[str, ...]
    by_reference: np.ndarray
    case: np.ndarray
    references: np.ndarray
    scale: str

    @property
    def means(self) -> np.ndarray:
        """The shares against the mean reference, shape (players, classes).

        Those of each class add up to `case` less `reference`.
        """
        return self.by_reference.mean(axis=0)

    @property
    def reference(self) -> np.ndarray:
        """The mean of what the model says of the references, shape (classes,)."""
        return self.references.mean(axis=0)


def compute_shares(
    model: SplitModel,
    case: Cases,
    references: Cases,
    *,
    fields: Mapping[str, slice],
    scale: str = LOG_ODDS,
) -> Shares:
    """Computes the exact shares of picture and record for every class.

    Args:
        model: The model, split.
        case: One radiograph.
        references: What it is compared with, one or more radiographs.
        fields: Name of each field to its columns among the encoded metadata; empty for
            a model of the picture alone.
        scale: `log_odds`: of each class's probability, log(p / (1 - p)). `logits`: the
            layer's own outputs. Of sigmoids these are the same. Of a softmax what is
            added to all logits changes no probability, so the log-odds say more.

    Returns:
        The shares; of a field with no weight they are 0.

    Raises:
        ConfigError: If `case` is not one radiograph, there is no reference, or the
            scale is not known.

    Reference:
        Lundberg and Lee, NeurIPS 2017, equation 4.
    """
    _check(case, references, scale)
    pictures = (PICTURE,) if case.pictures else ()
    players = (*pictures, *fields)
    worths = np.stack(
        [
            _scale(
                model.answer(_mix(told, case, references, fields)).logits,
                model.activation,
                scale,
            )
            for told in _list_coalitions(players)
        ]
    )
    return Shares(
        players=players,
        by_reference=np.moveaxis(compute_shapley_values(worths), 0, 1),
        # the same in each row but for the last digits
        case=worths[-1].mean(axis=0),
        references=worths[0],
        scale=scale,
    )


def compute_shapley_values(worths: np.ndarray) -> np.ndarray:
    """Computes the exact Shapley values of games from the worths of all coalitions.

    Args:
        worths: Shape (2**players, ...). Player i is in coalition c where bit i of c is
            set: the first is empty, the last is of all.

    Returns:
        float64, shape (players, ...); they add up to the last worth less the first.

    Raises:
        ConfigError: If the number of worths is not a power of two.

    Example:
        >>> gloves = [0, 0, 0, 0, 0, 1, 1, 1]  # two have a left one, the third a right
        >>> compute_shapley_values(np.array(gloves)).round(4).tolist()
        [0.1667, 0.1667, 0.6667]

    Reference:
        Lundberg and Lee, NeurIPS 2017, equation 4.
    """
    worths = np.asarray(worths, np.float64)
    num_players = len(worths).bit_length() - 1
    if len(worths) != 2**num_players:
        raise ConfigError(
            "shapley: the worth of every coalition must be given, a power of two. "
            f"Received: {len(worths)}. Give one for each."
        )
    coalitions = np.arange(len(worths))
    values = np.empty((num_players, *worths.shape[1:]))
    for player in range(num_players):
        without = coalitions[coalitions >> player & 1 == 0]
        weights = [
            1 / (num_players * comb(num_players - 1, int(one).bit_count()))
            for one in without
        ]
        added = worths[without | 1 << player] - worths[without]
        values[player] = np.tensordot(weights, added, axes=1)
    return values


def compute_log_odds(logits: np.ndarray, activation: str) -> np.ndarray:
    """Computes the log-odds of each class's probability, log(p / (1 - p)).

    Args:
        logits: Shape (n, classes).
        activation: `softmax` or `sigmoid`.

    Returns:
        float64, same shape; finite where a probability would round to 0 or 1.

    Example:
        >>> compute_log_odds(np.array([[1.0, 1.0, 3.0]]), "softmax").round(3).tolist()
        [[-2.127, -2.127, 1.307]]
    """
    logits = np.asarray(logits, np.float64)
    if activation == SIGMOID:
        return logits
    num_classes = logits.shape[-1]
    others = np.where(np.eye(num_classes, dtype=bool), -np.inf, logits[:, np.newaxis])
    return logits - logsumexp(others, axis=-1)


def _scale(logits: np.ndarray, activation: str, scale: str) -> np.ndarray:
    if scale == LOG_ODDS:
        return compute_log_odds(logits, activation)
    return logits.astype(np.float64)


def _list_coalitions(players: tuple[str, ...]) -> list[set[str]]:
    """Lists all sets of players, by the bits of their number."""
    return [
        {player for bit, player in enumerate(players) if number >> bit & 1}
        for number in range(2 ** len(players))
    ]


def _mix(
    told: set[str], case: Cases, references: Cases, fields: Mapping[str, slice]
) -> Cases:
    """Returns the references, with what the coalition has replaced by the case's."""
    pictures = references.pictures
    if PICTURE in told:
        number = len(references)
        pictures = [np.repeat(one, number, axis=0) for one in case.pictures]
    metadata = references.metadata.copy()
    for field in told.intersection(fields):
        metadata[:, fields[field]] = case.metadata[:, fields[field]]
    return Cases(pictures=pictures, metadata=metadata)


def _check(case: Cases, references: Cases, scale: str) -> None:
    if len(case) != 1 or not len(references):
        raise ConfigError(
            "shares: must be of one radiograph, against one or more references. "
            f"Received: {len(case)} against {len(references)}. Give one, and some."
        )
    if scale not in SCALES:
        raise ConfigError(
            f"shares: `scale` must be one of {', '.join(SCALES)}. "
            f"Received: scale={scale!r}. Name one of them."
        )
