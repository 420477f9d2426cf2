"""The writer brings every row of the request log into either database once, and keeps it on disk meanwhile."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from sqlalchemy import delete, text

from campaigns.request_log import wire, writer
from campaigns.request_log.destination import RefusedRowsError, UnavailableError, connect
from campaigns.request_log.key import hasher
from campaigns.request_log.rows import COLUMNS, Batch, batch
from campaigns.request_log.spool import Spool
from campaigns.store.database import FILE
from campaigns.store.tables import request_log
from tests.support.request_log import ENTRY, KEY, entry, stored, wait_until


class Desk:
    """What the writer knows of a desk: the other end of its connection. The writer is a thread here."""

    def __init__(self, where, folder):
        self.connection, theirs = socket.socketpair()
        self.connection.settimeout(20)
        self._config = wire.Config(where[0], str(where[1] / FILE), str(folder), KEY)
        self.written = self.dropped = self.spooled = 0
        self._thread = threading.Thread(target=self._run, args=(theirs,))
        self._thread.start()
        wire.send(self.connection, self._config)

    def _run(self, connection):
        with connection:
            writer.run(connection)

    def send(self, number, *entries):
        rows = sum(len(one.probabilities) for one in entries)
        self.connection.sendall(wire.packed((number, rows, [wire.entry(one) for one in entries])))

    def listen(self) -> wire.Status:
        """The next status."""
        status = wire.Status(*wire.receive(self.connection))
        self.written += status.written
        self.dropped += status.dropped
        self.spooled = status.spooled_bytes
        return status

    def has(self, number) -> wire.Status:
        """The status that says that a batch is in a safe place."""
        while (status := self.listen()).batch != number:
            pass
        return status

    def close(self):
        self.connection.close()
        self._thread.join(20)


@pytest.fixture
def start(where, engine, tmp_path, monkeypatch):
    """Starts a desk with its writer, on an empty table."""
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.1)
    with engine.begin() as connection:
        connection.execute(delete(request_log))
    desks = []

    def started() -> Desk:
        desks.append(Desk(where, tmp_path / "spool"))
        return desks[-1]

    yield started
    for desk in desks:
        desk.close()


@pytest.fixture
def gone(engine):
    """Takes the table away until it is called a second time."""
    names = ["request_log", "put_away"]

    def move():
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {names[0]} RENAME TO {names[1]}"))
        names.reverse()

    yield move
    if names[0] != "request_log":
        move()


def test_a_batch_becomes_rows(start, engine):
    desk = start()
    desk.send(1, ENTRY, entry(2, campaign_id=3, caller="a\tb\\N\0\ud800", inputs=['{"job": "a\\tb"}', "null"]))
    assert desk.has(1).database_up
    assert desk.written == 4
    rows = stored(engine)
    assert sorted(row.place for row in rows) == [0, 1, 2, 3]
    assert {row.batch for row in rows} == {1}
    assert {row.time.timestamp() for row in rows} == {ENTRY.time}
    assert [row.caller for row in rows if row.campaign_id] == ["a\tb\\N\N{REPLACEMENT CHARACTER}?"] * 2
    assert [row.inputs for row in rows if row.campaign_id] == [{"job": "a\tb"}, None]


def test_entries_of_one_row_keep_what_is_theirs(start, engine):
    desk = start()
    entries = [
        entry(
            1, time=1_790_000_000.000001 + number, request=f"r{number}", caller=f"Ü{number}", version=str(number),
            identifiers=[f"c{number}"], probabilities=[number / 7], purchases=[number % 2], seconds=number / 8,
        )
        for number in range(5)
    ]  # fmt: skip
    desk.send(1, *entries)
    desk.has(1)
    customer = hasher(KEY)
    for place, (row, one) in enumerate(zip(stored(engine), entries, strict=True)):
        assert (row.batch, row.place, row.time.timestamp()) == (1, place, one.time)
        assert (row.request, row.caller, row.campaign_id, row.inputs) == (one.request, one.caller, None, None)
        assert (row.customer, row.model, row.version) == (customer(f"c{place}"), one.model, one.version)
        assert (row.probability, row.purchase, row.seconds) == (one.probabilities[0], one.purchases[0], one.seconds)


def test_an_entry_that_is_none_does_not_hold_the_others_of_its_batch(start, engine, caplog):
    desk = start()
    changed = ({"identifiers": [5, "c1"]}, {"purchases": [1]}, {"probabilities": [0.5, "much"]}, {"caller": None})
    for number, changes in enumerate(changed, 1):
        desk.send(number, entry(1), entry(2, **changes), entry(3))
        desk.has(number)
    assert (desk.written, desk.dropped) == (16, 8)
    assert caplog.text.count("an entry is not as it should be") == 4
    assert [row.place for row in stored(engine)] == [0, 1, 2, 3] * 4


def test_a_batch_that_comes_again_is_not_written_again(start, engine):
    desk = start()
    desk.send(1, ENTRY)
    desk.has(1)
    desk.send(1, ENTRY)
    desk.has(1)
    desk.send(2, ENTRY)
    desk.has(2)
    assert [row.batch for row in stored(engine)] == [1, 1, 2, 2]


def test_rows_wait_on_disk_while_the_database_is_gone(start, engine, gone, caplog):
    desk = start()
    desk.listen()
    gone()
    for number in range(1, 6):
        desk.send(number, entry(number))
        status = desk.has(number)
        assert (status.database_up, status.spooled_bytes > 0) == (False, True)
    assert (desk.written, desk.dropped) == (0, 0)
    assert "wait on disk" in caplog.text
    gone()
    while desk.spooled:
        desk.listen()
    assert (desk.written, desk.dropped) == (15, 0)
    assert [row.batch for row in stored(engine)] == [number for number in range(1, 6) for _ in range(number)]


def test_what_waits_survives_the_desk(start, engine, gone):
    desk = start()
    gone()
    desk.send(7, entry(3))
    desk.has(7)
    desk.close()
    gone()
    again = start()
    while again.written < 3:
        again.listen()
    assert again.written == 3
    assert [row.batch for row in stored(engine)] == [7, 7, 7]


def test_a_batch_that_a_killed_writer_had_put_on_disk_counts_once(start, engine, gone):
    desk = start()
    gone()
    desk.send(7, entry(3))
    desk.has(7)
    desk.close()
    gone()
    again = start()
    again.send(7, entry(3))
    again.has(7)
    again.send(8, entry(1))
    again.has(8)
    while again.spooled:
        again.listen()
    assert (again.written, again.dropped) == (4, 0)
    assert [row.batch for row in stored(engine)] == [7, 7, 7, 8]


def test_a_spool_that_is_written_again_doubles_nothing(start, engine, tmp_path):
    waiting = Spool(tmp_path / "spool")
    for number in (1, 2):
        waiting.add(batch(number, [entry(2)], KEY))
    file = waiting.files()[0]
    copy = file.read_bytes()
    desk = start()
    wait_until(lambda: not file.exists())
    desk.close()
    file.write_bytes(copy)  # as if it had been killed after the write and before it removed the file
    start()
    wait_until(lambda: not file.exists())
    assert [row.batch for row in stored(engine)] == [1, 1, 2, 2]


def test_a_full_spool_drops_and_counts(start, gone, monkeypatch):
    monkeypatch.setattr(Spool.__init__, "__defaults__", (1_000,))
    desk = start()
    gone()
    for number in range(1, 21):
        desk.send(number, entry(1))
        desk.has(number)
    assert 0 < desk.dropped < 20
    gone()
    while desk.spooled:
        desk.listen()
    assert desk.written + desk.dropped == 20


def test_a_full_disk_drops_and_counts(start, gone, monkeypatch):
    desk = start()
    gone()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "_replace", full)
    desk.send(1, entry(4))
    desk.has(1)
    assert (desk.dropped, desk.spooled) == (4, 0)


def test_a_damaged_spool_loses_what_is_damaged_and_no_more(start, engine, tmp_path, caplog):
    waiting = Spool(tmp_path / "spool")
    for number in (1, 2):
        waiting.add(batch(number, [entry(number)], KEY))
    file = waiting.files()[0]
    file.write_bytes(file.read_bytes()[:-9])
    desk = start()
    while not desk.written:
        desk.listen()
    assert (desk.written, desk.dropped, desk.spooled) == (1, 2, 0)
    assert "damaged, 2 rows are lost" in caplog.text
    assert [row.batch for row in stored(engine)] == [1]


def test_rows_that_the_database_refuses_do_not_hold_the_others(start, engine, tmp_path, caplog):
    waiting = Spool(tmp_path / "spool")
    for number in (1, 2, 3):
        waiting.add(broken(number) if number == 2 else batch(number, [entry(2)], KEY))
    desk = start()
    while desk.written < 4:
        desk.listen()
    assert (desk.written, desk.dropped, desk.spooled) == (4, 2, 0)
    assert "refuses 2 rows" in caplog.text
    assert [row.batch for row in stored(engine)] == [1, 1, 3, 3]


def broken(number: int) -> Batch:
    """Two rows that lack a model."""
    place = COLUMNS.index("model")
    rows = batch(number, [entry(2, caller="a secret")], KEY).rows
    return Batch(number, [[*row[:place], None, *row[place + 1 :]] for row in rows])


def test_the_database_is_asked_where_nothing_is_scored(start, gone):
    desk = start()
    assert desk.listen().database_up
    gone()
    while desk.listen().database_up:
        pass
    gone()
    while not desk.listen().database_up:
        pass


def test_a_connection_that_was_lost_is_made_again(start, where, engine):
    if where[0] is None:
        pytest.skip("SQLite has no connection to lose")
    desk = start()
    desk.send(1, entry(1))
    desk.has(1)
    with engine.begin() as connection:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
    for number in (2, 3):
        desk.send(number, entry(1))
        desk.has(number)
    while desk.written < 3:
        desk.listen()
    assert [row.batch for row in stored(engine)] == [1, 2, 3]


def test_the_log_waits_for_a_busy_sqlite(start, where, engine):
    if where[0] is not None:
        pytest.skip("PostgreSQL has no lock on the whole database")
    desk = start()
    desk.listen()
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        desk.send(1, entry(1))
        time.sleep(0.5)
        assert stored(engine) == []
        connection.rollback()
    assert desk.has(1).database_up
    assert (desk.written, desk.spooled) == (1, 0)


def test_a_database_that_is_not_there(tmp_path):
    with pytest.raises(UnavailableError):
        connect(None, str(tmp_path / "none.sqlite"))
    with pytest.raises(UnavailableError):
        connect("postgresql://desk:secret@127.0.0.1:1/desk", "")
    assert list(tmp_path.iterdir()) == []


def test_the_text_of_a_refusal_holds_no_values(where, engine):
    destination = connect(where[0], str(where[1] / FILE))
    with pytest.raises(RefusedRowsError) as raised:
        destination.write([broken(99)])
    assert "secret" not in str(raised.value)
    destination.close()
