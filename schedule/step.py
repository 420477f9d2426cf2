"""One step of the schedule: takes new calls in, looks at new months, trains where it is due, judges, promotes.

A step may be killed anywhere: the next one finds in the ledger, the spans, the runs and the labels of the versions how
far it came, and goes on to the same end. Each decision stands in the ledger before the next one is made. An effect that
was made but not noted is made again, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import NamedTuple

from campaigns import outcome_spans
from data import model_folder, spans
from data.command import BAD_INPUT
from data.errors import NotReadyError, ServiceError, UserError
from data.model_folder import ModelFolder
from data.paths import serving_folder
from data.spans import Span
from runs import decisions, versions
from runs.decisions import Decision
from runs.folder import FIRST_SCREEN, run_folder
from runs.lock import exclusive
from runs.publish import publish
from runs.summary import Check
from schedule import history, inbox, months, training
from schedule.months import NewMonth, month_of
from schedule.policy import Situation, reasons_to_train, training_months
from schedule.retrain import Kind, Outcome
from schedule.settings import Settings, schedule_folder

LOG = "step.log"
"""What steps said, and what libraries printed meanwhile."""
UNDER_WAY = "under-way"
"""Is there while a step is under way; a step that was killed leaves it behind."""

_CHANGES = ("canary", "promote", "roll-back")
"""Decisions that change which version serves."""


def step(settings: Settings, say: Callable[[str], None]) -> Outcome:
    """Does one step; a second one waits until the first one has ended.

    Args:
      settings: of the step.
      say: shows a line to the user.

    Raises:
      UserError: the spans or the ledger cannot be used; or the first version of all fails its trial.
      ServiceError: the model server or the object store does not answer. The next step goes on.
    """
    folder = schedule_folder(settings.artifacts)
    with exclusive(folder, lambda pid: say(f"waiting for another step (process {pid})")):
        (folder / UNDER_WAY).touch()
        outcome = _Step(settings, say).run()
        (folder / UNDER_WAY).unlink()
    return outcome


@dataclass
class _Step:
    """A step under way.

    Attributes:
      settings: of the step.
      say: shows a line to the user.
      problems: what is wrong with files that came in.
      doubted: the months that were set aside in this step.
      notes: what was done, in words.
      interrupted: why a training had begun that was killed.
    """

    settings: Settings
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self.problems: list[str] = []
        self.doubted: list[str] = []
        self.notes: list[str] = []
        self.interrupted: tuple[str, ...] = ()
        self.spans = spans.folder(self.settings.artifacts, self.settings.contract.name)
        self.file = decisions.ledger(self.settings.artifacts, self.settings.model)

    def run(self) -> Outcome:
        ended = self._finish()
        self._take_in()
        seen = self._look_at_new_months()
        self._judge_champion(seen)
        if reasons := reasons_to_train(self._situation(seen)) or self.interrupted:
            ended = self._train(reasons)
        self._publish()
        self._tell_mlflow()
        return self._outcome(ended)

    # --- what a step that was killed has left --------------------------------------------------------------------

    def _finish(self) -> _Ended | None:
        """Ends what an earlier step began: a withdrawal, a training, or the trial of a challenger."""
        ledger = self._ledger()
        withdrawn = next((one for one in reversed(ledger) if one.action in _CHANGES), None)
        if withdrawn and withdrawn.action == "roll-back" and self._version(withdrawn.version):
            versions.roll_back(self.settings.artifacts, self.settings.model, to=withdrawn.champion)
        if begin := history.open_training(ledger):
            self.say(f"an earlier step left the training of {begin.time:%Y-%m-%d %H:%M} open")
            training.wait(self.settings.artifacts, self.say)
            return self._end(begin, None, "it was killed")
        if challenger := history.open_canary(ledger):
            self.say(f"an earlier step left version {challenger.version} on trial")
            return self._try(challenger)
        return None

    # --- new calls -----------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        settings = self.settings
        if settings.inbox is not None:
            for file in self._files(settings.inbox):
                self._add(partial(inbox.add, self.spans, file, settings.contract))
        if settings.desk is not None:
            self._add(partial(outcome_spans.add, self.spans, settings.desk, settings.contract))

    def _files(self, folder: str) -> list[Path]:
        try:
            return inbox.files(folder, self.settings.artifacts, self.say)
        except UserError as error:
            self._not_taken(error)
            return []

    def _add(self, source: Callable[[], tuple[Span, ...]]) -> None:
        """Adds calls to the spans; what is wrong with them is said, and does not stop the step."""
        try:
            for span in source():
                self._note(f"{span.month} has {span.manifest.rows:,} calls (version {span.version})")
        except UserError as error:
            self._not_taken(error)

    def _not_taken(self, error: UserError) -> None:
        self.problems.append(str(error))
        self.say(f"not taken: {error}")

    def _look_at_new_months(self) -> list[NewMonth]:
        """Scores the months that no training was begun on, and sets those aside whose labels cannot be believed."""
        checked = history.checked(self._ledger())
        new = [span for span in self._finished() if month_of(span) not in checked]
        if not new:
            return []
        champion = self._champion()
        before = history.predecessor(self._ledger(), champion.version) if champion else None
        seen = months.look_at(
            new, self.settings.contract, champion, self._version(before) if before is not None else None
        )
        for month in seen:
            if month.doubt and not spans.is_accepted(month.span):
                self._set_aside(month, month.doubt)
        return [month for month in seen if spans.reason_set_aside(month.span) is None]

    def _set_aside(self, month: NewMonth, reason: str) -> None:
        self.doubted.append(month.span.month)
        if not any(one.action == "set-aside" and one.reasons == (reason,) for one in self._ledger()):
            self._decide(Decision(_now(), "set-aside", (reason,), month=month.span.month))
        spans.set_aside(month.span, reason)

    def _judge_champion(self, seen: list[NewMonth]) -> None:
        """Goes back to the champion before if the present one did worse on the newest month, which neither has seen."""
        champion = self._champion()
        if champion is None or not seen:
            return
        newest = seen[-1]
        before = history.predecessor(self._ledger(), champion.version)
        for version in (champion.version, before):
            learned = history.learned_by(self._ledger(), version) if version is not None else None
            if learned is None or newest.span.month in learned:
                return
        if faults := newest.faults():
            rolled_back = Decision(_now(), "roll-back", faults, version=champion.version, month=newest.span.month)
            self._roll_back(rolled_back, before)

    # --- training ------------------------------------------------------------------------------------------------

    def _situation(self, seen: list[NewMonth]) -> Situation:
        ledger = self._ledger()
        learned = history.learned_last(ledger)
        if learned is None and self._champion() is not None:
            learned = ()  # the ledger does not know what it learned from
        return Situation(
            finished=tuple(map(month_of, self._finished())),
            trained_on=learned,
            drift_days=self._drift_days(ledger),
            rate_outside=bool(seen) and seen[-1].rate_outside,
            asked=self.settings.asked,
        )

    def _drift_days(self, ledger: list[Decision]) -> int:
        """Days of drift since the newest training: the same calls give the same model again."""
        if self.settings.prometheus is None:
            return 0
        from schedule.alarms import drift_days

        try:
            days = drift_days(self.settings.prometheus, self.settings.model)
        except ServiceError as error:
            self.say(f"whether there is drift is not known: {error}")
            return 0
        begun = [attempt.begin.time for attempt in history.attempts(ledger)]
        return min(days, (_now() - begun[-1]).days) if begun else days

    def _train(self, reasons: tuple[str, ...]) -> _Ended:
        chosen = training_months(tuple(map(month_of, self._finished())))
        trained_on = tuple((month.name, month.version) for month in chosen)
        begin = self._decide(Decision(_now(), "train", reasons, month=chosen[-1].name, trained_on=trained_on))
        last = ""

        def hear(line: str) -> None:
            nonlocal last
            last = line.strip() or last
            self.say(f"  {line}")

        training.gather(self.settings, chosen)
        code = training.run(self.settings, hear)
        return self._end(begin, code, last)

    def _end(self, begin: Decision, code: int | None, last: str) -> _Ended:
        """What a training came to: a challenger, which is tried; a refused one; or none.

        Args:
          begin: of the training.
          code: of its exit; None where that is not known.
          last: what it said last.
        """
        known = {one.run_id for one in self._ledger()}
        summary = training.ended(self.settings, begin.time, known)
        if summary is None:
            self.interrupted = begin.reasons if code is None else ()
            self._decide(Decision(_now(), "fail", (last or f"exit code {code}",), month=begin.month))
            return _Ended("bad input" if code == BAD_INPUT else "failed")
        if summary.pushed is None:
            failed = tuple(map(_failed, summary.gate.failed))
            self._decide(Decision(_now(), "refuse", failed, run_id=summary.run_id, month=begin.month))
            return _Ended("refused", summary.run_id)
        version = int(summary.pushed.version)
        if len(model_folder.versions(self._serving)) > 1:
            versions.canary(self.settings.artifacts, self.settings.model, version)
        challenger = self._decide(
            Decision(_now(), "canary", ("passed the gate",), run_id=summary.run_id, version=version, month=begin.month)
        )
        self._tell_mlflow()
        return self._try(challenger)

    def _try(self, challenger: Decision) -> _Ended:
        """Makes a challenger the champion if it answers its golden request, and withdraws it if not."""
        from schedule import canary

        version = challenger.version
        assert version is not None
        folder = self._version(version)
        if self.settings.server is not None:
            self._publish()  # the folder of that server may be kept equal to the store
        problem = canary.fault(folder, self.settings.model, self.settings.server) if folder else "it is gone"
        if problem is None:
            serves = versions.promote(self.settings.artifacts, self.settings.model, version)
            reasons = ("answers its golden request",)
            self._decide(replace(challenger, time=_now(), action="promote", reasons=reasons, champion=serves))
            return _Ended("trained", challenger.run_id)
        champion = versions.champion(self.settings.artifacts, self.settings.model)
        if champion in (None, version):
            raise NotReadyError(f"version {version} is the first one, so there is none to go back to: {problem}")
        self._roll_back(replace(challenger, time=_now(), action="roll-back", reasons=(problem,)), champion)
        return _Ended("refused", challenger.run_id)

    def _roll_back(self, decision: Decision, to: int | None) -> None:
        """Withdraws a version. It is noted first, so that the next step knows why if this one is killed."""
        self._decide(replace(decision, champion=to))
        versions.roll_back(self.settings.artifacts, self.settings.model, to=to)

    # --- what is there -------------------------------------------------------------------------------------------

    @property
    def _serving(self) -> Path:
        return serving_folder(self.settings.artifacts, self.settings.model)

    def _ledger(self) -> list[Decision]:
        return decisions.read(self.file)

    def _finished(self) -> list[Span]:
        """The months to learn from."""
        return months.finished(spans.believed(self.spans), _now())

    def _version(self, version: int | None) -> ModelFolder | None:
        """The folder of a version; None where it is not served any more."""
        return next((one for one in model_folder.versions(self._serving) if one.version == version), None)

    def _champion(self) -> ModelFolder | None:
        return self._version(versions.champion(self.settings.artifacts, self.settings.model))

    # --- what is told --------------------------------------------------------------------------------------------

    def _decide(self, decision: Decision) -> Decision:
        """Notes a decision in the ledger, with the version that serves, and says it."""
        if decision.champion is None:
            champion = versions.champion(self.settings.artifacts, self.settings.model)
            decision = replace(decision, champion=champion)
        decisions.append(self.file, decision)
        self._note(_in_words(decision))
        return decision

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.say(text)

    def _tell_mlflow(self) -> None:
        """Moves the aliases in MLflow's registry to where the labels of the versions are."""
        if self.settings.mlflow is None:
            return
        from runs import registry

        try:
            registry.follow(self.settings.mlflow, self.settings.artifacts, self.settings.model)
        except ServiceError as error:
            self.say(f"MLflow at {self.settings.mlflow}: {error}")

    def _publish(self) -> None:
        """Takes what serves here to the object store; what an earlier step did not, this one does.

        Raises:
          ServiceError: the store does not answer, or refuses.
        """
        store, model = self.settings.push_to, self.settings.model
        if store is None or self._champion() is None:
            return
        try:
            new = publish(self.settings.artifacts, model, store)
        except UserError as error:
            raise ServiceError(f"not in the store until the next step: {error}") from error
        if new:
            self._note(f"{store.url}/{model} has version {', '.join(map(str, new))}")

    def _outcome(self, ended: _Ended | None) -> Outcome:
        kind = self._kind(ended)
        lines = [_first_screen(self.settings, ended.run_id)] if ended and ended.run_id else []
        lines += ["## Decisions", "", *(f"- {note}" for note in self.notes), ""] if self.notes else []
        lines += ["## Not taken", "", *(f"- {problem}" for problem in self.problems), ""] if self.problems else []
        return Outcome(kind, "\n".join([*lines, self._conclusion(kind)]))

    def _kind(self, ended: _Ended | None) -> Kind:
        if ended:
            return ended.kind
        if self.problems:
            return "bad input"
        return "refused" if self.doubted else "nothing to do"

    def _conclusion(self, kind: Kind) -> str:
        champion = versions.champion(self.settings.artifacts, self.settings.model)
        serves = f"version {champion} serves" if champion is not None else "no version serves"
        aside = f"; set aside: {', '.join(self.doubted)}" if self.doubted else ""
        wrong = f"; files not taken: {len(self.problems)}" if self.problems else ""
        return f"{kind}: {serves}{aside}{wrong}"


class _Ended(NamedTuple):
    """How a training ended."""

    kind: Kind
    run_id: str | None = None


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _in_words(decision: Decision) -> str:
    what = {
        "train": "training",
        "set-aside": f"{decision.month} set aside",
        "refuse": "challenger refused",
        "canary": f"version {decision.version} on trial",
        "promote": f"version {decision.champion} is the champion",
        "roll-back": f"version {decision.version} withdrawn, version {decision.champion} is the champion",
        "fail": "training failed",
    }[decision.action]
    return f"{what}: {'; '.join(decision.reasons)}"


def _failed(check: Check) -> str:
    value = "nothing" if check.value is None else f"{check.value:.4g}"
    return f"{check}: got {value}, expected at least {check.bound:.4g}"


def _first_screen(settings: Settings, run: str) -> str:
    """The first screen of a run's report; the run's name alone where there is none."""
    try:
        return (run_folder(settings.artifacts, settings.model, run) / FIRST_SCREEN).read_text(encoding="utf-8")
    except OSError:
        return f"# Run {run}\n"
