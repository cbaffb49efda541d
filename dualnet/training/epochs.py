"""The epochs of one model: build, compile, callbacks, fit."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from dualnet.config import Config, format_config
from dualnet.data.batches import Batches
from dualnet.models.dual import build_dual_classifier
from dualnet.runs import RunFolder
from dualnet.training.averaging import AverageIn, AverageOut
from dualnet.training.callbacks import BestModel, EpochScores, HistoryFile
from dualnet.training.checkpoint_keeper import Keeping, fit_kept
from dualnet.training.devices import Devices
from dualnet.training.events import EventFiles
from dualnet.training.finding_history import FindingHistory
from dualnet.training.following import Follower, Following
from dualnet.training.objective import Objective
from dualnet.training.phases import PhaseChange
from dualnet.training.precision import dtype_policy
from dualnet.training.profiling import make_profile
from dualnet.training.progress import show_epochs
from dualnet.training.recipe import set_class_prior
from dualnet.training.schedule import PlateauRate
from dualnet.training.starting import Start


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """What every model of one run is built, fitted and scored with.

    Args:
        config: The whole configuration.
        run: The run folder.
        train: Training batches, with targets.
        val: Validation batches, in order, with targets.
        val_labels: All findings present in `val`, bool, shape (n, num_classes).
        scored: The findings whose mean AUROC is the score, bool, shape (num_classes,).
        objective: Names the columns of the targets, and what the models are fitted to.
        devices: What a batch is divided among.
        policy: The dtype policy that the models compute in.
        jit_compile: Whether XLA compiles the steps.
        keeping: How training is kept, so that a stop costs minutes.
        follower: Draws the training; none: nobody does.
        start: The weights to begin with; none: those that the seed decides.
    """

    config: Config
    run: RunFolder
    train: Batches
    val: Batches
    val_labels: np.ndarray
    scored: np.ndarray
    objective: Objective
    devices: Devices
    policy: str
    jit_compile: bool
    keeping: Keeping
    follower: Follower | None = None
    start: Start | None = None

    def build(self, modality: str) -> Any:
        """Builds the fused model or one of its ablations, not fitted."""
        inputs = self.train[0][0]
        with dtype_policy(self.policy):
            return build_dual_classifier(
                image_size=self.config.data.image_size,
                num_features=inputs["metadata"].shape[1] if "metadata" in inputs else 0,
                class_names=self.objective.class_names,
                modality=modality,
                image_branch=self.config.model.image_branch,
                metadata_units=self.config.model.metadata_units,
                dropout=self.config.model.dropout,
                fusion=self.config.model.fusion,
                seed=self.config.seed,
                activation=self.objective.activation,
            )

    def scores(self, modality: str) -> EpochScores:
        """Returns the callback that scores the validation part."""
        return EpochScores(
            val=self.val.with_modality(modality),
            val_labels=self.val_labels,
            scored=self.scored,
            num_images=len(self.train.positions),
            class_names=self.objective.class_names,
            loss=self.objective.val_loss,
        )

    def fit_epochs(self, modality: str) -> tuple[Any, pd.DataFrame]:
        """Fits a model; returns it with the weights of its best epoch, and its history."""
        with self.devices.spread():
            model, history = self._fit_epochs(modality)
            weights = model.get_weights()
        if self.devices.count > 1:  # what comes after is done on one
            model = self.build(modality)
            model.set_weights(weights)
        return model, history

    def _fit_epochs(self, modality: str) -> tuple[Any, pd.DataFrame]:
        epochs = self.config.training.epochs
        train = self.train.with_modality(modality)
        history = HistoryFile(self.run.history)
        scores = self.scores(modality)
        with show_epochs(epochs) as progress:
            model = fit_kept(
                lambda: self._prepare(modality),
                train,
                [
                    *self._watchers(scores, train),
                    history,
                    FindingHistory(self.run),
                    *self._followers(train, scores),
                ],
                stage=modality,
                epochs=epochs,
                keeping=self.keeping,
                shown=[progress],
            )
        return model, history.table

    def _prepare(self, modality: str) -> tuple[Any, PhaseChange]:
        """Builds a model with its first weights, and what gives it its recipe."""
        model = self.build(modality)
        set_class_prior(model, self.objective.prior)
        self._give_start(model)
        recipe = PhaseChange(
            self.devices.scale(self.config.training),
            loss=self.objective.loss,
            steps_per_epoch=len(self.train),
            jit_compile=self.jit_compile,
        )
        return model, recipe

    def _give_start(self, model: Any) -> None:
        """Gives the model the weights it is to begin with, and notes which it took."""
        if self.start is not None:
            told = self.start.describe(self.start.give(model))
            known = self.run.read_environment()
            self.run.write_environment({**known, "began_with": told})

    def _watchers(
        self, scores: EpochScores, train: Batches
    ) -> list[keras.callbacks.Callback]:
        """Returns the callbacks that score the epochs, keep the best and may stop."""
        training = self.config.training
        best = BestModel(
            patience=training.patience,
            keep=training.keep,
            counted_from=training.frozen_epochs,
        )
        judges = [scores, best]
        if training.ema:
            average_in = AverageIn(train)
            judges = [average_in, *judges, AverageOut(average_in)]
        if training.schedule == "plateau":
            judges.append(PlateauRate(self.devices.learning_rate))
        return judges

    def _followers(
        self, train: Batches, scores: EpochScores
    ) -> list[keras.callbacks.Callback]:
        """Returns the callbacks that show the epochs to who follows along."""
        config, folder = self.config, self.run.tensorboard
        events = None
        if config.training.tensorboard:
            events = EventFiles(folder, configuration=format_config(config))
        following = (
            Following(self.follower, scores=scores, train=train, events=events)
            if self.follower
            else None
        )
        profile = make_profile(config.training.profile, folder)
        return [one for one in (events, following, profile) if one is not None]
