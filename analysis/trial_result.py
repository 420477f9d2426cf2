"""The result of a trial of a new model against the champion, typed. It imports nothing heavy, so that every page and
command may read it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.figures import Interval


@dataclass(frozen=True)
class Trial:
    """The figures of two models on the same rows.

    Attributes:
      months: the calendar months of the rows, such as `2009-03`, oldest first.
      rows, positives: number of rows, and of those with label 1.
      champion_auc, challenger_auc: within-month AUC; None where no month has enough rows of both labels.
      auc_gain: of the challenger over the champion, an interval; None likewise.
      champion_log_loss, challenger_log_loss: mean log loss.
      log_loss_gain: by how much the challenger's log loss is lower, an interval.
    """

    months: tuple[str, ...]
    rows: int
    positives: int
    champion_auc: float | None
    challenger_auc: float | None
    auc_gain: Interval | None
    champion_log_loss: float
    challenger_log_loss: float
    log_loss_gain: Interval

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Trial:
        """The inverse of `dataclasses.asdict`."""
        gain = document["auc_gain"]
        return cls(
            **{
                **document,
                "months": tuple(document["months"]),
                "auc_gain": gain and Interval(**gain),
                "log_loss_gain": Interval(**document["log_loss_gain"]),
            }
        )

    @property
    def period(self) -> str:
        """The months in words: `2009-03`, or `2009-03 to 2009-05`."""
        return self.months[0] if len(self.months) == 1 else f"{self.months[0]} to {self.months[-1]}"

    @property
    def ranks_worse(self) -> bool:
        """Whether the challenger ranks worse than the champion beyond chance."""
        return self.auc_gain is not None and self.auc_gain.high < 0

    @property
    def predicts_worse(self) -> bool:
        """Whether the challenger's log loss is higher than the champion's beyond chance."""
        return self.log_loss_gain.high < 0

    @property
    def faults(self) -> tuple[str, ...]:
        """In what the challenger is worse than the champion beyond chance, in words; empty where in nothing."""
        found = []
        if self.ranks_worse:
            found.append(f"on {self.period} its within-month AUC is {self.aucs}")
        if self.predicts_worse:
            found.append(f"on {self.period} its log loss is {self.log_losses}")
        return tuple(found)

    @property
    def aucs(self) -> str:
        """Both within-month AUCs and the gain in words; empty where they cannot be measured."""
        if self.auc_gain is None:
            return ""
        return f"{self.challenger_auc:.3f} against {self.champion_auc:.3f} (gain {_interval(self.auc_gain)})"

    @property
    def log_losses(self) -> str:
        """Both log losses and the gain in words."""
        gain = _interval(self.log_loss_gain)
        return f"{self.challenger_log_loss:.3f} against {self.champion_log_loss:.3f} (gain {gain})"


@dataclass(frozen=True)
class ChampionTrial:
    """A trial of a new model against the champion, or why there was none.

    Attributes:
      champion: its version; None where there is none.
      trial: the new model is the challenger; None where the two cannot be compared.
      reason: why they cannot be compared; empty where they were.
    """

    champion: int | None
    trial: Trial | None
    reason: str = ""

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ChampionTrial:
        """The inverse of `dataclasses.asdict`."""
        trial = document["trial"]
        return cls(document["champion"], trial and Trial.from_dict(trial), document["reason"])

    @property
    def verdict(self) -> str:
        """The outcome in a sentence."""
        if self.trial is None:
            return f"It was not compared with a champion on the newest months: {self.reason}."
        trial = self.trial
        where = f"On {trial.period} the model"
        if trial.auc_gain is None:
            predicts = "worse than" if trial.predicts_worse else "as well as"
            return (
                f"{where} predicts {trial.rows} held-out calls {predicts} the champion, version {self.champion}: its "
                f"log loss is {trial.log_losses}."
            )
        ranks = "worse than" if trial.ranks_worse else "better than" if trial.auc_gain.low > 0 else "as well as"
        more = f"; its log loss is worse, {trial.log_losses}" if trial.predicts_worse else ""
        return (
            f"{where} ranks {trial.rows} held-out calls {ranks} the champion, version {self.champion}: its "
            f"within-month AUC is {trial.aucs}{more}."
        )


def _interval(gain: Interval) -> str:
    return f"{gain.low:+.3f} to {gain.high:+.3f}"
