"""Rows get a warning where the model has not learned from such values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from analysis import profile
from campaigns import lists
from campaigns.row_warnings import RowWarnings
from data import contract as contracts
from data import reader
from data.contract import Role
from tests.support.customers import CONTRACT, synthetic

COLUMNS = synthetic(rows=500)


@pytest.fixture(scope="module")
def trained() -> profile.Profile:
    columns = {**COLUMNS, "job": np.array(["services", "student"] * 250, object)}
    columns["age"] = np.linspace(18, 95, 500).astype(np.float32)
    return profile.build(columns, np.zeros(500, np.float32), CONTRACT, CONTRACT.features(), "probability")


def batch(**cells) -> pa.RecordBatch:
    """One row with the first training row's values, except for some cells."""
    schema = reader.schema(CONTRACT, Role.CUSTOMERS)
    row = {name: COLUMNS[name][0] for name in CONTRACT.features()} | {"job": "student", "age": 40.0} | cells
    return pa.RecordBatch.from_arrays([pa.array([row[field.name]], field.type) for field in schema], schema=schema)


RULES = lists.of_list(CONTRACT)


@pytest.mark.parametrize(
    ("cells", "warnings"),
    [
        ({}, ()),
        ({"job": "astronaut"}, ("job: 'astronaut' was not seen in training",)),
        ({"job": "retired"}, ("job: 'retired' was not seen in training",)),
        ({"job": ""}, ("job: missing",)),
        ({"age": float("nan")}, ("age: missing",)),
        ({"age": 150.0}, ("age: 150 is outside the contract's 16 to 110",)),
        ({"age": 100.0}, ("age: 100 is outside the 18 to 95 of training",)),
        ({"age": 18.0}, ()),
        ({"age": 17.0}, ("age: 17 is outside the 18 to 95 of training",)),
        ({"pdays": -1.0}, ()),
        ({"calls_today": float("nan"), "calls_7d": float("nan"), "calls_30d": float("nan")}, ()),
        ({"calls_today": 5000.0}, ("calls_today: 5000 is outside the ",)),
        ({"age": 5.0, "job": "x" * 99}, ("age: 5 is outside the contract's 16 to 110", f"job: '{'x' * 57}...' was")),
    ],
)
def test_a_row_that_differs_from_training_is_said_to(trained, cells, warnings):
    (found,) = RowWarnings(RULES, trained).of(batch(**cells))
    assert len(found) == len(warnings)
    assert all(text.startswith(start) for text, start in zip(found, warnings, strict=True))


def test_without_a_profile_the_contract_says_what_is_usual():
    warnings = RowWarnings(RULES, None)
    assert warnings.of(batch(age=100.0)) == [()]
    assert warnings.of(batch(job="astronaut")) == [("job: 'astronaut' is not a value of the contract",)]


def test_a_contract_of_inputs_only_knows_what_is_missing():
    inputs = {name: name in CONTRACT.categorical for name in CONTRACT.features()}
    warnings = RowWarnings(contracts.from_inputs("purchase-model", inputs), None)
    assert warnings.of(batch(age=5000.0, job="astronaut")) == [()]
    assert warnings.of(batch(job="")) == [("job: missing",)]
