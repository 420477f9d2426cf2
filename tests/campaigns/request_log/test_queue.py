"""The queue is bounded, never waits, and loses nothing with the writer's process."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import numpy as np
import pytest

from campaigns.request_log import queue as queues
from campaigns.request_log.queue import LogState, RequestLog
from campaigns.store.database import FILE, open_database
from tests.support.request_log import ENTRY, KEY, entry, stored, wait_until


@pytest.fixture
def engine(tmp_path):
    engine = open_database(None, tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def log(tmp_path, engine):
    """A log whose thread a test starts; it is stopped at the end."""
    log = RequestLog(None, tmp_path, tmp_path / FILE, KEY, keeps_inputs=True)
    yield log
    if log._thread.is_alive():
        log.stop(20)


def test_what_does_not_fit_is_dropped_and_counted(log, monkeypatch):
    monkeypatch.setattr(queues, "MOST_ROWS", 10)
    for rows in (4, 4, 4, 2, 1):
        log.add(entry(rows))
    assert log.state() == LogState(
        queued=10, dropped=5, written=0, spooled_bytes=0, database_up=True, of_requests=15, of_lists=0
    )


def test_inputs_fill_the_queue_by_their_size(log, monkeypatch):
    monkeypatch.setattr(queues, "MOST_BYTES", 2_000)
    log.add(entry(1, inputs=["x" * 3_000]))
    log.add(entry(1, inputs=["x" * 1_000]))
    assert (log.state().queued, log.state().dropped) == (1, 1)


def test_rows_come_into_the_table(log, engine):
    log.start()
    log.add(ENTRY)
    log.add(entry(3, campaign_id=5, inputs=['{"age": 1}', '{"age": 2}', '{"job": "\\u0000"}']))
    log.add(entry(0))
    wait_until(lambda: log.state().written == 5)
    assert log.state() == LogState(
        queued=0, dropped=0, written=5, spooled_bytes=0, database_up=True, of_requests=2, of_lists=3
    )
    first, second, *others = sorted(stored(engine), key=lambda row: row.campaign_id or 0)
    assert (first.time.timestamp(), first.request, first.caller, first.campaign_id) == (ENTRY.time, "r1", "crm", None)
    assert (first.model, first.version, first.probability, first.purchase) == ("purchase-model", "7", 0.25, 0)
    assert (first.seconds, first.inputs, second.customer, second.purchase) == (0.125, None, None, 1)
    assert first.customer
    assert "C1" not in first.customer
    assert [row.inputs and [*row.inputs] for row in others] == [["age"], ["age"], ["job"]]


def test_inputs_are_kept_only_where_that_is_wanted(tmp_path, engine):
    log = RequestLog(None, tmp_path, tmp_path / FILE, KEY)
    log.start()
    log.add(entry(1, inputs=['{"age": 1}']))
    log.stop(20)
    assert [row.inputs for row in stored(engine)] == [None]


@pytest.mark.parametrize(
    "changes",
    [
        {"purchases": [1]},
        {"identifiers": ["a", "b", "c"]},
        {"inputs": ["{}"]},
        {"probabilities": ["much", 0.5]},
        {"probabilities": [float("nan"), 0.5]},  # the database refuses it
        {"probabilities": np.float64([0.5, 0.5])},
        {"probabilities": [np.float64(0.5), 0.5]},
        {"seconds": object()},
        {"model": None},
        {"time": float("inf")},
    ],
)
def test_an_entry_that_is_none_is_dropped(log, engine, changes):
    log.start()
    log.add(entry(2, **changes))
    wait_until(lambda: log.state().dropped == 2)
    log.add(entry(1))
    wait_until(lambda: log.state().written == 1)
    assert len(stored(engine)) == 1


def test_an_entry_that_cannot_be_sent_does_not_hold_the_others(log, engine):
    for probability in (0.5, np.float64(0.5), 0.25):
        log.add(entry(1, probabilities=[probability]))
    log.start()
    wait_until(lambda: log.state().queued == 0)
    assert (log.state().written, log.state().dropped) == (2, 1)
    assert {row.probability for row in stored(engine)} == {0.5, 0.25}


def test_stopped_it_has_written_all(log, engine):
    log.start()
    for _ in range(300):
        log.add(entry(100))
    log.stop(30)
    assert log.state() == LogState(0, 0, 30_000, 0, database_up=True, of_requests=30_000, of_lists=0)
    assert len(stored(engine)) == 30_000
    log.add(entry(7))
    assert log.state().dropped == 7


def test_a_killed_writer_loses_and_doubles_nothing(log, engine, caplog):
    log.start()
    killed = set()
    for number in range(60):
        log.add(entry(50, request=str(number)))
        child = log._child
        if number % 12 == 6 and child and child.pid not in killed:
            os.kill(child.pid, signal.SIGKILL)
            killed.add(child.pid)
        time.sleep(0.05)
    wait_until(lambda: log.state().queued == 0)
    assert killed
    assert "started again" in caplog.text
    assert Counter(row.request for row in stored(engine)) == {str(number): 50 for number in range(60)}
    assert (log.state().written, log.state().dropped) == (3_000, 0)


def test_a_writer_that_hangs_does_not_hold_the_desk(log):
    log.start()
    log.add(entry(1))
    wait_until(lambda: log.state().written == 1)
    os.kill(log._child.pid, signal.SIGSTOP)
    for _ in range(100):
        log.add(entry(2_000))
    state = log.state()
    assert state.queued + state.dropped == 200_000
    assert 100_000 <= state.queued <= 110_000  # the queue and the batch under way
    log.stop(1)


def test_the_secret_and_the_database_are_no_arguments_of_the_writer(log):
    log.start()
    wait_until(lambda: log._child is not None)
    with open(f"/proc/{log._child.pid}/cmdline", "rb") as file:
        arguments = file.read()
    assert KEY not in arguments
    assert FILE.encode() not in arguments
