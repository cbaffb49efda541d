"""Heat maps of boxed findings, scored method by method."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from dualnet.evaluation.intervals.bootstrap import PatientResamples, resample_patients
from dualnet.explain.faithfulness import (
    Curves,
    compute_curves,
    describe_curves,
    draw_noise,
)
from dualnet.explain.heat_maps import HeatMapper, enlarge_maps
from dualnet.explain.localisation import (
    CENTRE,
    CHANCE,
    USUAL_PLACE,
    MapScores,
    compare_scores,
    describe_scores,
    find_other_maps,
    resample_scores,
    score_centre,
    score_chance,
    score_maps,
    score_usual_places,
)
from dualnet.explain.randomisation import (
    copy_model,
    correlate_maps,
    describe_correlations,
    shuffle_stages,
)
from dualnet.explain.score_verdict import OTHER_PATIENT, SHUFFLED
from dualnet.jobs.boxed import Boxed

ROWS_AT_A_TIME = 256  # 67 MB of maps of 256 by 256 pixels
NUM_FAITHFUL = 64  # rows, each of which is asked some 30 times
NUM_SHUFFLES = 3
NUM_SHUFFLED = 64  # rows whose maps are made at each stage of the shuffling


@dataclass(frozen=True, kw_only=True)
class MethodScores:
    """What one method's maps score.

    Args:
        block: Plain values for JSON.
        rows: The scores of each row.
        maps: The maps, float32, shape (n, height, width).
    """

    block: dict[str, Any]
    rows: MapScores
    maps: np.ndarray


class MapScoring:
    """Scores the maps of one model on one set of boxed findings.

    Args:
        model: The model.
        boxed: The boxed findings.
        seed: Decides what is drawn and shuffled.
        num_resamples: Draws of patients.
        layer: Where class activation maps are taken; none: the method's own choice.
        batch_size: Pictures at a time.
    """

    def __init__(
        self,
        model: keras.Model,
        boxed: Boxed,
        *,
        seed: int,
        num_resamples: int,
        layer: str | None = None,
        batch_size: int = 32,
    ) -> None:
        self._model = model
        self._boxed = boxed
        self._seed = seed
        self._num_resamples = num_resamples
        self._layer = layer
        self._batch_size = batch_size
        self._all = np.arange(len(boxed))
        self._others = find_other_maps(boxed.findings, boxed.patient_ids)

    @cached_property
    def draws(self) -> PatientResamples:
        """Draws of patients over all rows."""
        return self._draws(self._all)

    @cached_property
    def baselines(self) -> dict[str, np.ndarray]:
        """What points without looking: scores of each row, by name, shape (n, 3)."""
        boxed = self._boxed
        return {
            CHANCE: score_chance(boxed.masks),
            CENTRE: score_centre(boxed.masks),
            USUAL_PLACE: score_usual_places(
                boxed.masks, boxed.findings, boxed.patient_ids
            ),
        }

    def score(self, method: str) -> MethodScores:
        """Scores one method in every way.

        Args:
            method: Of `heat_maps.METHODS`.

        Returns:
            The scores.
        """
        copy = copy_model(self._model)  # made ready once, for all that is shuffled too
        mapper = HeatMapper(
            copy, method=method, layer=self._layer, batch_size=self._batch_size
        )
        maps, layer = self._make_maps(mapper, self._all)
        rows = self._score_rows(maps)
        randomisation = self._shuffle(copy, mapper, maps)
        shuffled = self._score_shuffled(copy, mapper)
        others = self._score_others(maps)
        compared = {
            **{name: self.baselines[name] for name in (CHANCE, CENTRE)},
            SHUFFLED: shuffled.scores,
            USUAL_PLACE: self.baselines[USUAL_PLACE],
            OTHER_PATIENT: others,
        }
        block = {
            "layer": layer,
            "map_shape": list(maps.shape[1:]),
            **self._describe(rows),
            SHUFFLED: self._describe(shuffled),
            OTHER_PATIENT: {
                "scores": describe_scores(resample_scores(self.draws, others)),
                "num_without": int((self._others < 0).sum()),
            },
            "minus": compare_scores(self.draws, rows.scores, compared),
            "faithfulness": self._score_faithfulness(maps),
            "randomisation": randomisation,
        }
        return MethodScores(block=block, rows=rows, maps=maps)

    def enlarge(self, maps: np.ndarray) -> np.ndarray:
        """Brings maps to the picture's size."""
        return enlarge_maps(maps, self._boxed.masks.shape[1])

    def _make_maps(
        self, mapper: HeatMapper, rows: np.ndarray
    ) -> tuple[np.ndarray, str]:
        """Computes the maps of some rows; returns them and their layer."""
        blocks = [
            mapper.compute(self._boxed.inputs(some), self._boxed.columns[some])
            for some in _parts(rows)
        ]
        return np.concatenate([one.values for one in blocks]), blocks[0].layer

    def _score_rows(self, maps: np.ndarray) -> MapScores:
        blocks = [
            score_maps(self.enlarge(maps[some]), self._boxed.masks[some])
            for some in _parts(self._all)
        ]
        return MapScores(
            scores=np.concatenate([one.scores for one in blocks]),
            empty=np.concatenate([one.empty for one in blocks]),
        )

    def _score_others(self, maps: np.ndarray) -> np.ndarray:
        """Scores each row by another patient's map; chance where there is none."""
        values = self.baselines[CHANCE].copy()
        for some in _parts(np.flatnonzero(self._others >= 0)):
            others = self.enlarge(maps[self._others[some]])
            values[some] = score_maps(others, self._boxed.masks[some]).scores
        return values

    def _shuffle(
        self, copy: keras.Model, mapper: HeatMapper, maps: np.ndarray
    ) -> dict[str, Any]:
        """Shuffles all weights of a copy, and says how its maps change on the way."""
        rows = self._choose(NUM_SHUFFLED)
        stages = {
            name: correlate_maps(maps[rows], self._make_maps(mapper, rows)[0])
            for name in shuffle_stages(copy, seed=self._seed)
        }
        told = rows[self._others[rows] >= 0]
        alike = correlate_maps(maps[told], maps[self._others[told]])
        return {
            **describe_correlations(stages, self._draws(rows)),
            "other_patients": float(alike.mean()) if len(alike) else None,
        }

    def _score_shuffled(self, copy: keras.Model, mapper: HeatMapper) -> MapScores:
        """Scores models that have forgotten all they learnt; the mean of several."""
        # one alone may point to the lungs, or past them, in every picture
        scored = [self._score_rows(self._make_maps(mapper, self._all)[0])]
        for number in range(1, NUM_SHUFFLES):
            for _ in shuffle_stages(copy, seed=self._seed + number):
                pass  # what was dealt anew is dealt anew once more
            scored.append(self._score_rows(self._make_maps(mapper, self._all)[0]))
        return MapScores(
            scores=np.mean([one.scores for one in scored], axis=0),
            empty=np.all([one.empty for one in scored], axis=0),
        )

    def _score_faithfulness(self, maps: np.ndarray) -> dict[str, Any]:
        curves = self._compute_curves(self.enlarge(maps[self._watched]))
        return describe_curves(curves, self._noise, self._draws(self._watched))

    @cached_property
    def _watched(self) -> np.ndarray:
        return self._choose(NUM_FAITHFUL)

    @cached_property
    def _noise(self) -> Curves:
        size = self._boxed.masks.shape[1]
        noise = draw_noise(len(self._watched), size, seed=self._seed)
        return self._compute_curves(noise)

    def _compute_curves(self, ranking: np.ndarray) -> Curves:
        return compute_curves(
            self._model,
            self._boxed.inputs(self._watched),
            self._boxed.columns[self._watched],
            ranking,
            seed=self._seed,
            batch_size=self._batch_size,
        )

    def _describe(self, rows: MapScores) -> dict[str, Any]:
        scores = resample_scores(self.draws, rows.scores)
        return {"scores": describe_scores(scores), "num_empty": int(rows.empty.sum())}

    def _choose(self, number: int) -> np.ndarray:
        """Draws some rows, in their order; the same at each call."""
        random = np.random.default_rng((self._seed, 7))
        return np.sort(random.permutation(self._all)[:number])

    def _draws(self, rows: np.ndarray) -> PatientResamples:
        return resample_patients(
            self._boxed.patient_ids[rows],
            num_resamples=self._num_resamples,
            seed=self._seed,
        )


def _parts(rows: np.ndarray) -> Sequence[np.ndarray]:
    starts = range(0, len(rows), ROWS_AT_A_TIME)
    return [rows[start : start + ROWS_AT_A_TIME] for start in starts]
