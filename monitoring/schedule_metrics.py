"""Metrics of what the schedule decided about a model: from the ledger, the labels of its versions, and the spans.

What reads spans is imported when there are some, so that an exporter without them stays small.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from prometheus_client.core import Metric

from data.errors import BadFileError
from data.model_folder import CARD, ModelFolder, PurchaseCard
from data.paths import serving_folder, spans_folder
from monitoring.families import Families, Labels
from runs import decisions, versions
from runs.decisions import Action, Decision

if TYPE_CHECKING:
    from data.span_folder import Manifest, Span

log = logging.getLogger("monitoring.schedule_metrics")


@dataclass(frozen=True)
class Trainings:
    """What a ledger says of the trainings so far.

    Attributes:
      last_finished: when the newest training ended with a model, good or bad; None where none did.
      learned: that training's months, with the versions of their spans; None where no training was begun.
      last_failed: when a training failed last; None where none did.
      failures: trainings in a row, up to now, that failed.
      refusals: challengers in a row, up to now, that were refused or withdrawn from their trial.
    """

    last_finished: datetime | None = None
    learned: Mapping[str, int] | None = None
    last_failed: datetime | None = None
    failures: int = 0
    refusals: int = 0

    @classmethod
    def of(cls, ledger: Sequence[Decision]) -> Trainings:
        """Reads decisions, oldest first."""
        found = cls()
        begun: Decision | None = None
        on_trial: int | None = None
        for one in ledger:
            if one.action == "train":
                begun = one
                found = replace(found, learned=found.learned or {})
            elif one.action == "fail":
                begun = None
                found = replace(found, last_failed=one.time, failures=found.failures + 1)
            elif begun and one.action in ("refuse", "canary", "promote"):
                found = replace(found, last_finished=one.time, learned=dict(begun.trained_on), failures=0)
                begun = None
            if one.action == "refuse" or (one.action == "roll-back" and one.version == on_trial):
                found = replace(found, refusals=found.refusals + 1)
            elif one.action == "promote":
                found = replace(found, refusals=0)
            if one.action in ("canary", "promote", "roll-back"):
                on_trial = one.version if one.action == "canary" else None
        return found


class ScheduleMetrics:
    """Measures what was decided about one model.

    Args:
      of: builds the metrics.
      artifacts: the folder that runs write to.
      model: the model's name.
    """

    def __init__(self, of: Families, artifacts: Path, model: str) -> None:
        self._of, self._artifacts, self._model = of, artifacts, model

    def measure(self) -> Iterator[Metric]:
        """All metrics, measured now; those whose files cannot be read are left out."""
        trainings = Trainings()
        try:
            ledger = decisions.read(decisions.ledger(self._artifacts, self._model))
        except (OSError, ValueError) as error:
            log.warning("the ledger of decisions cannot be read: %s", error)
        else:
            trainings = Trainings.of(ledger)
            yield from self._decisions(ledger, trainings)
        try:
            champion = versions.champion(self._artifacts, self._model)
            if champion is None:
                return
            yield from self._versions(champion)
            yield from self._spans(champion, trainings)
        except (OSError, BadFileError) as error:
            log.warning("labels or spans cannot be read: %s", error)

    def _decisions(self, ledger: Sequence[Decision], trainings: Trainings) -> Iterator[Metric]:
        counts: dict[Labels, float] = {(action,): 0 for action in get_args(Action)}
        for one in ledger:
            counts[one.action,] += 1
        yield self._of.counters("model_schedule_decisions_total", "Decisions about the model.", ("action",), counts)
        for name, text, when in (
            (
                "last_training",
                "Unix time at which a training ended with a model, good or bad.",
                trainings.last_finished,
            ),
            ("last_failure", "Unix time at which a training failed.", trainings.last_failed),
        ):
            if when is not None:
                yield self._of.gauge(f"model_schedule_{name}_timestamp_seconds", text, when.timestamp())
        for name, text, count in (
            ("failures", "Trainings in a row, up to now, that failed.", trainings.failures),
            ("refusals", "Challengers in a row, up to now, that were refused or withdrawn.", trainings.refusals),
        ):
            yield self._of.gauge(f"model_schedule_consecutive_{name}", text, count)

    def _versions(self, champion: int) -> Iterator[Metric]:
        yield self._of.gauge("model_champion_version_number", "Number of the champion.", champion)
        challenger = versions.on_trial(self._artifacts, self._model)
        text = "Number of the version that is on trial; 0 while there is none."
        yield self._of.gauge("model_challenger_version_number", text, challenger or 0)

    def _spans(self, champion: int, trainings: Trainings) -> Iterator[Metric]:
        folder = ModelFolder(serving_folder(self._artifacts, self._model) / str(champion))
        contract = _contract(folder.extra(CARD))
        if contract is None or not spans_folder(self._artifacts, contract).is_dir():
            return
        from data import span_folder

        spans = span_folder.spans(spans_folder(self._artifacts, contract))
        if not spans:
            return
        believed = [span for span in spans if span_folder.reason_set_aside(span) is None]
        text = "Number of months whose labels are not believed, until a person accepts or corrects them."
        yield self._of.gauge("model_spans_set_aside", text, len(spans) - len(believed))
        starts = [month_start(span.month) for span in spans if "-" in span.month]
        if starts:
            text = "Unix time at which the newest month with labelled calls began."
            yield self._of.gauge("model_spans_newest_month_timestamp_seconds", text, max(starts).timestamp())
        since = waiting_since(believed, trainings.learned, datetime.now(timezone.utc))
        if since is not None:
            text = "Unix time since which a finished month waits for a training; absent while none waits."
            yield self._of.gauge("model_schedule_waiting_since_timestamp_seconds", text, since.timestamp())


def month_start(month: str, later: int = 0) -> datetime:
    """When a month such as `2009-03`, or one some months later, began."""
    months = int(month[:4]) * 12 + int(month[5:]) - 1 + later
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=timezone.utc)


def waiting_since(believed: Sequence[Span], learned: Mapping[str, int] | None, now: datetime) -> datetime | None:
    """Since when a month that is over, and whose calls are here, has waited for a training; None where none waits.

    Args:
      believed: the spans that are not set aside.
      learned: months of the newest training, with the versions of their spans; None where no training was begun, so
        that nobody waits for one.
      now: with a time zone.
    """
    if learned is None:
        return None
    since = []
    for span in believed:
        manifest = _manifest(span)
        over = month_start(span.month, 1) if "-" in span.month else manifest.written
        if manifest.rows and over <= now and learned.get(span.month) != span.version:
            since.append(max(over, manifest.written))
    return min(since, default=None)


# Neither a version of a model nor one of a span changes.
@lru_cache(maxsize=16)
def _contract(card: Path) -> str | None:
    """Name of the contract of a purchase model; None for other models."""
    try:
        return PurchaseCard.from_json(card.read_bytes()).contract
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=1024)
def _manifest(span: Span) -> Manifest:
    return span.manifest
