"""What the ledger says of the trainings so far."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from runs.decisions import Decision
from schedule import history
from schedule.policy import Month

NOON = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)


def ledger(*lines: tuple) -> list[Decision]:
    """Decisions a day apart: action, version, champion, months."""
    return [
        Decision(NOON + timedelta(number), action, version=version, champion=champion, trained_on=tuple(months))
        for number, (action, version, champion, months) in enumerate(lines)
    ]


FIRST = [("train", None, None, [("2024-01", 1)]), ("canary", 1, None, []), ("promote", 1, 1, [])]
SECOND = [("train", None, 1, [("2024-01", 1), ("2024-02", 1)]), ("canary", 2, 1, []), ("promote", 2, 2, [])]


def test_an_empty_ledger_knows_nothing():
    assert history.attempts([]) == []
    assert history.open_training([]) is None
    assert history.open_canary([]) is None
    assert history.learned_last([]) is None
    assert history.checked([]) == frozenset()


def test_a_training_is_open_until_there_is_a_verdict():
    begin = ("train", None, 1, [])
    assert history.open_training(ledger(*FIRST, begin)) is not None
    for end in ("canary", "refuse", "fail"):
        assert history.open_training(ledger(*FIRST, begin, (end, 2, 1, []))) is None


def test_what_a_person_does_meanwhile_ends_no_training():
    found = history.open_training(ledger(*SECOND, ("train", None, 2, []), ("roll-back", 2, 1, [])))
    assert found is not None
    assert found.time == NOON + timedelta(3)


def test_a_challenger_is_open_until_it_is_promoted_or_withdrawn():
    on_trial = history.open_canary(ledger(*FIRST, *SECOND[:2]))
    assert on_trial is not None
    assert on_trial.version == 2
    assert history.open_canary(ledger(*FIRST, *SECOND)) is None
    assert history.open_canary(ledger(*FIRST, *SECOND[:2], ("roll-back", 2, 1, []))) is None
    assert history.open_canary(ledger(*FIRST, *SECOND[:2], ("roll-back", 1, 1, []))) is not None


def test_a_refused_challenger_has_learned_and_a_failed_training_has_not():
    begin = ("train", None, 1, [("2024-01", 1), ("2024-02", 1)])
    refused = ledger(*FIRST, begin, ("refuse", None, 1, []))
    assert history.learned_last(refused) == (Month("2024-01", 1), Month("2024-02", 1))
    failed = ledger(*FIRST, begin, ("fail", None, 1, []))
    assert history.learned_last(failed) == (Month("2024-01", 1),)
    assert history.checked(failed) == {Month("2024-01", 1), Month("2024-02", 1)}


def test_the_ledger_knows_what_a_version_learned_from():
    decisions = ledger(*FIRST, *SECOND)
    assert history.learned_by(decisions, 1) == {"2024-01"}
    assert history.learned_by(decisions, 2) == {"2024-01", "2024-02"}
    assert history.learned_by(decisions, 3) is None


def test_the_predecessor_is_the_champion_before():
    decisions = ledger(*FIRST, *SECOND)
    assert history.predecessor(decisions, 2) == 1
    assert history.predecessor(decisions, 1) is None
    assert history.predecessor(decisions, 7) is None
    again = ledger(*FIRST, *SECOND, ("train", None, 2, []), ("canary", 2, 2, []), ("promote", 2, 2, []))
    assert history.predecessor(again, 2) == 1
