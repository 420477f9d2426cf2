"""A schedule in fast motion: months of made-up calls, a training that takes no time, and models that are a formula."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import yaml

from data import model_folder, spans
from data.contract import Contract
from data.model_folder import ModelFolder
from data.paths import runs_folder, serving_folder
from runs import decisions, versions
from runs.decisions import Decision
from runs.folder import SUMMARY
from runs.summary import Check
from schedule import canary, months, training
from schedule.retrain import Outcome
from schedule.settings import Settings
from schedule.step import step
from tests.support.summaries import changed, summary

MODEL = "calls"
CONTRACT = {
    "name": "calls",
    "title": "Calls with a date",
    "row_order": "date",
    "numeric": {"age": {"unit": "years", "min": 0, "max": 120}},
    "categorical": {"job": {"values": ["admin", "student"]}},
    "label": {"name": "bought", "positive": "yes", "negative": "no"},
    "call_date": {"column": "called"},
    "derived": "list_size",
}


def month(file: Path, name: str, seed: int = 0, rows: int = 400, shuffled: bool = False) -> Path:
    """Writes the calls of a month: the older a customer, the more likely to buy; or labels of other customers."""
    generator = np.random.default_rng([seed, int(name.replace("-", ""))])
    ages = generator.integers(20, 80, rows)
    bought = generator.random(rows) < ages / 100
    if shuffled:
        bought = generator.permutation(bought)
    days = np.sort(generator.integers(1, 29, rows))
    lines = [
        f"{name}-{day:02d},{age},{('admin', 'student')[age % 2]},{'yes' if yes else 'no'}"
        for day, age, yes in zip(days, ages, bought, strict=True)
    ]
    file.write_text("\n".join(["called,age,job,bought", *lines]) + "\n")
    return file


class Killed(BaseException):
    """The step was killed."""


class Schedule:
    """The schedule of one model in a folder, with stand-ins for what takes long.

    Attributes:
      settings: of the next step.
      refused: names of checks that the next trainings fail.
      quality: of the next models: 1 ranks right, -1 the wrong way round.
      trainings: how many there were.
      wrong_answer: whether the next challenger answers its golden request wrongly.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        contract_file = folder / "calls.yaml"
        contract_file.write_text(yaml.safe_dump(CONTRACT))
        self.settings = Settings(
            artifacts=folder / "artifacts",
            contract=Contract.model_validate(CONTRACT),
            contract_file=str(contract_file),
            model=MODEL,
            inbox=str(self.inbox),
        )
        self.refused: tuple[str, ...] = ()
        self.quality = 1
        self.trainings = 0
        self.exit_code = 0
        self.wrong_answer = False
        self.lines: list[str] = []
        self._fuse: int | None = None
        self._patch(monkeypatch)

    def arrives(self, name: str, **options) -> None:
        month(self.inbox / f"{name}.csv", name, **options)

    def step(self, **changes) -> Outcome:
        self.lines = []
        return step(changed(self.settings, **changes), self.lines.append)

    def step_killed_at(self, effect: int, **changes) -> bool:
        """Whether the step came to an effect of this number, counted from 0, at which it is killed."""
        self._fuse = effect
        try:
            self.step(**changes)
        except Killed:
            return True
        finally:
            self._fuse = None
        return False

    @property
    def ledger(self) -> list[Decision]:
        return decisions.read(decisions.ledger(self.settings.artifacts, MODEL))

    @property
    def actions(self) -> list[str]:
        return [one.action for one in self.ledger]

    @property
    def champion(self) -> int | None:
        return versions.champion(self.settings.artifacts, MODEL)

    def learned(self, version: int | None) -> str:
        """The months that a version learned from, as its folder says."""
        return (serving_folder(self.settings.artifacts, MODEL) / str(version) / "learned").read_text()

    def spans(self) -> dict[str, str | None]:
        """Months with the reason why they are set aside."""
        return {one.month: spans.reason_set_aside(one) for one in spans.spans(self.span_folder)}

    @property
    def contract(self) -> Contract:
        return self.settings.contract

    @property
    def span_folder(self) -> Path:
        return spans.folder(self.settings.artifacts, self.settings.contract.name)

    # --- stand-ins -----------------------------------------------------------------------------------------------

    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(versions, "NOTICE_SECONDS", 0.0)
        monkeypatch.setattr(training, "run", self._train)
        monkeypatch.setattr(months, "_scorer", _scorer)
        monkeypatch.setattr(canary, "_answer_here", self._answer)
        for module, name in (
            (decisions, "append"),
            (versions, "canary"),
            (versions, "promote"),
            (versions, "roll_back"),
            (spans, "add"),
            (spans, "set_aside"),
            (training, "run"),
        ):
            monkeypatch.setattr(module, name, self._fused(getattr(module, name)))

    def _fused(self, effect: Callable) -> Callable:
        """An effect before and after which the step may be killed."""

        def fused(*arguments, **named):
            self._burn()
            result = effect(*arguments, **named)
            self._burn()
            return result

        return fused

    def _burn(self) -> None:
        if self._fuse is None:
            return
        if self._fuse == 0:
            raise Killed
        self._fuse -= 1

    def _train(self, settings: Settings, say: Callable[[str], None]) -> int:
        """What pipeline.run does, without a model: the same spans give the same version, as with TFX's cache."""
        self.trainings += 1
        say("run ...")
        if self.exit_code:
            say("the disk is full")
            return self.exit_code
        folder = training.calls_folder(settings)
        learned = "\n".join(f"{one.month}.{one.version}" for one in spans.believed(folder)) + f"\n{self.quality}"
        run_id = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S") + f"-{self.trainings}"
        checks = tuple(Check(name, 0.0, 1.0, False) for name in self.refused)
        found = summary(run_id, model_name=MODEL, dataset__source=str(folder), gate__checks=checks, pushed=None)
        if not checks:
            version = _push(serving_folder(settings.artifacts, MODEL), learned, self.quality)
            self._burn()
            found = changed(found, pushed=summary().pushed)
            found = changed(found, pushed__version=str(version.version), pushed__path=str(version.path))
        run = runs_folder(settings.artifacts, MODEL) / run_id
        run.mkdir(parents=True)
        (run / SUMMARY).write_text(found.to_json())
        return 3 if checks else 0

    def _answer(self, folder: ModelFolder, instances: list) -> list[float]:
        return [0.9 if self.wrong_answer else 0.5 for _ in instances]


def _push(serving: Path, learned: str, quality: int) -> ModelFolder:
    newest = model_folder.newest(serving)
    if newest and (newest.path / "learned").read_text() == learned:
        return newest
    known = [*model_folder.versions(serving), *model_folder.versions(serving / versions.WITHDRAWN)]
    folder = ModelFolder(serving / str(max((one.version for one in known), default=0) + 1))
    extra = folder.extra(model_folder.CARD)
    extra.parent.mkdir(parents=True)
    extra.write_text(json.dumps({"contract": "calls", "synthetic": False, "features": ["age", "job"]}))
    golden = {"instances": [{"age": 50.0, "job": "admin"}], "predictions": [{"probability": 0.5, "purchase": 0}]}
    folder.extra(model_folder.GOLDEN_REQUEST).write_text(json.dumps(golden))
    (folder.path / "learned").write_text(learned)
    return folder


def _scorer(folder: ModelFolder | None, contract: Contract):
    if folder is None:
        return None
    quality = int((folder.path / "learned").read_text().rpartition("\n")[2])
    return lambda columns: (columns["age"] if quality > 0 else 100 - columns["age"]) / 100
