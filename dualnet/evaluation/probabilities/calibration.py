"""Calibration of a model: a temperature and operating points, of validation only.

A network is surer than it is right. Its probabilities are brought to what happens by
one number, the temperature, that its logits are divided by; then from which
probability on a class counts as present is chosen. Both are fitted on the validation
part, kept with the run, and only scored on the part that is judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logit, softmax

from dualnet.evaluation.probabilities.thresholds import (
    RULES,
    OperatingPoint,
    choose_operating_points,
)
from dualnet.evaluation.scores.truth import Truth
from dualnet.training.selection import MIN_PATIENTS

FORMAT = 1
SOFTMAX = "softmax"
SIGMOID = "sigmoid"
COLDEST, HOTTEST = 0.05, 20.0
TOLERANCE = 1e-6  # of the temperature's logarithm
LEAST = 1e-30  # a probability of 0 in float32 has no logarithm
MOST = 1 - 2.0**-24  # nor has 1 a logit; this is float32's last before it


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What the validation part says of a model's probabilities.

    Args:
        class_names: The columns.
        activation: `softmax` or `sigmoid`.
        temperatures: What logits are divided by, in `[COLDEST, HOTTEST]`: one for
            all classes of a softmax, shape (1,), one a class of sigmoids, shape
            (num_classes,); 1 where too few patients were there to fit it.
        points: For each of `RULES`, one operating point a class, on the calibrated
            probabilities.
        counts: Of each class: `n_positive`, `n_negative`, `patients_positive` and
            `patients_negative` of the rows it was fitted on.
        num_images: How many rows it was fitted on.
        num_patients: Of how many patients.
        part: The part of the split they are of.
        model_digest: SHA-256 of the weights whose probabilities they were.
    """

    class_names: tuple[str, ...]
    activation: str
    temperatures: np.ndarray
    points: Mapping[str, tuple[OperatingPoint, ...]]
    counts: Mapping[str, Mapping[str, int]]
    num_images: int
    num_patients: int
    part: str
    model_digest: str

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Brings a model's probabilities to how often it is right.

        Args:
            probabilities: The model's, shape (n, num_classes).

        Returns:
            float64, same shape; rows of a softmax still sum to 1. The likeliest class
            stays the likeliest.
        """
        values = np.asarray(probabilities, dtype=np.float64)
        if (self.temperatures == 1).all():
            return values
        return _activate(_logits(values, self.activation) / self.temperatures, self)

    def thresholds(self, rule: str) -> np.ndarray:
        """Returns the thresholds of one of `RULES`, NaN where there is none.

        They are on the probabilities that `apply` returns; float64, shape
        (num_classes,).
        """
        return np.array([point.threshold for point in self.points[rule]])

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON; None where undefined."""
        return {
            "format": FORMAT,
            "part": self.part,
            "num_images": self.num_images,
            "num_patients": self.num_patients,
            "model_sha256": self.model_digest,
            "activation": self.activation,
            "temperatures": self.temperatures.tolist(),
            "class_names": list(self.class_names),
            "counts": {name: dict(values) for name, values in self.counts.items()},
            "operating_points": {
                rule: {
                    name: point.as_dict()
                    for name, point in zip(self.class_names, points, strict=True)
                }
                for rule, points in self.points.items()
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads back what `as_dict` returned.

        Args:
            values: Plain values.

        Returns:
            The calibration.

        Raises:
            ValueError: If a value is missing, or not one that `as_dict` returns.
        """
        names = tuple(values["class_names"])
        temperatures = np.array(values["temperatures"], dtype=np.float64)
        expected = 1 if values["activation"] == SOFTMAX else len(names)
        if (
            values["format"] != FORMAT
            or values["activation"] not in {SOFTMAX, SIGMOID}
            or temperatures.shape != (expected,)
            or not (temperatures > 0).all()
        ):
            raise ValueError("not the format, activation or temperatures expected")
        points = values["operating_points"]
        return cls(
            class_names=names,
            activation=values["activation"],
            temperatures=temperatures,
            points={
                rule: tuple(
                    OperatingPoint.from_dict(points[rule][name]) for name in names
                )
                for rule in RULES
            },
            counts={name: dict(values["counts"][name]) for name in names},
            num_images=int(values["num_images"]),
            num_patients=int(values["num_patients"]),
            part=str(values["part"]),
            model_digest=str(values["model_sha256"]),
        )


def fit_calibration(
    truth: Truth,
    probabilities: np.ndarray,
    *,
    model_digest: str,
    activation: str = SOFTMAX,
) -> Calibration:
    """Fits temperature and operating points on the validation part.

    The temperature minimises the log-loss that the report states: of a softmax, of
    the first label; of sigmoids, of each class against the full label set. It is 1
    where fewer than `MIN_PATIENTS` patients are there, or have or lack the class.

    Args:
        truth: The rows of the validation part.
        probabilities: The model's, shape (n, num_classes).
        model_digest: SHA-256 of the model's weights.
        activation: `softmax` or `sigmoid`.

    Returns:
        The calibration; the same rows give the same bits.

    Reference:
        Guo et al., On calibration of modern neural networks, ICML 2017, section 4.2.
    """
    logits = _logits(np.asarray(probabilities, dtype=np.float64), activation)
    counts = {
        name: _count(present, truth.patient_ids)
        for name, present in zip(truth.class_names, truth.labels.T, strict=True)
    }
    fit = _fit_softmax if activation == SOFTMAX else _fit_sigmoids
    bare = Calibration(
        class_names=truth.class_names,
        activation=activation,
        temperatures=fit(truth, logits),
        points={},
        counts=counts,
        num_images=truth.num_images,
        num_patients=truth.num_patients,
        part=truth.part,
        model_digest=model_digest,
    )
    return _with_points(bare, truth, bare.apply(probabilities))


def _with_points(
    bare: Calibration, truth: Truth, calibrated: np.ndarray
) -> Calibration:
    chosen = [
        choose_operating_points(present, column, truth.patient_ids)
        for present, column in zip(truth.labels.T, calibrated.T, strict=True)
    ]
    points = {rule: tuple(points[rule] for points in chosen) for rule in RULES}
    return replace(bare, points=points)


def _count(present: np.ndarray, patient_ids: np.ndarray) -> dict[str, int]:
    return {
        "n_positive": int(present.sum()),
        "n_negative": int((~present).sum()),
        "patients_positive": int(np.unique(patient_ids[present]).size),
        "patients_negative": int(np.unique(patient_ids[~present]).size),
    }


def _logits(probabilities: np.ndarray, activation: str) -> np.ndarray:
    clipped = np.clip(probabilities, LEAST, MOST)
    return np.log(clipped) if activation == SOFTMAX else logit(clipped)


def _activate(logits: np.ndarray, calibration: Calibration) -> np.ndarray:
    if calibration.activation == SOFTMAX:
        return softmax(logits, axis=1)
    return expit(logits)


def _fit_softmax(truth: Truth, logits: np.ndarray) -> np.ndarray:
    if truth.num_patients < MIN_PATIENTS:
        return np.ones(1)
    rows = np.arange(truth.num_images)

    def loss(temperature: float) -> float:
        return -float(
            log_softmax(logits / temperature, axis=1)[rows, truth.first].mean()
        )

    return np.array([_minimise(loss)])


def _fit_sigmoids(truth: Truth, logits: np.ndarray) -> np.ndarray:
    return np.array(
        [
            _fit_sigmoid(present, column, truth.patient_ids)
            for present, column in zip(truth.labels.T, logits.T, strict=True)
        ]
    )


def _fit_sigmoid(
    present: np.ndarray, logits: np.ndarray, patient_ids: np.ndarray
) -> float:
    counts = _count(present, patient_ids)
    few = min(counts["patients_positive"], counts["patients_negative"]) < MIN_PATIENTS
    if few or np.isnan(logits).any():  # a class may have no score
        return 1.0
    towards = np.where(present, logits, -logits)

    def loss(temperature: float) -> float:
        return float(np.logaddexp(0, -towards / temperature).mean())

    return _minimise(loss)


def _minimise(loss: Callable[[float], float]) -> float:
    """Finds the temperature of the least loss, which falls to it and rises after."""
    found: Any = minimize_scalar(
        lambda logarithm: loss(float(np.exp(logarithm))),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": TOLERANCE},
    )
    return float(np.exp(found.x))
