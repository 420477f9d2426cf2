"""Dates of calls: from a column, from parts of a date, and what is said of rows without one."""

import functools

import numpy as np
import pytest

from data import columns, reader
from data.contract import CALL_DAY, load, parse
from data.errors import BadContractError, BadFileError
from tests.support import dated

PARTS = {"day": "day", "month": "month", "year": "inferred", "begins": 2008}
WEEKDAYS = {"day_of_week": "weekday", "month": "month", "year": "inferred", "begins": 2008}


def days(file, contract=None):
    return columns.read(file, contract or dated.contract())[CALL_DAY].astype("datetime64[D]").astype(str).tolist()


def test_the_year_rises_where_the_month_falls_back(tmp_path):
    dates = [(30, "jan"), (29, "feb"), (1, "dec"), (2, "jan"), (2, "jan"), (28, "feb"), (5, "jan")]
    assert days(dated.write(tmp_path / "calls.csv", dates)) == [
        *("2008-01-30", "2008-02-29", "2008-12-01", "2009-01-02", "2009-01-02", "2009-02-28", "2010-01-05")
    ]


def test_files_of_a_folder_are_one_sequence(tmp_path):
    dated.write(tmp_path / "1.csv", [(1, "dec"), (2, "dec")])
    dated.write(tmp_path / "2.csv", [(2, "dec"), (1, "jan")])
    assert days(tmp_path) == ["2008-12-01", "2008-12-02", "2008-12-02", "2009-01-01"]


def test_a_new_weekday_is_the_next_day_with_that_name(tmp_path):
    dates = [(1, "jan")] * 5 + [(1, "feb")]
    weekdays = ["thu", "thu", "fri", "mon", "wed", "wed"]
    file = dated.write(tmp_path / "calls.csv", dates, weekdays)
    assert days(file, dated.contract(call_date=WEEKDAYS)) == [
        *("2008-01-03", "2008-01-03", "2008-01-04", "2008-01-07", "2008-01-09", "2008-02-06")
    ]


@pytest.mark.parametrize("bytes_", [40, 60, 10_000])
def test_blocks_make_no_difference(tmp_path, monkeypatch, bytes_):
    dates = [(1 + number % 28, ("jan", "feb", "mar")[number // 28 % 3]) for number in range(100)]
    weekdays = [("mon", "tue", "wed", "thu", "fri")[number // 3 % 5] for number in range(100)]
    file = dated.write(tmp_path / "calls.csv", dates, weekdays)
    for rule in (PARTS, WEEKDAYS):
        contract = dated.contract(call_date=rule)
        whole = days(file, contract)
        with monkeypatch.context() as patch:
            patch.setattr(reader, "read", functools.partial(reader.read, block_bytes=bytes_))
            assert days(file, contract) == whole


def test_a_column_of_dates_is_no_feature(tmp_path):
    file = tmp_path / "calls.csv"
    file.write_text("when,age,bought\n2008-05-05,30,yes\n2008-05-05,31,no\n2010-11-17,32,no\n")
    contract = parse(
        "name: c\ntitle: c\nrow_order: date\nnumeric: {age: {unit: years, min: 0, max: 120}}\n"
        "label: {name: bought, positive: yes, negative: no}\ncall_date: {column: when}\n",
        "c.yaml",
    )
    assert days(file, contract) == ["2008-05-05", "2008-05-05", "2010-11-17"]
    assert contract.features() == ("age",)
    file.write_text("when,age,bought\n2008-05-05,30,yes\n5 May,31,no\n")
    with pytest.raises(BadFileError, match=r"calls.csv:3: column 'when': got '5 May', expected a date such as"):
        days(file, contract)


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        ([(7, "jan"), (5, "jan")], r":3: column 'day': got '2008-01-05', expected a date from 2008-01-07 on"),
        ([(1, "jan"), (30, "feb")], r":3: column 'day': got '30', expected a day of 2008-02"),
        ([(1, "jan"), (1, "jan"), (0, "jan")], r":4: column 'day': got '0.0', expected a whole number from 1 to 31"),
        ([(1, "jan"), (1, "Brumaire")], r":3: column 'month': got 'Brumaire', expected one of jan, feb"),
    ],
)
def test_a_row_without_a_date_is_named_with_its_line(tmp_path, dates, said):
    with pytest.raises(BadFileError, match=said):
        days(dated.write(tmp_path / "calls.csv", dates))


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    file = tmp_path / "calls.csv"
    file.write_text('age,day,month,weekday,bought\n\n1,7,"jan",mon,yes\n\n2,8,jan,mon,no\n3,5,jan,mon,no\n')
    with pytest.raises(BadFileError, match=r"calls.csv:6: column 'day'"):
        days(file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"call_date": {"month": "month"}}, "expected column, or month, year: inferred, and day or day_of_week"),
        ({"call_date": {"column": "when", "day": "day"}}, "column stands alone"),
        ({"call_date": {**PARTS, "day": "date"}}, "call_date: 'date' is not a declared feature"),
        ({"call_date": {"column": "age"}}, "'age' is declared elsewhere"),
        ({"call_date": None}, "derived: list_size needs call_date"),
        ({"row_order": "none"}, "call_date needs row_order: date"),
        ({"at_call": ["month"]}, "in more than one: month"),
        ({"derived": None, "call_date": None, "modelling": {"half_life_days": 90}}, "half_life_days needs call_date"),
    ],
)
def test_a_contract_that_cannot_date_its_rows_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        dated.contract(**changes)


def test_real_files_have_the_dates_of_their_publisher(real_data):
    found = columns.read(real_data / "bank-full.csv", load("bank-full"))[CALL_DAY]
    first, last = found[[0, -1]].astype("datetime64[D]").astype(str)
    assert (first, last, len(np.unique(found))) == ("2008-05-05", "2010-11-17", 561)


def test_the_approximate_dates_of_the_other_file_are_of_the_same_months(real_data):
    found = columns.read(real_data / "bank-additional-full.csv", load("bank-additional"))[CALL_DAY]
    months = np.unique(found.astype("datetime64[D]").astype("datetime64[M]"))
    assert (str(months[0]), str(months[-1])) == ("2008-05", "2010-11")


def test_an_unknown_key_is_named():
    with pytest.raises(BadContractError, match=r"call_date.months: unknown key .did you mean 'month'"):
        parse("name: c\ntitle: c\ncall_date: {months: m}\n", "c.yaml")
