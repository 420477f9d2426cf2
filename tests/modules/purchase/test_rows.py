"""The size of the list may be missing in use, so some training rows lack it."""

import numpy as np

from data import contract as contracts
from modules.purchase.rows import WITHOUT_LIST_SIZE, partly_without_list_size

CONTRACT = contracts.load("bank-full")
ROWS = 20_000


def _columns():
    sizes = {name: np.arange(ROWS, dtype=np.float32) for name in CONTRACT.derived_columns}
    return {**sizes, "age": np.full(ROWS, 40.0, np.float32), "y": np.zeros(ROWS, np.int64)}


def test_some_rows_lack_the_plan_others_the_past_volume_and_few_lack_both():
    columns = _columns()
    changed = partly_without_list_size(columns, CONTRACT, seed=1)
    today, week, month = (np.isnan(changed[name]) for name in ("calls_today", "calls_7d", "calls_30d"))
    np.testing.assert_array_equal(week, month)
    for blank in (today, week):
        assert abs(blank.mean() - WITHOUT_LIST_SIZE) < 0.01
    assert abs((today & week).mean() - WITHOUT_LIST_SIZE**2) < 0.005
    np.testing.assert_array_equal(changed["calls_today"][~today], columns["calls_today"][~today])
    assert changed["age"] is columns["age"]
    assert not np.isnan(columns["calls_today"]).any()


def test_a_contract_without_list_size_keeps_its_rows():
    columns = _columns()
    changed = partly_without_list_size(columns, CONTRACT.model_copy(update={"derived": None}), seed=1)
    assert all(changed[name] is columns[name] for name in columns)
