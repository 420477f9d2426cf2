"""List size: how many calls there were on the day of a call, and before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import columns, plan, reader
from data.contract import LIST_SIZE, Role, from_inputs
from data.csv_parts import divide_all
from data.errors import BadOptionError
from data.list_size import Volume, scan
from tests.support import dated


@given(st.lists(st.integers(0, 60), min_size=1, max_size=200))
def test_calls_are_counted_by_day_and_over_the_days_before(dates):
    dates = np.array(sorted(dates))
    found = Volume.of(dates).columns(dates)
    for row, day in enumerate(dates):
        assert found["calls_today"][row] == np.sum(dates == day)
        assert found["calls_7d"][row] == np.sum((dates >= day - 7) & (dates < day))
        assert found["calls_30d"][row] == np.sum((dates >= day - 30) & (dates < day))


def test_a_scan_of_several_files_counts_what_one_file_would(tmp_path):
    dates = [(1 + number // 7 % 28, ("jan", "feb", "mar", "dec")[number // 196 % 4]) for number in range(1_000)]
    contract = dated.contract()
    whole = scan(divide_all([dated.write(tmp_path / "all.csv", dates)], contract, Role.TRAINING), contract)
    parts = [dated.write(tmp_path / f"{start}.csv", dates[start : start + 300]) for start in (0, 300, 600, 900)]
    found = scan(divide_all(parts, contract, Role.TRAINING), contract)
    assert whole.volume.days.tolist() == found.volume.days.tolist()
    assert whole.volume.calls.tolist() == found.volume.calls.tolist()
    read = columns.read(tmp_path / "all.csv", contract)
    for name, column in whole.volume.columns(read["call_day"]).items():
        assert read[name].tolist() == column.tolist()


def test_derived_columns_are_features_that_no_file_has(tmp_path):
    contract = dated.contract()
    assert contract.features() == ("age", "calls_today", "calls_7d", "calls_30d")
    assert contract.columns(Role.CUSTOMERS) == ("age",)
    assert set(contract.with_calendar().features()) == {*contract.features(), "day", "month", "weekday"}
    assert contract.with_calendar().planned == ("day", "month", "weekday", "calls_today", "calls_7d", "calls_30d")
    assert type(contract).model_validate_json(contract.model_dump_json()) == contract


def test_a_list_gets_its_size_by_the_plan_and_else_has_none(tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("id,age\na,30\nb,40\n")
    contract = dated.contract()
    (block,) = reader.read(file, contract, Role.CUSTOMERS, plan={"calls_today": "120"})
    assert block.batch.schema.names == ["age", "calls_today", "calls_7d", "calls_30d"]
    assert block.batch["calls_today"].to_pylist() == [120, 120]
    assert np.isnan(block.batch["calls_30d"].to_numpy()).all()
    assert block.cells is not None
    assert block.cells["calls_today"].to_pylist() == ["120", "120"]
    with pytest.raises(BadOptionError, match="calls_today"):
        plan.values(contract, {"calls_today": "many"})


def test_a_list_that_has_the_columns_keeps_them_unless_they_are_planned(tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("age,calls_today,calls_30d\n30,120,\n40,20,900\n")
    contract = dated.contract()
    (block,) = reader.read(file, contract, Role.CUSTOMERS)
    assert block.batch["calls_today"].to_pylist() == [120, 20]
    assert np.isnan(block.batch["calls_30d"].to_numpy()).tolist() == [True, False]
    assert np.isnan(block.batch["calls_7d"].to_numpy()).all()
    (block,) = reader.read(file, contract, Role.CUSTOMERS, plan={"calls_today": "60"})
    assert block.batch["calls_today"].to_pylist() == [60, 60]
    file.write_text("age,calls_today\n30,many\n")
    (block,) = reader.read(file, contract, Role.CUSTOMERS)
    assert [(bad.column, bad.value) for bad in block.bad] == [("calls_today", "many")]


def test_a_served_model_that_takes_the_size_of_the_list_asks_no_file_for_it(tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("age,channel\n30,phone\n")
    contract = from_inputs("m", {"age": False, "channel": True, **dict.fromkeys(LIST_SIZE, False)})
    (block,) = reader.read(file, contract, Role.CUSTOMERS, plan={"calls_today": "20", "channel": "mail"})
    (row,) = block.batch.to_pylist()
    assert (row["age"], row["calls_today"], row["channel"]) == (30, 20, "mail")
    assert np.isnan(row["calls_7d"])
