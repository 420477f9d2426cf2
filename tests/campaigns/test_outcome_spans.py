"""Outcomes of campaigns become months of labelled calls that a model can be trained on."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import update

from campaigns import outcome_spans, training
from campaigns.store import tables
from data import columns, reader, spans
from data.contract import CALL_DAY
from data.errors import BadFileError
from tests.campaigns.conftest import TYPICAL
from tests.campaigns.test_training import SHOP, Store
from tests.support import dated

CALLS = dated.contract(
    name="calls",
    categorical={
        "month": {"values": ["Jan", "Feb", "Mar"]},
        "weekday": {"values": ["mon", "tue"]},
        "mood": {"values": ["calm"], "blank": True},
    },
    numeric={**dated.contract().model_dump()["numeric"], "rate": {"unit": "percent", "min": 0, "max": 9}},
    clock=["rate"],
)
FROZEN = datetime(2027, 2, 3, 23, 30, tzinfo=timezone.utc)


@pytest.fixture
def folder(tmp_path):
    return spans.folder(tmp_path, CALLS.name)


def campaign(desk, cells, frozen=FROZEN, contract=CALLS):
    store = Store(desk, cells, contract)
    with store.engine.begin() as connection:
        row = tables.campaigns.c.id == store.id
        connection.execute(update(tables.campaigns).where(row).values(frozen=frozen))
    return store


def described(found):
    return [(span.month, span.version, span.manifest.rows, span.manifest.positives) for span in found]


def test_the_date_of_a_call_is_the_day_of_the_call_list(tmp_path):
    """Whatever the list says of it, and with blanks where only the contract of the past calls knows more."""
    store = campaign(tmp_path / "desk", [{"age": "30", "mood": "calm"}, {"age": "31", "day": "7", "month": "Mar"}])
    found = store.tell([True, False])
    assert (found.dated, str(found.day), found.blank) == (True, "2027-02-03", ("weekday", "rate"))
    (block,) = reader.read(store.file, CALLS)
    assert not block.bad
    rows = block.batch.to_pylist()
    assert [(row["age"], row["day"], row["month"], row["weekday"]) for row in rows] == [
        *((30, 3, "Feb", ""), (31, 3, "Feb", ""))
    ]
    assert all(row["rate"] != row["rate"] for row in rows)


def test_campaigns_become_sources_of_the_month_of_their_call_lists(tmp_path, folder):
    desk = tmp_path / "desk"
    first = campaign(desk, [{"age": "30"}, {"age": "31"}], FROZEN)
    first.tell([True, False])
    campaign(desk, [{"age": "40"}], FROZEN - timedelta(days=1)).tell([True])
    campaign(desk, [{"age": "50"}], FROZEN + timedelta(days=40)).tell([False])
    campaign(desk, [{"visit": "v1", "spent": "1", "colour": ""}], contract=SHOP).tell([True])
    assert described(outcome_spans.add(folder, desk, CALLS)) == [("2027-02", 2, 3, 2), ("2027-03", 1, 1, 0)]
    read = columns.read(folder, CALLS)
    assert read["age"].tolist() == [40, 30, 31, 50]
    assert read[CALL_DAY].astype("datetime64[D]").astype(str).tolist() == [
        *("2027-02-02", "2027-02-03", "2027-02-03", "2027-03-15")
    ]
    assert outcome_spans.add(folder, desk, CALLS) == ()

    first.tell([False, False], hours=1)
    assert described(outcome_spans.add(folder, desk, CALLS)) == [("2027-02", 3, 3, 1)]
    first.tell([None, None], hours=2)
    assert described(outcome_spans.add(folder, desk, CALLS)) == [("2027-02", 4, 1, 1)]
    assert outcome_spans.add(folder, desk, CALLS) == ()


def test_rows_without_dates_are_a_span_for_each_campaign(tmp_path):
    folder, desk = tmp_path / "spans", tmp_path / "desk"
    store = Store(desk, [{"visit": "v1", "spent": "1", "colour": ""}], SHOP)
    store.tell([True])
    assert described(outcome_spans.add(folder, desk, SHOP)) == [("000001", 1, 1, 1)]
    store.tell([False], hours=1)
    assert described(outcome_spans.add(folder, desk, SHOP)) == [("000001", 2, 1, 0)]


def test_a_file_that_is_being_written_is_left_for_the_next_time(tmp_path, folder):
    store = campaign(tmp_path / "desk", [{"age": "30"}])
    store.tell([True])
    whole = store.file.read_bytes()
    store.file.write_bytes(whole + whole)
    assert outcome_spans.add(folder, tmp_path / "desk", CALLS) == ()
    store.file.unlink()
    assert outcome_spans.add(folder, tmp_path / "desk", CALLS) == ()
    store.file.write_bytes(whole)
    assert len(outcome_spans.add(folder, tmp_path / "desk", CALLS)) == 1


def test_one_campaign_at_fault_holds_off_no_other(tmp_path, folder):
    desk = tmp_path / "desk"
    campaign(desk, [{"age": "old"}]).tell([True])
    campaign(desk, [{"age": "30"}]).tell([True])
    with pytest.raises(BadFileError, match=r"1.csv:2: column 'age': got 'old', expected a number"):
        outcome_spans.add(folder, desk, CALLS)
    assert described(spans.spans(folder)) == [("2027-02", 1, 1, 1)]


def test_outcomes_of_bank_full_are_months_of_bank_full(tmp_path):
    from data import contract as contracts

    contract = contracts.load("bank-full")
    store = campaign(tmp_path / "desk", [{**TYPICAL, "age": str(30 + row)} for row in range(3)], contract=contract)
    store.tell([True, False, False])
    folder = spans.folder(tmp_path, "bank-full")
    assert described(outcome_spans.add(folder, tmp_path / "desk", contract)) == [("2027-02", 1, 3, 1)]
    read = columns.read(folder, contract)
    assert set(read["day"]) == {3}
    assert set(read["month"]) == {b"feb"}
    assert [one.campaign for one in training.manifests(tmp_path / "desk")] == [1]
