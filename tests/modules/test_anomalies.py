"""Anomalies become lines a person can act on."""

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2

from data import contract as contracts
from data.contract import CALL_DAY
from modules.anomalies import describe
from modules.schema import from_contract


@pytest.fixture
def customers():
    import pandas as pd

    contract = contracts.load("bank-full")
    rows = 50
    numbers = {name: [float(max(column.min, 1))] * rows for name, column in contract.numeric.items()}
    numbers["age"] = [40.0] * rows
    texts = {name: [column.values[0].encode()] * rows for name, column in contract.categorical.items()}
    return pd.DataFrame({**numbers, **texts, "y": [0] * rows, CALL_DAY: [14_000] * rows})


def anomalies(customers, tmp_path) -> list[str]:
    schema = from_contract(contracts.load("bank-full"))
    statistics = tfdv.generate_statistics_from_dataframe(customers, tfdv.StatsOptions(schema=schema), n_jobs=1)
    anomalies_of_split: anomalies_pb2.Anomalies = tfdv.validate_statistics(statistics, schema)
    folder = tmp_path / "Split-train"
    folder.mkdir()
    (folder / "SchemaDiff.pb").write_bytes(anomalies_of_split.SerializeToString())
    return describe(str(tmp_path))


def test_rows_that_keep_the_contract_have_none(customers, tmp_path):
    assert anomalies(customers, tmp_path) == []


def test_an_unknown_category_is_named(customers, tmp_path):
    customers.loc[3, "job"] = b"astronaut"
    (line,) = anomalies(customers, tmp_path)
    assert line.startswith("train: column 'job'")
    assert "astronaut" in line


def test_numbers_out_of_range_are_named(customers, tmp_path):
    customers.loc[3, "age"] = -5.0
    customers.loc[4, "campaign"] = 1e6
    lines = anomalies(customers, tmp_path)
    assert [line.split(":")[1].strip() for line in lines] == ["column 'age'", "column 'campaign'"]


def test_the_missing_marker_is_no_anomaly_but_a_blank_is_where_none_is_allowed(customers, tmp_path):
    customers.loc[0, "pdays"] = -1.0
    customers.loc[1, "balance"] = float("nan")
    (line,) = anomalies(customers, tmp_path)
    assert "'balance'" in line
