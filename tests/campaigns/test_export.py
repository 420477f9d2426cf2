"""An exported call list opens in a spreadsheet as it was, runs nothing, and comes back as outcomes."""

import csv
import io
from dataclasses import replace
from datetime import datetime, timezone

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from campaigns import export, workbook
from campaigns.export import Call, csv_rows, original, xlsx
from campaigns.outcome_file import read_outcomes
from campaigns.reasons import Reasons
from campaigns.records import Campaign, Customer, Terms
from data.errors import UserError
from serving.client.output_files import neutral

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=timezone.utc)
TERMS = Terms(
    "=May", cost=10.0, margin=100.0, calls=50, control_share=0.1, plan={"contact": "cellular", "calls_today": "120"}
)
CAMPAIGN = Campaign(
    3, TERMS, "frozen", NOW, "list.csv", "{}", model="purchase", version="7", rows=20, scored=20, frozen=NOW
)
FORMULA = '=HYPERLINK("http://x",1)'

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
"""What a cell of an uploaded list may hold."""
names = texts.filter(bool) | st.sampled_from(["rank", "list_rank", "list_list_rank", "model", "called", "list_called"])


def customer(rank, identifier="c", called="best", **cells):
    return Customer(
        rank, identifier, {"age": "58", "job": "retired", **cells}, 0.25, "savers", ("w1", "w2"), rank, called
    )


REASONS = Reasons(("age: 58 years", "job: retired"), ("month: may",))
CUSTOMERS = (customer(1, "007"), customer(2, "=1+1", job=FORMULA), customer(19, 'ü"\n,', "control", job="\t-1+x"))


def calls(customers):
    return (Call(one, REASONS) for one in customers)


def rows(campaign=CAMPAIGN, customers=CUSTOMERS):
    text = "".join(csv_rows(campaign, calls(customers)))
    assert text[0] == export.MARK
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def sheets(path, campaign=CAMPAIGN, customers=CUSTOMERS):
    xlsx(campaign, calls(customers), path)
    book = openpyxl.load_workbook(path)
    return [list(sheet.iter_rows()) for sheet in book]


def test_the_csv_says_who_is_called_and_why():
    first, _, last = rows()
    assert [first[name] for name in export.OWN] == [
        *("007", "1", "0.25", "1", "savers"),
        *("age: 58 years; job: retired", "month: may", "w1; w2", "best"),
    ]
    assert (first["age"], first["job"]) == ("58", "retired")
    assert (first["called"], first["bought"]) == ("", "")
    assert (last["identifier"], last["decile"], last["group"]) == ('ü"\n,', "10", "control")


def test_every_row_of_the_csv_carries_model_time_and_parameters():
    for row in rows():
        assert (row["model"], row["model_version"], row["frozen_at"]) == ("purchase", "7", "2026-11-24T12:30:00+00:00")
        assert (row["cost_per_call"], row["margin_per_buyer"], row["control_share"]) == ("10.0", "100.0", "0.1")
        assert (row["calls_affordable"], row["planned"]) == ("50", "contact=cellular; calls_today=120")


def test_no_cell_of_the_csv_begins_a_formula():
    _, second, last = rows()
    assert second["identifier"] == "'=1+1"
    assert second["job"] == "'" + FORMULA
    assert last["job"] == "'\t-1+x"
    assert second["campaign_name"] == "'=May"


@settings(deadline=None)
@given(st.dictionaries(names, texts, min_size=1), texts)
def test_any_list_comes_out_of_the_csv_as_it_went_in_up_to_an_apostrophe(cells, identifier):
    text = "".join(csv_rows(CAMPAIGN, [Call(Customer(1, identifier, cells, 0.5, rank=1, called="best"), None)]))
    header, row = csv.reader(io.StringIO(text[1:], newline=""))
    assert len(header) == len(set(header)) == len(row)
    assert all(cell == neutral(cell) for cell in (*header, *row))
    start = len(export.OWN) + len(export.FORM)
    assert row[start : start + len(cells)] == [neutral(cell) for cell in cells.values()]


def test_a_column_of_the_list_with_a_name_of_ours_is_told_apart():
    (row,) = rows(customers=[replace(customer(1), cells={"rank": "A", "model": "B", "list_model": "C"})])
    assert (row["rank"], row["list_rank"]) == ("1", "A")
    assert (row["model"], row["list_model"], row["list_list_model"]) == ("purchase", "C", "B")


def test_an_empty_call_list_is_a_header():
    assert rows(customers=()) == []


def test_the_csv_is_written_while_it_is_read():
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield Call(customer(read), None)

    chunks = csv_rows(replace(CAMPAIGN, scored=10**9), endless())
    for _ in range(3):
        next(chunks)
    assert read <= 1_001


def test_the_filled_in_csv_is_a_file_of_outcomes(tmp_path):
    text = "".join(csv_rows(CAMPAIGN, calls(CUSTOMERS)))
    lines = list(csv.reader(io.StringIO(text[1:], newline="")))
    called = lines[0].index("called")
    for line in lines[1:]:
        line[called : called + 2] = ["yes", "no"]
    with (tmp_path / "filled.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows(lines)
    found = read_outcomes(tmp_path / "filled.csv", NOW)
    assert [outcome.identifier for outcome in found.outcomes] == [one.identifier for one in CUSTOMERS]
    assert read_empty(tmp_path, text).open == 3


def read_empty(folder, text):
    (folder / "empty.csv").write_text(text, encoding="utf-8", newline="")
    return read_outcomes(folder / "empty.csv", NOW)


@given(
    st.text(max_size=5).map(lambda text: text.lstrip("'"))
    | st.sampled_from(["=1", "-1", "@a", "+1+1", "\tx", "\r", " =1", "\n"])
)
def test_an_identifier_comes_back(identifier):
    assert original(neutral(identifier)) == identifier


def test_the_workbook_has_the_list_as_text_and_numbers(tmp_path):
    calls, parameters = sheets(tmp_path / "calls.xlsx")
    header = [cell.value for cell in calls[0]]
    cells = [dict(zip(header, row, strict=True)) for row in calls[1:]]
    assert [row["identifier"].value for row in cells] == ["007", "=1+1", 'ü"\n,']
    assert [row["rank"].value for row in cells] == [1, 2, 19]
    assert cells[1]["job"].value == FORMULA
    assert {cell.data_type for row in calls for cell in row} <= {"s", "n"}, "no formula, no error"
    assert not any(cell.hyperlink for row in calls for cell in row)
    assert ("model_version", "7") in [(name.value, value.value) for name, value in parameters]
    assert ("cost_per_call", 10) in [(name.value, value.value) for name, value in parameters]


def test_texts_that_xml_cannot_hold_do_not_spoil_the_workbook(tmp_path):
    calls, _ = sheets(tmp_path / "calls.xlsx", customers=[customer(1, "a\x0bb", job="<b>&\ud7ff\x00")])
    assert unescape(calls[1][0].value) == "a\x0bb"
    assert [unescape(cell.value) for cell in calls[1] if "<b>" in str(cell.value)] == ["<b>&\ud7ff\x00"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LARGEST_SHEET", 3, "at most 3 rows, the header included; download the CSV"),
        ("LONGEST_CELL", 30, "row 3 has one of 31; download"),
    ],
)
def test_what_a_worksheet_cannot_hold_is_refused_and_leaves_nothing(tmp_path, monkeypatch, name, value, message):
    monkeypatch.setattr(workbook, name, value)
    customers = [customer(1), customer(2, job="x" * 31), customer(3)] if name == "LONGEST_CELL" else CUSTOMERS
    with pytest.raises(UserError, match=message):
        xlsx(CAMPAIGN, calls(customers), tmp_path / "calls.xlsx")
    assert list(tmp_path.iterdir()) == []
