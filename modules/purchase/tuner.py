"""Searches hyperparameters with keras-tuner: short fits of a single net, compared by the log loss on the eval split."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import keras_tuner
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from modules.purchase.config import TrainingConfig
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.rows import Rows, load
from modules.purchase.training import OBJECTIVE, fit

MOST_ROWS = 200_000
"""The search uses a random sample of this many rows of each split where there are more."""
TRIAL_EPOCHS = 6
"""Enough epochs to rank hyperparameters, in a fraction of a full fit's time."""


def search_space(defaults: Hyperparameters) -> keras_tuner.HyperParameters:
    """The hyperparameters to search, each in a range around the values that served every data set well."""
    space = keras_tuner.HyperParameters()
    space.Choice("width", _with([48, 64, 96, 128], defaults.width), default=defaults.width)
    space.Choice("depth", _with([2, 3], defaults.depth), default=defaults.depth)
    space.Float("dropout", 0.1, 0.35, step=0.05, default=defaults.dropout)
    space.Float("learning_rate", 1e-3, 4e-3, sampling="log", default=defaults.learning_rate)
    space.Float("weight_decay", 0.3, 2.0, sampling="log", default=defaults.weight_decay)
    return space


class Search(keras_tuner.RandomSearch):
    """Fits one net per trial. Keras-tuner only proposes values and keeps the scores.

    The values are drawn at random. Keras-tuner's Bayesian search takes as long to propose a trial as the trial itself.
    """

    def __init__(self, defaults: Hyperparameters, **kwargs: Any):
        super().__init__(
            hypermodel=None,
            objective=keras_tuner.Objective(OBJECTIVE, "min"),
            hyperparameters=search_space(defaults),
            tune_new_entries=False,
            overwrite=True,
            max_consecutive_failed_trials=1,
            **kwargs,
        )
        self._defaults = defaults
        self._earlier: list[list[float]] = []

    def run_trial(self, trial: keras_tuner.engine.trial.Trial, train: Rows, evaluation: Rows) -> dict[str, float]:
        """The objective of one set of hyperparameters. The first trial always tries the defaults."""
        if int(trial.trial_id) == 0:
            trial.hyperparameters.values = {
                name: getattr(self._defaults, name) for name in trial.hyperparameters.values
            }
        short = {"members": 1, "epochs": min(TRIAL_EPOCHS, self._defaults.epochs)}
        values = {**self._defaults.asdict(), **trial.hyperparameters.values, **short}
        hyperparameters = Hyperparameters.from_mapping(values)
        losses = fit(train, evaluation, hyperparameters, self.oracle.seed, hopeless=self._hopeless).history[OBJECTIVE]
        self._earlier.append(losses)
        return {OBJECTIVE: min(losses)}

    def _hopeless(self, losses: Sequence[float]) -> bool:
        """Whether a trial is behind the median of the earlier ones that came as far (Golovin et al. 2017, Vizier)."""
        epochs = len(losses)
        reached = [min(earlier[:epochs]) for earlier in self._earlier if len(earlier) >= epochs]
        return epochs > 1 and len(reached) > 1 and min(losses) > statistics.median(reached)


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """TFX Tuner's entry point; `fn_args.custom_config` is a TrainingConfig."""
    config = TrainingConfig.from_config(fn_args.custom_config)
    graph = tft.TFTransformOutput(fn_args.transform_graph_path)
    train = load(fn_args.train_files, config, graph, training=True, most_rows=MOST_ROWS).rows
    evaluation = load(fn_args.eval_files, config, graph, most_rows=MOST_ROWS).rows
    search = Search(
        Hyperparameters.from_mapping(config.contract.modelling.hyperparameters),
        max_trials=config.trials,
        seed=config.seed,
        directory=fn_args.working_dir,
        project_name="search",
    )
    return TunerFnResult(search, {"train": train, "evaluation": evaluation})


def _with(choices: list[int], default: int) -> list[int]:
    return sorted({*choices, default})
