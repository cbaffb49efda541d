"""What a model must beat: the class prior, the majority class, the record alone.

All are fitted on the training part. They are made as strong as they honestly can be,
for a weak baseline flatters every model:

- The per-finding scores of the metadata-only baseline are those of binary models, one
  a finding, fitted on the full label set. Read from a 15-class softmax fitted on the
  first label instead, its macro AUROC falls from .70 to .58 (1,883 radiographs of
  NIH, 70 % of the patients for training, 20 % judged, mean of three seeds).
- It is the mean of two models: boosted trees of depth two, and logistic regression on
  the features, their squares and products. Macro AUROC there: trees .694, logistic
  .696, mean .701; on the official test, fitted on all 86,524 training rows: .628,
  .637, .637.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from threadpoolctl import threadpool_limits

from dualnet.evaluation.scores.prediction import Prediction as Prediction

CLASS_PRIOR = "class_prior"
MAJORITY = "majority"
METADATA_ONLY = "metadata_only"
IMAGE_ONLY = "image_only"  # a run of pictures alone, where one is named
HALF = 0.5
ROWS_AT_A_TIME = 4096  # that are predicted: of thumbnails 2 kB each, twice


@dataclass(frozen=True)
class Baselines:
    """Baselines fitted on the training part.

    Args:
        prior: Share of each class among the first labels, shape (num_classes,).
        softmax: Models of the first label, of whose probabilities the mean is taken.
        finding_models: For each class, models of whether it is among the labels.
        finding_shares: Share of the rows that have each class among their labels,
            shape (num_classes,).
    """

    prior: np.ndarray
    softmax: tuple[Any, ...]
    finding_models: tuple[tuple[Any, ...], ...]
    finding_shares: np.ndarray

    def predict(self, metadata: np.ndarray) -> dict[str, Prediction]:
        """Predicts with each baseline.

        Args:
            metadata: Encoded metadata, never NaN, shape (n, num_features).

        Returns:
            `class_prior`, `majority` and `metadata_only`.
        """
        with threadpool_limits(1):
            return {
                **predict_shares(self.prior, self.finding_shares, len(metadata)),
                METADATA_ONLY: Prediction(
                    _predict_blocks(self._predict_softmax, metadata),
                    _predict_blocks(self._predict_findings, metadata),
                ),
            }

    def _predict_softmax(self, metadata: np.ndarray) -> np.ndarray:
        if not self.softmax:
            return np.tile(self.prior, (len(metadata), 1))
        seen = self.softmax[0].classes_
        means = _mean(model.predict_proba(metadata) for model in self.softmax)
        # classes without a training row keep their share of the prior
        probabilities = np.tile(self.prior, (len(metadata), 1))
        probabilities[:, seen] = means * self.prior[seen].sum()
        return probabilities

    def _predict_findings(self, metadata: np.ndarray) -> np.ndarray:
        constant = np.zeros(len(metadata))
        columns = [
            _mean(model.predict_proba(metadata)[:, 1] for model in models)
            if models
            else constant
            for models in self.finding_models
        ]
        return np.stack(columns, axis=1)


def count_shares(
    first: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Counts the classes, by Laplace's rule.

    Args:
        first: Class of each row's first label, int, shape (n,).
        labels: Labels present, bool, shape (n, num_classes).

    Returns:
        The share of each class among the first labels, (count + 1) / (rows + classes),
        and among all labels, (count + 1) / (rows + 2); each of shape (num_classes,).
    """
    num_rows, num_classes = labels.shape
    counts = np.bincount(first, minlength=num_classes)
    prior = (counts + 1) / (num_rows + num_classes)
    return prior, (labels.sum(axis=0) + 1) / (num_rows + 2)


def predict_shares(
    prior: np.ndarray, finding_shares: np.ndarray, num_rows: int
) -> dict[str, Prediction]:
    """Predicts the same of every row, from shares alone.

    Args:
        prior: Share of each class among the first labels, shape (num_classes,).
        finding_shares: Share of each class among all labels, shape (num_classes,).
        num_rows: How many rows to predict.

    Returns:
        `class_prior` and `majority`: one row, which is shown as often as there are
        rows and cannot be written to.
    """
    majority = np.zeros_like(prior)
    majority[prior.argmax()] = 1
    called = (finding_shares > HALF).astype(np.float64)
    size = (num_rows, prior.size)
    return {
        CLASS_PRIOR: Prediction(
            np.broadcast_to(prior, size), np.broadcast_to(finding_shares, size)
        ),
        MAJORITY: Prediction(
            np.broadcast_to(majority, size), np.broadcast_to(called, size)
        ),
    }


def fit_baselines(
    metadata: np.ndarray, *, first: np.ndarray, labels: np.ndarray, seed: int
) -> Baselines:
    """Fits the baselines on the training part.

    The class prior is the share of each class among the first labels, by Laplace's
    rule: (count + 1) / (rows + classes), so that a class absent from training does
    not cost an endless log-loss. The majority baseline answers its largest with
    certainty; log-loss clips the zeros, see `metrics.LOG_LOSS_CLIP`. Apart from the
    others, a class has its share of all labels, (count + 1) / (rows + 2), and the
    majority baseline calls it if that is above one half.

    Args:
        metadata: Encoded metadata, never NaN, shape (n, num_features).
        first: Class of each row's first label, int, shape (n,).
        labels: Labels present, bool, shape (n, num_classes).
        seed: Of the boosted trees.

    Returns:
        The fitted baselines. The same rows and seed give the same bits: one thread
        sums in one order.
    """
    prior, finding_shares = count_shares(first, labels)
    with threadpool_limits(1):
        return Baselines(
            prior=prior,
            softmax=_fit_pair(metadata, first, seed),
            finding_models=tuple(
                _fit_pair(metadata, present, seed) for present in labels.T
            ),
            finding_shares=finding_shares,
        )


def _fit_pair(metadata: np.ndarray, target: np.ndarray, seed: int) -> tuple[Any, ...]:
    """Fits both models; none where all rows are of one class."""
    if np.unique(target).size < 2:
        return ()
    features = metadata.astype(np.float64)
    return tuple(
        model.fit(features, target) for model in (_trees(seed), _logistic_regression())
    )


def _trees(seed: int) -> HistGradientBoostingClassifier:
    # scikit-learn's defaults (31 leaves, rate .1, 100 rounds) learn 1,300 rows by
    # heart: .61 where these settings give .69
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=50,
        max_depth=2,
        min_samples_leaf=40,
        l2_regularization=5.0,
        early_stopping=False,  # pyright: ignore[reportArgumentType] - or a bool
        random_state=seed,
    )


def _logistic_regression() -> Pipeline:
    return make_pipeline(
        PolynomialFeatures(2, include_bias=False),
        LogisticRegression(C=0.1, max_iter=3000),
    )


def _predict_blocks(
    predict: Callable[[np.ndarray], np.ndarray], metadata: np.ndarray
) -> np.ndarray:
    """Predicts some rows at a time, float32: the products of features take .5 kB a row."""
    starts = range(0, max(1, len(metadata)), ROWS_AT_A_TIME)
    blocks = (metadata[start : start + ROWS_AT_A_TIME] for start in starts)
    return np.concatenate([predict(block).astype(np.float32) for block in blocks])


def _mean(probabilities: Iterable[np.ndarray]) -> np.ndarray:
    return np.mean(list(probabilities), axis=0)
