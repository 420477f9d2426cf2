"""A plan gives one value to all customers of a list."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import contract as contracts
from data import plan as plans
from data import reader
from data.contract import Contract, Role
from data.errors import BadFileError, BadOptionError, MissingColumnsError


def calls(**changes) -> Contract:
    return Contract.model_validate(
        {
            "name": "calls",
            "title": "Calls",
            "numeric": {
                "age": {"unit": "years", "min": 16, "max": 110, "integer": True},
                "day": {"unit": "day of month", "min": 1, "max": 31, "integer": True},
                "gap": {"unit": "days", "min": 0, "max": 900, "missing": -1, "blank": True},
                "length": {"unit": "seconds", "min": 0, "max": 900},
            },
            "categorical": {
                "job": {"values": ["clerk", "chef"]},
                "month": {"values": ["may", "jun"]},
                "channel": {"values": ["phone", "letter"], "blank": True},
            },
            "after_call": ["length"],
            "at_call": ["day", "gap", "month", "channel"],
            **changes,
        }
    )


PLAN = {"day": "15", "gap": "-1", "month": "may", "channel": ""}


def read(path, contract, plan, block_bytes=reader.BLOCK_BYTES):
    """Values by row, cells by row and bad rows of a whole file."""
    values, cells, bad = [], [], []
    for block in reader.read(path, contract, Role.CUSTOMERS, block_bytes, plan):
        assert block.batch.schema == reader.schema(contract, Role.CUSTOMERS)
        values += block.batch.to_pylist()
        cells += block.cells.to_pylist()
        bad += block.bad
    return values, cells, bad


def test_planned_columns_that_the_file_lacks_are_filled(write):
    values, cells, bad = read(write("job,age\nclerk,41\nchef,x\nchef,30\n"), calls(), PLAN)
    planned = {"day": 15.0, "gap": -1.0, "month": "may", "channel": ""}
    assert values == [{"age": 41.0, "job": "clerk", **planned}, {"age": 30.0, "job": "chef", **planned}]
    assert cells == [{"job": "clerk", "age": "41", **PLAN}, {"job": "chef", "age": "30", **PLAN}]
    assert [row.line for row in bad] == [3]


def test_the_plan_wins_over_a_column_of_the_file_whose_cells_do_not_matter(write):
    path = write("day,job,age,gap,month,channel\n,clerk,41,1,june,phone\n40,chef,30,,may,?\n")
    values, cells, bad = read(path, calls(), {"day": "15", "month": "jun"})
    assert bad == []
    assert [(row["day"], row["month"], row["channel"]) for row in values] == [(15, "jun", "phone"), (15, "jun", "?")]
    assert [*cells[0].items()][:2] == [("day", "15"), ("job", "clerk")]
    assert cells[1]["month"] == "jun"


def test_what_neither_file_nor_plan_has_is_named(write):
    with pytest.raises(MissingColumnsError, match=r"missing 'channel', 'day'$") as error:
        read(write("job,age,gap,month\nclerk,41,1,may\n"), calls(), {})
    assert error.value.columns == ("channel", "day")
    with pytest.raises(MissingColumnsError, match=r"missing 'age' \(did you mean 'aged'\?\)$"):
        read(write("job,aged\nclerk,41\n"), calls(), PLAN)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("month", "mai", "column 'month': got 'mai', expected one of may, jun (did you mean 'may'?)"),
        ("month", "", "column 'month': got '', expected one of may, jun"),
        ("channel", "fax", "column 'channel': got 'fax', expected one of phone, letter or a blank"),
        ("day", "32", "column 'day': got '32', expected a whole number from 1 to 31"),
        ("day", "1.5", "column 'day': got '1.5', expected a whole number from 1 to 31"),
        ("day", "", "column 'day': got '', expected a whole number from 1 to 31"),
        ("gap", "-2", "column 'gap': got '-2', expected a number from 0 to 900, -1 for no value or a blank"),
        ("mnth", "may", "column 'mnth' cannot be planned (did you mean 'month'?); expected one of day, gap, month"),
        ("age", "41", "column 'age' cannot be planned; expected one of day"),
        ("length", "41", "column 'length' cannot be planned; expected one of day"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_column_value_and_rule(column, value, message):
    with pytest.raises(BadOptionError) as error:
        plans.values(calls(), {column: value})
    assert message in str(error.value)


def test_a_contract_that_does_not_know_at_call_lets_every_input_but_one_be_planned(write):
    contract = contracts.from_inputs("model", {"age": False, "month": True})
    assert plans.values(contract, {"month": "any"}) == {"month": "any"}
    assert math.isnan(plans.values(contract, {"age": ""})["age"])
    with pytest.raises(BadOptionError, match=r"got 'old', expected a number or a blank$"):
        plans.values(contract, {"age": "old"})
    with pytest.raises(BadOptionError, match="expected UTF-8 text"):
        plans.values(contract, {"month": "m\udcfc"})
    with pytest.raises(BadOptionError, match="at least one must come from the list"):
        plans.values(contract, {"age": "1", "month": "x"})
    assert plans.values(calls(at_call=[]), {"age": "41"}) == {"age": 41.0}


def test_texts_of_a_command_line_make_a_plan():
    assert plans.parse(["month=may", "note=a=b", "channel="]) == {"month": "may", "note": "a=b", "channel": ""}
    for texts, message in (
        (["month"], "got 'month', expected COLUMN=VALUE"),
        (["=may"], "got '=may', expected COLUMN=VALUE"),
        (["month=may", "month=jun"], "column 'month' is given twice"),
    ):
        with pytest.raises(BadOptionError, match=message):
            plans.parse(texts)


CELLS = {
    "age": st.sampled_from(["41", "16", "x", "", "1e1", '"3']),
    "job": st.sampled_from(["clerk", "chef", "", "a, b", 'say "x"', "two\nlines"]),
    "day": st.sampled_from(["1", "15", "31", " 7 ", "3e0"]),
    "gap": st.sampled_from(["0", "-1", "", "899.5", ".5"]),
    "month": st.sampled_from(["may", "jun"]),
    "channel": st.sampled_from(["phone", "letter", ""]),
}


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_planned_list_reads_as_the_list_with_the_value_in_each_row(write, data):
    """Whether the file lacks the planned columns or has others cells in them, and for any size of the blocks."""
    names = data.draw(st.permutations([*CELLS]))
    planned = data.draw(st.lists(st.sampled_from(["day", "gap", "month", "channel"]), min_size=1, unique=True))
    plan = {name: data.draw(CELLS[name]) for name in planned}
    rows = data.draw(st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=8))
    present = {name for name in names if name not in plan or data.draw(st.booleans())}

    def file(names, rows, name):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([names, *([row[name] for name in names] for row in rows)])
        return write(text.getvalue(), name)

    full = file(names, [{**row, **plan} for row in rows], "full.csv")
    short = file([name for name in names if name in present], rows, "short.csv")
    expected = read(full, calls(), {})
    values, cells, bad = read(short, calls(), plan, data.draw(st.integers(20, 400)))
    assert repr(values) == repr(expected[0])
    assert [Counter(row.items()) for row in cells] == [Counter(row.items()) for row in expected[1]]
    assert [(row.line, row.column, row.value) for row in bad] == [
        (row.line, row.column, row.value) for row in expected[2]
    ]


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.sampled_from([*CELLS, "other"]), st.text(max_size=6)))
def test_any_plan_is_read_or_refused_in_words(plan):
    contract = calls()
    try:
        values = plans.values(contract, plan)
    except BadOptionError as error:
        named = str(error)
    else:
        assert values.keys() == plan.keys() <= {*contract.at_call}
        return
    assert any(repr(column) in named for column in plan)


def test_a_list_without_rows_is_still_refused(write):
    with pytest.raises(BadFileError, match="no rows"):
        read(write("job,age\n"), calls(), PLAN)
