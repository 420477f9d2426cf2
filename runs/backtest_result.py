"""The result of a backtest, typed: the content of `backtest.json`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from analysis.figures import Metrics
from runs.summary import LabelWords

MODELS = ("static", "expanding", "rolling")
"""Trained once, retrained on all rows so far, retrained on the newest rows."""
FILE = "backtest.json"


@dataclass(frozen=True)
class SpanResult:
    """Consecutive rows, scored by models that were trained on earlier rows.

    Attributes:
      number: from 1.
      first_row, last_row: numbered from 1; both belong to the span.
      train_rows: number of training rows of each of MODELS.
      rows: number of rows.
      label_rate: share of positive rows.
      static, expanding, rolling: the figures of each of MODELS.
    """

    number: int
    first_row: int
    last_row: int
    train_rows: dict[str, int]
    rows: int
    label_rate: float
    static: Metrics
    expanding: Metrics
    rolling: Metrics

    @property
    def metrics(self) -> dict[str, Metrics]:
        """The figures by model."""
        return {"static": self.static, "expanding": self.expanding, "rolling": self.rolling}


@dataclass(frozen=True)
class BacktestResult:
    """How models of the past ranked the calls that came next.

    Attributes:
      source: the file or folder of the rows.
      synthetic: whether they are the synthetic sample.
      contract: name of the data contract.
      with_duration: whether columns known only after the call were features.
      seed: of the fits and the random split.
      rows: number of rows.
      spans: oldest first.
      mean: for each of MODELS, the mean of each figure over the spans that have it.
      random_split: figures on rows held out at random.
      verdict: which figure to rely on, in words.
      words: how to speak of positive rows.
    """

    source: str
    synthetic: bool
    contract: str
    with_duration: bool
    seed: int
    rows: int
    spans: tuple[SpanResult, ...]
    mean: dict[str, Metrics]
    random_split: Metrics
    verdict: str
    words: LabelWords = field(default_factory=LabelWords)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> BacktestResult:
        """Reads what `to_json` wrote.

        Raises:
          ValueError: the text is not the result of a backtest.
        """
        document = json.loads(text)
        try:
            spans = tuple(
                SpanResult(**{**span, **{name: Metrics(**span[name]) for name in MODELS}}) for span in document["spans"]
            )
            mean = {name: Metrics(**metrics) for name, metrics in document["mean"].items()}
            typed = {"spans": spans, "mean": mean, "random_split": Metrics(**document["random_split"])}
            return cls(**{**document, **typed, "words": LabelWords(**document.get("words", {}))})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the result of a backtest: {error}") from error


def backtest_folder(artifacts: Path, contract: str, synthetic: bool, with_after_call: bool) -> Path:
    """Where the backtest of a data set and a set of columns is written."""
    parts = [contract, "synthetic" * synthetic, "with-after-call" * with_after_call]
    return artifacts / "backtests" / "-".join(filter(None, parts))
