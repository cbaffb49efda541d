"""What a model keeps of a radiograph: a map of its features, and what can be told of them.

The map lays what the answer is made of in two dimensions, for looking. How much each
layer knows of view, sex, age or source is measured: by linear probes, which are cross-
validated by patient, each with its interval; chance is .5, and beside the model's layers
stands what 16 by 16 pixels of the picture give away. To know is not to use: whether the
answer moves with it, the audit says.

Reference:
    Alain and Bengio, Understanding intermediate layers using linear classifier probes,
    ICLR workshops 2017; van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 9,
    2008.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from dualnet.evaluation.auditing.probes import probe_source
from dualnet.evaluation.intervals.bootstrap import PatientResamples
from dualnet.explain.activations import read_activations

PCA_MAP, TSNE_MAP = "pca", "tsne"
EMBEDDINGS = (PCA_MAP, TSNE_MAP)
PERPLEXITY = 30  # van der Maaten and Hinton: 5 to 50
MAX_FEATURES = 128  # that a probe reads: the principal components of wider layers

NO_FEATURES = ("logits", "probabilities")


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Features in two dimensions.

    Args:
        method: One of `EMBEDDINGS`.
        points: Float64, shape (n, 2).
        explained: Which share of the features' variance each axis has, shape (2,);
            None where axes mean nothing, as those of t-SNE.
    """

    method: str
    points: np.ndarray
    explained: np.ndarray | None


def read_features(
    model: keras.Model, batches: Iterable[Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Reads what each stage makes of radiographs, a batch at a time.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        batches: Inputs of each batch, as `compute_activations` takes them.

    Returns:
        Name of each stage below the logits to its features, float32, shape (n,
        channels): of maps the mean over their places.
    """
    blocks: dict[str, list[np.ndarray]] = {}
    for _, activations in read_activations(model, batches):
        for name, values in activations.items():
            if name not in NO_FEATURES:
                places = tuple(range(1, values.ndim - 1))
                blocks.setdefault(name, []).append(values.mean(axis=places))
    return {name: np.concatenate(parts) for name, parts in blocks.items()}


def embed(features: np.ndarray, *, method: str, seed: int) -> Embedding:
    """Lays features in two dimensions.

    Each feature is brought to mean 0 and variance 1 first. The axes of a PCA are those
    of most variance, and distances in it are what is left of the true ones; t-SNE keeps
    who is near whom, and neither distances nor sizes of its clusters mean anything.

    Args:
        features: Shape (n, k), n at least 3.
        method: One of `EMBEDDINGS`.
        seed: Decides how t-SNE begins.

    Returns:
        The points. The same seed gives the same bits: one thread sums in one order.
    """
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    with threadpool_limits(1):
        if method == PCA_MAP:
            pca = PCA(n_components=2, svd_solver="full").fit(scaled)
            return Embedding(
                method=method,
                points=pca.transform(scaled),
                explained=pca.explained_variance_ratio_,
            )
        tsne = TSNE(
            perplexity=min(PERPLEXITY, (len(scaled) - 1) / 3),
            init="pca",
            random_state=seed,
            n_jobs=1,
        )
        points = tsne.fit_transform(scaled).astype(np.float64)
    return Embedding(method=method, points=points, explained=None)


def probe_layers(
    features: Mapping[str, np.ndarray],
    groups: Mapping[str, np.ndarray],
    draws: PatientResamples,
    *,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Scores how well groups of radiographs are told from each layer's features.

    Args:
        features: Features by layer, shape (n, k).
        groups: The group of each row by what parts them, text, shape (n,); empty where
            it is not known.
        draws: Draws of patients over the rows.
        seed: Decides the folds.

    Returns:
        Plain values: by grouping and layer, as `probe_source` returns them. A grouping
        of one value, or too few patients, is left out.
    """
    narrowed = {name: _narrow(values) for name, values in features.items()}
    found: dict[str, dict[str, Any]] = {}
    for grouping, values in groups.items():
        for layer, numbers in narrowed.items():
            one = probe_source(numbers, values, draws, seed=seed)
            if one is not None:
                found.setdefault(grouping, {})[layer] = one
    return found


def _narrow(features: np.ndarray) -> np.ndarray:
    """Brings wide features to their principal components; no label is looked at."""
    most = min(MAX_FEATURES, len(features))
    if features.shape[1] <= most:
        return features
    with threadpool_limits(1):
        scaled = StandardScaler().fit_transform(features.astype(np.float64))
        return PCA(n_components=most, svd_solver="full").fit_transform(scaled)
