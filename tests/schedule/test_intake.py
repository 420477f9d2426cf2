"""What a step takes in: files of a folder, outcomes of the campaign desk."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from sqlalchemy import update

from campaigns.store import tables
from data import spans
from data.errors import UserError
from schedule import inbox
from tests.campaigns.test_training import Store
from tests.support import dated
from tests.support.schedules import Schedule

FROZEN = datetime(2024, 3, 7, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("name", "month"),
    [
        ("calls-2009-03", "2009-03"),
        ("2009-03", "2009-03"),
        ("2009-03-corrected", "2009-03"),
        ("calls-2009-03-v2", "2009-03"),
        ("calls", None),
        ("calls-2009-13", None),
        ("calls-2009-03-15", None),
        ("2009-03-to-2009-05", None),
    ],
)
def test_the_name_of_a_file_may_have_the_month_of_its_rows(name, month):
    assert inbox.month_in(name) == month


def test_hidden_files_and_others_are_left_alone(tmp_path):
    for name in ("b.csv", "a.csv", ".c.csv", "d.csv.part", "e.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "f.csv").mkdir()
    assert [file.name for file in inbox.files(str(tmp_path), tmp_path / "artifacts", print)] == ["a.csv", "b.csv"]


def test_the_files_of_an_object_store_are_fetched_and_new_ones_are_seen(tmp_path):
    store, artifacts = tmp_path / "store", tmp_path / "artifacts"
    store.mkdir()
    (store / "2009-03.csv").write_text("a\n1\n")
    first = inbox.files(f"file://{store}", artifacts, print)
    (store / "2009-04.csv").write_text("a\n2\n")
    second = inbox.files(f"file://{store}", artifacts, print)
    assert [[file.name for file in files] for files in (first, second)] == [
        ["2009-03.csv"],
        ["2009-03.csv", "2009-04.csv"],
    ]
    assert second[1].read_text() == "a\n2\n"
    with pytest.raises(UserError, match="there is no such file"):
        inbox.files(f"file://{tmp_path / 'nothing'}", artifacts, print)


def test_a_late_correction_is_of_the_month_in_its_name(tmp_path):
    """Without the name, March after December would be March of the next year."""
    folder, contract = tmp_path / "spans", dated.contract()
    inbox.add(folder, dated.write(tmp_path / "2008.csv", [(3, "mar"), (9, "dec")]), contract)
    found = inbox.add(folder, dated.write(tmp_path / "late-2008-03.csv", [(4, "mar"), (5, "mar")]), contract)
    assert [(span.month, span.version, span.manifest.rows) for span in found] == [("2008-03", 2, 3)]


def test_outcomes_of_the_desk_are_learned(tmp_path, monkeypatch):
    schedule = Schedule(tmp_path, monkeypatch)
    schedule.arrives("2024-01")
    schedule.step()
    desk = Store(tmp_path / "desk", [{"age": str(30 + row), "job": "admin"} for row in range(8)], schedule.contract)
    with desk.engine.begin() as connection:
        row = tables.campaigns.c.id == desk.id
        connection.execute(update(tables.campaigns).where(row).values(frozen=FROZEN))
    desk.tell([True, False] * 4)
    assert schedule.step(desk=desk.folder).kind == "trained"
    (span,) = spans.versions(schedule.span_folder, "2024-03")
    assert (span.manifest.rows, span.manifest.positives) == (8, 4)
    assert "2024-03 finished" in schedule.ledger[3].reasons
    assert schedule.step(desk=desk.folder).kind == "nothing to do"
