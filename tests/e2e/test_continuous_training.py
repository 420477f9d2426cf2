"""Continuous training in fast motion: the real calls of bank-full arrive month by month, and a real server serves.

All 30 months come one by one, and each one that is believed is a training. Hyperparameters are small; rows, pipeline,
gate, server and processes are the real ones. In the order of the tests:

    2008-05         no model passes the gate, until one does
    then            from now on the server serves, and requests are sent all the time; month after month
    2010-04         with the labels of other customers: set aside, and the champion serves on
    2010-05         its training is killed, and started again
    2010-06 to 08   month after month
    then            back to the version before, by command
    2010-09 to 11   the last months
    2010-04         with its own labels
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from data import spans
from data.call_dates import MONTHS
from data.model_folder import ModelFolder
from data.model_spec import PURCHASE_MODEL
from data.paths import serving_folder
from runs import decisions, versions
from runs.decisions import Decision
from schedule.settings import schedule_folder
from schedule.step import LOG
from tests.conftest import ROOT
from tests.support.server import ServerProcess, ask, connect

pytestmark = pytest.mark.e2e

MODEL = PURCHASE_MODEL.name
LABELS_OF_OTHERS, KILLED = "2010-04", "2010-05"


def months_of(file: Path) -> dict[str, list[str]]:
    """The lines of bank-full by month; the year rises where the month falls back."""
    found: dict[str, list[str]] = {}
    year, before = 2008, 0
    for line in file.read_text().splitlines()[1:]:
        month = MONTHS.index(line.split(";")[10].strip('"')) + 1
        year += month < before
        before = month
        found.setdefault(f"{year}-{month:02d}", []).append(line)
    return found


def with_labels_of_others(lines: list[str]) -> list[str]:
    """The same calls, with the labels of the month in another order."""
    cells, labels = zip(*(line.rsplit(";", 1) for line in lines), strict=True)
    return [f"{one};{label}" for one, label in zip(cells, np.random.default_rng(0).permutation(labels), strict=True)]


@dataclass
class Bank:
    """The bank: its calls, its schedule, its server.

    Attributes:
      artifacts, inbox: folders.
      contract: file.
      header: of the files of calls.
      months: lines of calls by month, in their order.
      stack: what ends with the bank.
      server: serves the models; None before there is one.
      failures: answers other than 200 to the requests that were sent all the time.
      answered: how many were answered.
    """

    artifacts: Path
    inbox: Path
    contract: Path
    header: str
    months: dict[str, list[str]]
    stack: ExitStack
    server: ServerProcess | None = None
    failures: list[str] = field(default_factory=list)
    answered: int = 0

    def arrives(self, name: str, lines: list[str]) -> None:
        (self.inbox / f"{name}.csv").write_text("\n".join([self.header, *lines]) + "\n")

    def has(self, month: str) -> bool:
        return (self.inbox / f"{month}.csv").exists()

    def command(self) -> list[str]:
        server = ["--server", self.server.url] if self.server else []
        folders = ["--inbox", str(self.inbox), "--artifacts", str(self.artifacts), "--contract", str(self.contract)]
        return [sys.executable, "-m", "schedule", "--once", *folders, *server]

    def step(self) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(), cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)

    def month(self, month: str) -> None:
        """A month arrives, and the step after it leads to a new champion, or the ledger says why not."""
        before = self.champion
        self.arrives(month, self.months[month])
        result = self.step()
        assert result.returncode in (0, 3), result.stdout
        assert trained_months(next(one for one in reversed(self.ledger) if one.action == "train"))[-1] == month
        if result.returncode == 0:
            assert self.champion != before
        else:
            assert self.champion == before
            assert self.ledger[-1].action == "refuse"
            assert self.ledger[-1].reasons

    @property
    def ledger(self) -> list[Decision]:
        return decisions.read(decisions.ledger(self.artifacts, MODEL))

    @property
    def champion(self) -> int | None:
        return versions.champion(self.artifacts, MODEL)

    def serves(self, label: str = "") -> int:
        """The version that answers requests."""
        assert self.server
        path = f"/v1/models/{MODEL}{label and '/labels/' + label}/metadata"
        return int(json.loads(self.server.request("GET", path)[1])["model_spec"]["version"])

    def all_serve(self, version: int | None, seconds: float = 20) -> bool:
        """Whether requests without and with the label get this version, as soon as the server has read the labels."""
        end = time.monotonic() + seconds
        while not version == self.serves() == self.serves("stable"):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def send(self, stop: threading.Event) -> None:
        """Sends requests without and with the champion's label until it is told to stop."""
        assert self.server
        golden = ModelFolder(serving_folder(self.artifacts, MODEL) / str(self.champion)).golden_request()
        assert golden
        body = json.dumps({"instances": golden.instances})
        connection = connect(self.server.url)
        while not stop.is_set():
            for label in ("", "/labels/stable"):
                try:
                    status, answer, _ = ask(connection, "POST", f"/v1/models/{MODEL}{label}:predict", body)
                    problem = "" if status == 200 else f"{status} {answer!r}"
                except OSError as error:
                    problem, connection = repr(error), connect(self.server.url)
                self.answered += 1
                if problem:
                    self.failures.append(f"{label}: {problem}")
            time.sleep(0.02)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """A server serves, and gets requests all the time."""
        flags = [f"--models_folder={self.artifacts / 'serving'}"]
        with ServerProcess(flags, self.artifacts.parent / "server.log") as self.server:
            stop = threading.Event()
            sender = threading.Thread(target=self.send, args=(stop,))
            sender.start()
            try:
                yield
            finally:
                stop.set()
                sender.join()


def trained_months(decision: Decision) -> list[str]:
    return [name for name, _ in decision.trained_on]


@pytest.fixture(scope="module")
def bank(tmp_path_factory, real_data, contract_file) -> Iterator[Bank]:
    """A bank without a model."""
    folder = tmp_path_factory.mktemp("bank")
    file = real_data / "bank-full.csv"
    (folder / "inbox").mkdir()
    with file.open() as stream:
        header = stream.readline().strip()
    with ExitStack() as stack:
        yield Bank(folder / "artifacts", folder / "inbox", contract_file, header, months_of(file), stack)


def test_no_model_serves_until_one_passes_the_gate(bank):
    assert len(bank.months) == 30
    coming = iter(bank.months)
    while bank.champion is None:
        bank.month(next(coming))
    refused = [one.action for one in bank.ledger[:-3]]
    assert refused == ["train", "refuse"] * (len(refused) // 2)
    assert [one.action for one in bank.ledger[-3:]] == ["train", "canary", "promote"]
    bank.stack.enter_context(bank.serving())
    assert bank.all_serve(bank.champion)


def test_month_after_month_a_better_or_equal_model_is_the_champion(bank):
    first = bank.champion
    for month in bank.months:
        if bank.has(month):
            continue
        if month == LABELS_OF_OTHERS:
            break
        bank.month(month)
        assert bank.all_serve(bank.champion)
    assert bank.champion != first


def test_labels_of_other_customers_are_set_aside_and_the_champion_serves_on(bank):
    before = bank.champion
    bank.arrives(LABELS_OF_OTHERS, with_labels_of_others(bank.months[LABELS_OF_OTHERS]))
    result = bank.step()
    assert result.returncode == 3, result.stdout
    assert "2010-04: neither the model that serves nor one learned from the month itself" in result.stdout
    assert (bank.ledger[-1].action, bank.ledger[-1].month) == ("set-aside", "2010-04")
    assert bank.champion == before == bank.serves()


def test_a_step_killed_in_the_middle_of_a_training_and_started_again_comes_to_its_end(bank):
    bank.arrives(KILLED, bank.months[KILLED])
    process = subprocess.Popen(
        bank.command(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout
    while "Transform" not in (line := process.stdout.readline()):
        assert line, "the training came to no Transform"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert bank.ledger[-1].action == "train"
    before = bank.champion
    assert before == bank.serves()
    result = bank.step()
    assert result.returncode == 0, result.stdout
    assert [one.action for one in bank.ledger[-5:]] == ["train", "fail", "train", "canary", "promote"]
    assert bank.ledger[-4].reasons == ("it was killed",)
    assert bank.ledger[-3].trained_on == bank.ledger[-5].trained_on
    assert trained_months(bank.ledger[-3])[-2:] == ["2010-03", "2010-05"]
    assert bank.champion != before
    assert bank.all_serve(bank.champion)


def test_the_months_after_a_killed_training_come_as_those_before(bank):
    for month in ("2010-06", "2010-07", "2010-08"):
        bank.month(month)
        assert bank.all_serve(bank.champion)
    assert bank.step().stdout.endswith(f"nothing to do: version {bank.champion} serves\n")


def test_the_version_before_serves_again_by_command_within_seconds(bank):
    withdrawn = bank.champion
    back = [one.champion for one in bank.ledger if one.action == "promote"][-2]
    command = [sys.executable, "-m", "runs.rollback", "--artifacts", str(bank.artifacts)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert bank.champion == back
    assert (bank.ledger[-1].action, bank.ledger[-1].version) == ("roll-back", withdrawn)
    deadline = time.monotonic() + 60
    while bank.serves() != back:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_months_after_a_roll_back_come_as_those_before(bank):
    for month in ("2010-09", "2010-10", "2010-11"):
        bank.month(month)
        assert bank.all_serve(bank.champion)
    assert all(map(bank.has, bank.months))


def test_the_month_that_was_set_aside_is_learned_once_its_labels_are_corrected(bank):
    (span,) = (one for one in spans.spans(spans.folder(bank.artifacts, "bank-full")) if one.month == "2010-04")
    assert spans.reason_set_aside(span)
    bank.arrives(LABELS_OF_OTHERS, bank.months[LABELS_OF_OTHERS])  # now with its own labels
    result = bank.step()
    assert result.returncode in (0, 3), result.stdout
    assert "2010-04 has 214 calls (version 2)" in result.stdout
    assert "set aside" not in result.stdout


def test_no_request_failed_meanwhile(bank):
    assert bank.answered > 1_000
    assert not bank.failures
    assert LOG in os.listdir(schedule_folder(bank.artifacts))
