"""What the exporter says of decisions, of champion and challenger, and of the months of labelled calls."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from data import spans
from data.model_folder import CARD, ModelFolder, PurchaseCard
from data.paths import serving_folder, spans_folder
from monitoring.families import Families
from monitoring.schedule_metrics import ScheduleMetrics, Trainings, waiting_since
from runs import decisions, versions
from runs.decisions import Action, Decision
from tests.support import dated

MODEL = "m"
START = datetime(2009, 4, 2, 6, tzinfo=timezone.utc)


def ledger(*actions: Action | tuple[Action, dict]) -> list[Decision]:
    """Decisions, one an hour."""
    found = []
    for hour, one in enumerate(actions):
        action, more = (one, {}) if isinstance(one, str) else one
        found.append(Decision(START + timedelta(hours=hour), action, **more))
    return found


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


@pytest.mark.parametrize("end", ["refuse", "canary", "promote"])
def test_a_training_is_finished_by_a_verdict_on_its_model(end):
    learned = {"trained_on": (("2009-02", 1), ("2009-03", 2))}
    found = Trainings.of(ledger(("train", learned), "set-aside", end))
    assert found.last_finished == hour(2)
    assert found.learned == {"2009-02": 1, "2009-03": 2}


def test_a_training_that_was_begun_is_none_yet():
    assert Trainings.of(ledger()).learned is None
    assert Trainings.of(ledger("train")) == Trainings(learned={})


def test_failures_in_a_row_end_with_a_training_that_ends():
    assert Trainings.of(ledger("train", "fail", "train", "fail")).failures == 2
    found = Trainings.of(ledger("train", "fail", "train", "refuse"))
    assert (found.failures, found.last_failed) == (0, hour(1))


def test_refusals_in_a_row_end_with_a_promotion():
    trial = ("canary", {"version": 7})
    withdrawn = ("roll-back", {"version": 7})
    refused = ("train", "refuse", "train", trial, withdrawn, "train", "fail", "train", "refuse")
    assert Trainings.of(ledger(*refused)).refusals == 3
    assert Trainings.of(ledger(*refused, "train", "promote")).refusals == 0
    champion_withdrawn = ("train", trial, ("promote", {"version": 7}), withdrawn)
    assert Trainings.of(ledger(*champion_withdrawn)).refusals == 0


@pytest.fixture
def artifacts(tmp_path) -> Path:
    """Two versions of a purchase model."""
    for version in ("1", "2"):
        folder = ModelFolder(serving_folder(tmp_path, MODEL) / version)
        folder.extra(CARD).parent.mkdir(parents=True)
        card = PurchaseCard(dated.contract().name, False, ("age",), {}, 1, 1, 0, {}, 0.5)
        folder.extra(CARD).write_text(card.to_json())
    return tmp_path


@pytest.fixture
def months(artifacts) -> Path:
    """Calls of February and March 2008."""
    folder = spans_folder(artifacts, dated.contract().name)
    spans.add(folder, dated.write(artifacts / "calls.csv", [(3, "feb"), (5, "feb"), (4, "mar")]), dated.contract())
    return folder


def measure(artifacts: Path) -> dict[tuple[str, ...], float]:
    """Values by name and labels but for the model's name."""
    found = {}
    for metric in ScheduleMetrics(Families(MODEL), artifacts, MODEL).measure():
        for sample in metric.samples:
            assert sample.labels.pop("model_name") == MODEL
            found[(sample.name, *sample.labels.values())] = sample.value
    return found


def test_decisions_are_counted_by_action_and_all_actions_are_there(artifacts):
    assert measure(artifacts)["model_schedule_decisions_total", "promote"] == 0
    for decision in ledger("train", "refuse", "train", "fail"):
        decisions.append(decisions.ledger(artifacts, MODEL), decision)
    found = measure(artifacts)
    counts = {key[1]: value for key, value in found.items() if key[0] == "model_schedule_decisions_total"}
    assert {action: count for action, count in counts.items() if count} == {"train": 2, "refuse": 1, "fail": 1}
    assert found["model_schedule_last_training_timestamp_seconds",] == hour(1).timestamp()
    assert found["model_schedule_last_failure_timestamp_seconds",] == hour(3).timestamp()
    assert found["model_schedule_consecutive_failures",] == 1
    assert found["model_schedule_consecutive_refusals",] == 1


def test_champion_and_challenger_have_their_numbers(artifacts, monkeypatch):
    monkeypatch.setattr(versions, "NOTICE_SECONDS", 0)
    assert measure(artifacts)["model_champion_version_number",] == 2
    versions.canary(artifacts, MODEL, 2)
    found = measure(artifacts)
    assert (found["model_champion_version_number",], found["model_challenger_version_number",]) == (1, 2)
    versions.roll_back(artifacts, MODEL)
    found = measure(artifacts)
    assert (found["model_champion_version_number",], found["model_challenger_version_number",]) == (1, 0)


def test_without_spans_nothing_is_said_of_them(artifacts):
    decisions.append(decisions.ledger(artifacts, MODEL), Decision(START, "train"))
    assert not [key for key in measure(artifacts) if "span" in key[0] or "waiting" in key[0]]


def test_the_newest_month_is_told_by_its_first_second(artifacts, months):
    march = datetime(2008, 3, 1, tzinfo=timezone.utc).timestamp()
    assert measure(artifacts)["model_spans_newest_month_timestamp_seconds",] == march


def test_a_month_that_was_set_aside_counts_until_a_person_accepts_it(artifacts, months):
    assert measure(artifacts)["model_spans_set_aside",] == 0
    _, march = spans.spans(months)
    spans.set_aside(march, "labels of another list")
    assert measure(artifacts)["model_spans_set_aside",] == 1
    spans.accept(march)
    assert measure(artifacts)["model_spans_set_aside",] == 0


def test_a_month_waits_from_when_its_calls_came_until_a_training_has_learned_it(artifacts, months):
    waiting = ("model_schedule_waiting_since_timestamp_seconds",)
    file = decisions.ledger(artifacts, MODEL)
    assert waiting not in measure(artifacts), "nobody keeps a schedule"
    decisions.append(file, Decision(START, "train", trained_on=(("2008-02", 1),)))
    february, march = spans.spans(months)
    assert measure(artifacts)[waiting] == february.manifest.written.timestamp(), "the training has not ended"
    decisions.append(file, Decision(START, "refuse"))
    assert measure(artifacts)[waiting] == march.manifest.written.timestamp()
    spans.set_aside(march, "doubt")
    assert waiting not in measure(artifacts)
    spans.accept(march)
    decisions.append(file, Decision(START, "train", trained_on=(("2008-02", 1), ("2008-03", 1))))
    decisions.append(file, Decision(START, "canary"))
    assert waiting not in measure(artifacts)


def test_a_month_waits_only_when_it_is_over(months):
    believed = spans.spans(months)
    learned = {"2008-02": 1}
    end = datetime(2008, 4, 1, tzinfo=timezone.utc)
    assert waiting_since(believed, learned, end - timedelta(seconds=1)) is None
    assert waiting_since(believed, learned, end) == believed[1].manifest.written
    assert waiting_since(believed, {**learned, "2008-03": 2}, end) is not None, "another version was learned"


def test_files_that_cannot_be_read_leave_the_other_metrics(artifacts, months):
    file = decisions.ledger(artifacts, MODEL)
    file.parent.mkdir(parents=True)
    file.write_text("{}\n")
    found = measure(artifacts)
    assert found["model_champion_version_number",] == 2
    assert not [key for key in found if "schedule" in key[0]]
