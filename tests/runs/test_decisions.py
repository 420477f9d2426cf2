"""The ledger of decisions: what is written is read again, also after a crash and by several at once."""

from __future__ import annotations

import threading
from datetime import datetime, timezone

import pytest

from runs import decisions
from runs.decisions import Decision

NOON = datetime(2009, 4, 1, 12, tzinfo=timezone.utc)


def test_decisions_are_read_as_they_were_written(tmp_path):
    ledger = decisions.ledger(tmp_path, "m")
    written = [
        Decision(NOON, "train", ("2009-03 finished",), month="2009-03", trained_on=(("2009-02", 1), ("2009-03", 2))),
        Decision(NOON, "promote", ("besser für März",), run_id="r", version=7, champion=7),
    ]
    assert decisions.read(ledger) == []
    for decision in written:
        decisions.append(ledger, decision)
    assert decisions.read(ledger) == written


def test_half_a_line_that_a_crash_left_does_not_count_and_goes(tmp_path):
    ledger = tmp_path / "decisions.jsonl"
    decisions.append(ledger, Decision(NOON, "train"))
    whole = ledger.read_bytes()
    ledger.write_bytes(whole + whole[:20])
    assert len(decisions.read(ledger)) == 1
    decisions.append(ledger, Decision(NOON, "fail"))
    assert [one.action for one in decisions.read(ledger)] == ["train", "fail"]


def test_a_line_that_is_no_decision_is_refused(tmp_path):
    ledger = tmp_path / "decisions.jsonl"
    ledger.write_text("{}\n")
    with pytest.raises(ValueError, match="not a decision"):
        decisions.read(ledger)


def test_decisions_at_the_same_time_are_all_written(tmp_path):
    ledger = tmp_path / "decisions.jsonl"
    threads = [
        threading.Thread(target=decisions.append, args=(ledger, Decision(NOON, "train", version=number)))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.version for one in decisions.read(ledger)} == set(range(20))
