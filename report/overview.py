"""The first screen of a report: what was found, whether the model was blessed, on which data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from pages.blocks import Command, Tile
from pages.formatting import number
from runs.summary import Check, RunSummary

TEMPLATE = Path(__file__).parent / "templates" / "report.html.j2"
CHECKS = {
    "accuracy_gain": "Accuracy above the majority class",
    "auc": "AUC",
    "accuracy_against_last_blessed": "Accuracy against the last blessed model",
    "auc_against_last_blessed": "AUC against the last blessed model",
    "newest_months_auc_gain_upper": "Within-month AUC gain over the champion, upper end of the 95 % interval",
    "newest_months_log_loss_gain_upper": "Log loss gain over the champion, upper end of the 95 % interval",
    "served_as_evaluated": "Served as evaluated",
    "silhouette_above_shuffled": "Macro silhouette above that of shuffled columns",
    "smallest_segment": "Share of the smallest segment",
    "same_inputs_as_serving": "Same inputs as the version in service",
}
"""The gate's checks in words, where their names alone do not say it."""


@dataclass(frozen=True)
class Caution:
    """How far to believe the page, and the section that says more: its name and the text of the link to it."""

    text: str
    section: str
    link: str


@dataclass(frozen=True)
class Kind:
    """One kind of customers in a line.

    Attributes:
      card: name of its card, which the line links to.
      badge: its colour and number, for the eye only.
      name: as the model names it.
      share: of the customers.
      bar: a picture of the share, for the eye only.
      says: what sets it apart.
    """

    card: str
    badge: Markup
    name: str
    share: str
    bar: Markup
    says: str


@dataclass(frozen=True)
class Missing:
    """A figure that nobody has measured yet, and the command that does."""

    text: str
    command: Command


@dataclass(frozen=True)
class Overview:
    """The first screen.

    Attributes:
      headline: the result in one sentence.
      blessed: whether the model passed the gate.
      verdict: what became of the model.
      synthetic: whether the rows are the synthetic sample.
      caution: how far to believe the figures, if that needs saying.
      facts: names and values about the data.
      tiles: the most important figures.
      kinds: of customers, where the model has found some.
      missing: how to measure an important figure that is missing.
    """

    headline: str
    blessed: bool
    verdict: str
    synthetic: bool
    caution: Caution | None
    facts: Sequence[tuple[str, str]]
    tiles: Sequence[Tile]
    kinds: Sequence[Kind] = ()
    missing: Missing | None = None


def verdict(summary: RunSummary) -> str:
    """What became of the model, and which checks it failed."""
    if summary.pushed:
        return f"The model passed every check of the gate and was pushed as version {summary.pushed.version}."
    if not summary.gate.failed:
        return "The model passed every check of the gate and was not pushed."
    reasons = ". ".join(f"{in_words(check)}: {_reason(check)}" for check in summary.gate.failed)
    return f"Nothing was pushed; the current version stays in service. {reasons}."


def in_words(check: Check) -> str:
    """The name of a check, with its rows: `smallest_segment` -> `Smallest segment`."""
    name = CHECKS.get(check.metric, check.metric.replace("_", " ").capitalize())
    return f"{name}, {check.rows}" if check.rows else name


def _reason(check: Check) -> str:
    if isinstance(check.bound, bool):
        return "no"
    value = "cannot be computed" if check.value is None else number(check.value, 4)
    return f"{value}, must be at least {number(check.bound, 4)}"
