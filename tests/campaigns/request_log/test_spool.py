"""Rows that wait on disk come back whole, in order and once, whatever happened to the file."""

from __future__ import annotations

import os
import stat

import pytest

from campaigns.request_log import spool as spools
from campaigns.request_log.rows import CUSTOMER, Batch
from campaigns.request_log.spool import Spool


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


def batch(number: int, rows: int = 2) -> Batch:
    return Batch(
        number, [[place, 1.5, "r", "me", None, f"hash{place}", "m", "1", 0.5, 1, 0.1, None] for place in range(rows)]
    )


def contents(spool: Spool) -> list[Batch]:
    return [one for file in spool.files() for one in spool.read(file)[0]]


def test_what_was_added_is_read_in_order(spool, monkeypatch):
    monkeypatch.setattr(spools, "FILE_BYTES", 400)
    added = [batch(number, rows) for number, rows in ((10, 2), (20, 1), (30, 5), (40, 1), (100, 3))]
    for one in added:
        spool.add(one)
    assert contents(spool) == added
    assert 1 < len(spool.files()) < 5  # small batches share a file
    assert spool.last() == 100
    spool.remove(spool.files()[0])
    assert contents(spool) == added[-len(contents(spool)) :]


def test_an_empty_spool_has_nothing(spool):
    assert (spool.files(), spool.size(), spool.last()) == ([], 0, None)


def test_it_takes_no_more_than_it_may(tmp_path):
    spool = Spool(tmp_path, most=400)
    for number in (1, 2, 3):
        spool.add(batch(number))
    with pytest.raises(OSError, match="full"):
        spool.add(batch(4))
    assert 0 < spool.size() <= 400
    kept = contents(spool)
    spool.remove(spool.files()[0])
    spool.add(batch(200))
    assert [one.number for one in kept] == list(range(1, len(kept) + 1))
    assert contents(spool) == [batch(200)]


def test_a_write_that_breaks_off_leaves_the_old_file(spool, monkeypatch):
    spool.add(batch(1))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.add(batch(2))
    monkeypatch.undo()
    assert contents(spool) == [batch(1)]
    assert {file.name for file in spool.files()[0].parent.iterdir()} == {spool.files()[0].name}


def test_a_damaged_file_says_how_many_rows_are_lost(spool):
    spool.add(batch(1, rows=3))
    spool.add(batch(2, rows=4))
    file = spool.files()[0]
    file.write_bytes(file.read_bytes()[:-30])
    assert spool.read(file) == ([batch(1, rows=3)], 4)
    file.write_bytes(b"\0" * 50)
    assert spool.read(file) == ([], 7)


def test_other_files_are_left_alone(spool, tmp_path):
    (tmp_path / "spool" / "notes.jsonl").write_text("x")
    part = tmp_path / "spool" / f"{1:019d}-2.part"
    part.write_text("half")
    spool.add(batch(5))
    assert contents(spool) == [batch(5)]
    spool.remove_broken_off()
    assert not part.exists()
    assert (tmp_path / "spool" / "notes.jsonl").exists()


def test_rows_can_be_removed(spool):
    spool.add(batch(1, rows=3))
    spool.add(batch(2, rows=1))
    assert spool.filter(lambda row: row[CUSTOMER] != "hash0") == 2
    assert [len(one.rows) for one in contents(spool)] == [2, 0]
    assert [spool.read(file)[1] for file in spool.files()] == [0]
    assert spool.filter(lambda row: row[CUSTOMER] != "hash0") == 0


def test_only_the_owner_reads_it(spool, tmp_path):
    spool.add(batch(1))
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert stat.S_IMODE(spool.files()[0].stat().st_mode) == 0o600
