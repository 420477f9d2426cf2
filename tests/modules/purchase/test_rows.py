"""A split is read and encoded; some training rows lack the size of the list, which may be missing in use."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from data import columns as tables
from data import contract as contracts
from modules.purchase import rows as loading
from modules.purchase import transform
from modules.purchase.config import TrainingConfig
from modules.purchase.rows import WITHOUT_LIST_SIZE, EncodedRows, load, without_list_size
from tests.support.training import train_and_export

CONTRACT = contracts.load("bank-full")
ROWS = 20_000


def _columns():
    sizes = {name: np.arange(ROWS, dtype=np.float32) for name in CONTRACT.derived_columns}
    return {**sizes, "age": np.full(ROWS, 40.0, np.float32), "y": np.zeros(ROWS, np.int64)}


def test_some_rows_lack_the_plan_others_the_past_volume_and_few_lack_both():
    columns = _columns()
    changed = without_list_size(columns, CONTRACT, seed=1)
    today, week, month = (np.isnan(changed[name]) for name in ("calls_today", "calls_7d", "calls_30d"))
    np.testing.assert_array_equal(week, month)
    for blank in (today, week):
        assert abs(blank.mean() - WITHOUT_LIST_SIZE) < 0.01
    assert abs((today & week).mean() - WITHOUT_LIST_SIZE**2) < 0.005
    np.testing.assert_array_equal(changed["calls_today"][~today], columns["calls_today"][~today])
    assert set(changed) == set(CONTRACT.derived_columns)
    assert not np.isnan(columns["calls_today"]).any()


def test_a_contract_without_list_size_keeps_its_rows():
    assert without_list_size(_columns(), CONTRACT.model_copy(update={"derived": None}), seed=1) == {}


@pytest.fixture(scope="module")
def split(sample_csv, tmp_path_factory):
    """2,000 rows of the sample as a file of tf.Examples, their columns, the settings and the Transform graph."""
    folder = tmp_path_factory.mktemp("split")
    columns = {name: column[:2_000] for name, column in tables.read(sample_csv, CONTRACT).items()}
    config = TrainingConfig(CONTRACT, seed=3)
    preprocessing, nothing = transform.preprocessing_fn, lambda fn_args: None
    train_and_export(folder, CONTRACT, preprocessing, nothing, config.to_config(), columns, columns)
    return [str(folder / "train")], columns, config, tft.TFTransformOutput(str(folder / "transform"))


def test_many_rows_are_encoded_when_they_are_read_and_to_the_same_features(split, monkeypatch):
    patterns, columns, config, graph = split
    whole = load(patterns, config, graph, training=True).rows
    monkeypatch.setattr(loading, "MOST_BYTES", 0)
    later = load(patterns, config, graph, training=True).rows
    assert isinstance(whole.features, np.ndarray)
    assert isinstance(later.features, EncodedRows)
    assert later.features.shape == whole.features.shape == (2_000, len(transform.layout(CONTRACT).owners))
    some = np.array([1_999, 0, 7])
    np.testing.assert_array_equal(later.features[some], whole.features[some])
    np.testing.assert_array_equal(later.features[:10], whole.features[:10])
    np.testing.assert_array_equal(later.label, columns["y"])


def test_the_features_are_those_of_the_raw_rows(split):
    patterns, columns, config, graph = split
    raw = {name: tf.constant(columns[name]) for name in config.features}
    expected = graph.transform_features_layer()(raw)[transform.FEATURES]
    np.testing.assert_array_equal(load(patterns, config, graph).rows.features, expected)


def test_a_sample_keeps_the_order_and_the_whole_of_a_row(split):
    patterns, columns, config, graph = split
    sampled = load(patterns, config, graph, most_rows=50)
    assert sampled.raw.rows == len(sampled.rows.label) == 50
    found = {
        tuple(row) for row in zip(*(sampled.raw[name].tolist() for name in ("age", "job", "balance", "y")), strict=True)
    }
    given = {
        tuple(row) for row in zip(*(columns[name].tolist() for name in ("age", "job", "balance", "y")), strict=True)
    }
    assert found <= given
    assert load(patterns, config, graph, most_rows=2_000).raw.rows == 2_000
