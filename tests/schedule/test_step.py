"""A step of the schedule, on months of made-up calls and with a training that takes no time."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from data import models_config, spans, store_versions
from data.errors import ServiceError
from data.object_store import locate
from runs import versions
from schedule import canary, step
from tests.support.failing_store import failing
from tests.support.schedules import MODEL, Schedule


@pytest.fixture
def schedule(tmp_path, monkeypatch) -> Schedule:
    return Schedule(tmp_path, monkeypatch)


@pytest.fixture
def served(schedule) -> Schedule:
    """A schedule with a champion of two months."""
    schedule.arrives("2024-01")
    schedule.arrives("2024-02")
    assert schedule.step().kind == "trained"
    return schedule


def test_the_first_months_give_the_first_champion(schedule):
    schedule.arrives("2024-01")
    schedule.arrives("2024-02")
    outcome = schedule.step()
    assert (outcome.kind, outcome.exit_code) == ("trained", 0)
    assert outcome.text.endswith(f"trained: version {schedule.champion} serves")
    assert schedule.actions == ["train", "canary", "promote"]
    begin, _, promoted = schedule.ledger
    assert begin.trained_on == (("2024-01", 1), ("2024-02", 1))
    assert begin.reasons == ("there is no model yet",)
    assert promoted.champion == schedule.champion == 1


def test_a_step_without_anything_new_does_nothing(served):
    outcome = served.step()
    assert (outcome.kind, outcome.exit_code) == ("nothing to do", 0)
    assert served.trainings == 1


def test_each_month_that_arrives_gives_a_new_champion(served):
    served.arrives("2024-03")
    assert served.step().kind == "trained"
    assert "2024-03.1" in served.learned(served.champion)
    assert served.ledger[3].reasons[0] == "2024-03 finished"
    assert served.champion == 2


def test_a_month_that_is_not_over_waits(served, monkeypatch):
    served.arrives("2024-03")
    monkeypatch.setattr(step, "_now", lambda: datetime(2024, 3, 20, tzinfo=timezone.utc))
    assert served.step().kind == "nothing to do"
    monkeypatch.setattr(step, "_now", lambda: datetime(2024, 4, 1, tzinfo=timezone.utc))
    assert served.step().kind == "trained"


def test_a_training_does_not_see_the_month_that_is_not_over(served, monkeypatch):
    served.arrives("2024-02", seed=1)
    served.arrives("2024-03")
    monkeypatch.setattr(step, "_now", lambda: datetime(2024, 3, 20, tzinfo=timezone.utc))
    assert served.step().kind == "trained"
    assert "2024-02.2" in served.learned(served.champion)
    assert "2024-03" not in served.learned(served.champion)


def test_a_training_that_was_asked_for_and_killed_is_done_by_the_next_step(served):
    for file in served.inbox.iterdir():
        file.unlink()
    assert served.step_killed_at(1, asked=True)  # after the decision, before the training
    assert served.ledger[-1].reasons == ("asked for",)
    assert served.step().kind == "trained"
    assert served.actions[-4:] == ["fail", "train", "canary", "promote"]


def test_a_corrected_month_is_learned_again(served):
    served.arrives("2024-02", seed=1)
    assert served.step().kind == "trained"
    assert "2024-02 corrected" in served.ledger[3].reasons
    assert "2024-02.2" in served.learned(served.champion)


def test_a_person_may_ask(served):
    assert served.step(asked=True).kind == "trained"
    assert served.ledger[3].reasons == ("asked for",)


def test_a_month_with_shuffled_labels_is_set_aside_and_the_champion_serves_on(served):
    served.arrives("2024-03", shuffled=True)
    outcome = served.step()
    assert (outcome.kind, outcome.exit_code) == ("refused", 3)
    assert outcome.text.endswith("refused: version 1 serves; set aside: 2024-03")
    assert served.actions[3:] == ["set-aside"]
    assert served.ledger[3].month == "2024-03"
    assert "neither the model that serves" in served.spans()["2024-03"]
    served.arrives("2024-04")
    assert served.step().kind == "trained"
    assert "2024-03" not in served.learned(served.champion)
    assert "2024-04.1" in served.learned(served.champion)


def test_a_month_that_a_person_accepts_is_learned(served):
    served.arrives("2024-03", shuffled=True)
    served.step()
    spans.accept(spans.spans(served.span_folder)[-1])
    assert served.step().kind == "trained"
    assert "2024-03.1" in served.learned(served.champion)


def test_a_refused_challenger_is_not_tried_again_with_the_same_months(served):
    served.refused = ("auc",)
    served.arrives("2024-03")
    outcome = served.step()
    assert (outcome.kind, outcome.exit_code) == ("refused", 3)
    assert served.ledger[-1].action == "refuse"
    assert "auc" in served.ledger[-1].reasons[0]
    assert served.champion == 1
    assert served.step().kind == "nothing to do"
    served.refused = ()
    served.arrives("2024-04")
    assert served.step().kind == "trained"


def test_a_training_that_fails_is_tried_again(served):
    served.exit_code = 1
    served.arrives("2024-03")
    outcome = served.step()
    assert (outcome.kind, outcome.exit_code) == ("failed", 1)
    assert served.ledger[-1].action == "fail"
    assert served.ledger[-1].reasons == ("the disk is full",)
    served.exit_code = 0
    assert served.step().kind == "trained"


def test_bad_input_of_a_training_is_said(served):
    served.exit_code = 2
    served.arrives("2024-03")
    assert served.step().exit_code == 2


def test_a_broken_file_is_named_and_does_not_stop_the_others(served):
    broken = served.inbox / "2024-02b.csv"
    broken.write_text("called,age,job,bought\n2024-02-03,forty,admin,yes\n")
    served.arrives("2024-03")
    outcome = served.step()
    assert outcome.kind == "trained"
    assert f"{broken}:2" in outcome.text
    assert outcome.text.endswith("files not taken: 1")
    assert served.step().exit_code == 2
    broken.unlink()
    assert served.step().exit_code == 0


def test_a_challenger_that_answers_wrongly_is_withdrawn(served):
    served.arrives("2024-03")
    served.wrong_answer = True
    outcome = served.step()
    assert (outcome.kind, outcome.exit_code) == ("refused", 3)
    assert served.actions[-2:] == ["canary", "roll-back"]
    assert served.ledger[-1].version == 2
    assert served.champion == served.ledger[-1].champion == 1
    assert versions.on_trial(served.settings.artifacts, MODEL) is None
    served.wrong_answer = False
    assert served.step().kind == "nothing to do"


def test_a_champion_that_does_worse_than_the_one_before_is_withdrawn(served):
    served.quality = -1  # a model that ranks the wrong way round, and yet passes the gate
    served.arrives("2024-03")
    served.step()
    assert served.champion == 2
    served.quality = 1
    served.arrives("2024-04", rows=1_000)
    outcome = served.step()
    rolled_back = next(one for one in served.ledger if one.action == "roll-back")
    assert (rolled_back.version, rolled_back.champion, rolled_back.month) == (2, 1, "2024-04")
    assert "within-month AUC" in rolled_back.reasons[0]
    assert outcome.kind == "trained"
    assert served.champion == 3


def test_an_unusual_share_of_buyers_is_a_reason_to_train(served):
    # The model expects about half of the customers to buy.
    file = served.inbox / "2024-03.csv"
    served.arrives("2024-03")
    file.write_text(file.read_text().replace(",no\n", ",yes\n", 150))
    served.step()
    assert "the share of buyers in the newest month lies outside its interval" in served.ledger[3].reasons


def test_without_a_prometheus_that_answers_the_step_goes_on(served):
    served.arrives("2024-03")
    assert served.step(prometheus="http://127.0.0.1:9").kind == "trained"
    assert any("whether there is drift is not known" in line for line in served.lines)


def test_the_store_gets_what_serves_and_what_it_missed(served, tmp_path):
    store = locate((tmp_path / "store").as_uri())
    served.arrives("2024-02")
    served.step(push_to=store)
    assert served.champion in store_versions.versions(store / MODEL)
    served.arrives("2024-03")
    bad, network = failing(tmp_path / "store", seed=1, rate=1)
    with pytest.raises(ServiceError, match="not in the store until the next step"):
        served.step(push_to=bad)
    assert network.failures
    assert served.champion not in store_versions.versions(store / MODEL)
    assert served.step(push_to=store).kind == "nothing to do"
    assert served.champion in store_versions.versions(store / MODEL)


def test_a_server_that_tries_a_challenger_may_have_it_from_the_store(served, tmp_path, monkeypatch):
    store = locate((tmp_path / "store").as_uri())

    def fault(folder, model, server):
        return None if folder.version in store_versions.versions(store / model) else "the server did not load it"

    monkeypatch.setattr(canary, "fault", fault)
    served.arrives("2024-02")
    served.arrives("2024-03")
    outcome = served.step(push_to=store, server="http://127.0.0.1:9")
    assert outcome.kind == "trained"
    labels = models_config.parse((store / models_config.FILE).read().decode())
    assert labels[MODEL] == {"stable": served.champion, "canary": served.champion}


def test_a_first_version_that_answers_wrongly_is_said(schedule):
    from data.errors import NotReadyError

    schedule.arrives("2024-01")
    schedule.wrong_answer = True
    with pytest.raises(NotReadyError, match="version 1 is the first one"):
        schedule.step()
    schedule.wrong_answer = False
    assert schedule.step().kind == "trained"


def story(schedule: Schedule) -> list:
    """What is the same however often steps were killed: the versions, the months, and the last decisions."""
    ledger = schedule.ledger
    return [
        schedule.champion,
        schedule.learned(schedule.champion),
        schedule.spans(),
        [one.version for one in ledger if one.action == "promote"],
        [(one.version, one.champion, one.reasons) for one in ledger if one.action == "roll-back"],
        [(one.month, one.reasons) for one in ledger if one.action == "set-aside"],
        ledger[-1].action,
        versions.on_trial(schedule.settings.artifacts, MODEL),
    ]


def prepared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Schedule:
    """A schedule with a champion, a bad one after it, and three files that arrived since."""
    folder.mkdir()
    schedule = Schedule(folder, monkeypatch)
    schedule.arrives("2024-01")
    schedule.step()
    schedule.quality = -1
    schedule.arrives("2024-02")
    schedule.step()
    schedule.quality = 1
    schedule.arrives("2024-03", rows=1_000)
    schedule.arrives("2024-04", shuffled=True)
    (schedule.inbox / "2024-05.csv").write_text("called,age,job,bought\n2024-05-03,forty,admin,yes\n")
    return schedule


def test_a_step_killed_anywhere_and_started_again_comes_to_the_same_end(tmp_path, monkeypatch):
    """The step takes two months in, sets one aside, goes back to an earlier version, trains, and promotes."""
    with monkeypatch.context() as patched:
        schedule = prepared(tmp_path / "whole", patched)
        schedule.step()
        expected = story(schedule)
    assert schedule.actions[-5:] == ["set-aside", "roll-back", "train", "canary", "promote"]
    effect, killed = 0, True
    while killed:
        with monkeypatch.context() as patched:
            schedule = prepared(tmp_path / str(effect), patched)
            killed = schedule.step_killed_at(effect)
            if killed:
                schedule.step()
            assert story(schedule) == expected, f"killed at effect {effect}"
        effect += 1
    assert effect > 20
