"""Preprocessing of raw rows: by TFX Transform itself on one contract, by the same graph with plain quantiles on all."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from data import contract as contracts
from data.contract import Contract, Modelling
from modules import encoding
from modules.purchase import transform
from modules.purchase.config import TrainingConfig

SHOP = Contract.model_validate(
    {
        "name": "shop",
        "title": "A data set no code has ever seen",
        "numeric": {
            "spent": {"unit": "crowns", "min": 0, "max": 1000, "blank": True, "bins": 6},
            "visits": {"unit": "visits", "min": 0, "max": 50, "integer": True, "missing": -1},
            "floor": {"unit": "storey", "min": 1, "max": 4, "integer": True, "one_hot": True},
            "never": {"unit": "nothing", "min": 0, "max": 1, "blank": True},
        },
        "categorical": {
            "size": {"values": ["small", "medium", "größer"], "ordered": True},
            "season": {"values": ["spring", "summer", "autumn", "winter"], "cyclic": True, "blank": True},
            "returned": {"values": ["no", "yes"]},
        },
        "label": {"name": "again", "positive": "ja", "negative": "nein"},
        "after_call": ["returned"],
        "crosses": [["floor", "season"]],
    }
)
_LOADED = {path.stem: contracts.load(path) for path in contracts.CONTRACTS.glob("*.yaml")}
CONTRACTS = {"shop": SHOP, **{name: contract for name, contract in _LOADED.items() if contract.label}}
# Columns of the shop's features, without those known only after the call, in order.
SIZE, SEASON, POSITIONS, SPENT, FLOOR, CROSS, SCORES = (
    slice(*ends) for ends in itertools.pairwise((0, 3, 8, 11, 17, 21, 41, 45))
)
CODES, MISSING = slice(45, 45 + 4 * transform.BINS), slice(45 + 4 * transform.BINS, None)


def _config(contract, with_after_call=False):
    return TrainingConfig(contract, with_after_call).to_config()


def _rows(contract, count=300, seed=0):
    """Rows as a contract allows them, with its missing values, all columns and the label."""
    generator = np.random.default_rng(seed)
    rows = {}
    for name, column in contract.numeric.items():
        values = generator.uniform(column.min, column.max, count).astype(np.float32)
        values = np.round(values) if column.integer else values
        if column.missing is not None:
            values[::3] = column.missing
        if column.blank:
            values[::4] = np.nan
        if name == "never":
            values[:] = np.nan
        rows[name] = values
    for name, column in contract.categorical.items():
        rows[name] = generator.choice(np.array(column.domain, object), count)
    rows[contract.label.name] = generator.integers(0, 2, count)
    return rows


def _tensors(rows):
    return {name: tf.constant(values) for name, values in rows.items()}


@pytest.fixture
def plain_quantiles(monkeypatch):
    """Stands in for the analyzer outside a pipeline; a number that is always missing has quantiles of 0."""

    def quantiles(values, num_buckets, epsilon, weights, reduce_instance_dims):
        levels = np.arange(1, num_buckets) / num_buckets
        columns = [column[~np.isnan(column)] for column in values.numpy()[:-1].T]
        grid = [np.quantile(column if len(column) else [0.0], levels, method="inverted_cdf") for column in columns]
        return tf.constant(np.array(grid), tf.float32)

    monkeypatch.setattr(tft, "quantiles", quantiles)


def _fitted(function, rows, folder):
    """The graph that TFX Transform fits to rows for a preprocessing function."""
    spec = {
        name: tf.io.FixedLenFeature([], tf.string if values.dtype == object else tf.as_dtype(values.dtype))
        for name, values in rows.items()
    }
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    records = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    with tft_beam.Context(temp_dir=str(folder / "temporary")):
        graph = (records, metadata) | tft_beam.AnalyzeDataset(function)
        graph | tft_beam.WriteTransformFn(str(folder / "output"))
    return tft.TFTransformOutput(str(folder / "output"))


@pytest.fixture(scope="module")
def transformed(tmp_path_factory):
    """300 rows of the shop, and the graph that TFX Transform fits to them."""
    rows = _rows(SHOP)
    graph = _fitted(
        lambda inputs: transform.preprocessing_fn(inputs, _config(SHOP)), rows, tmp_path_factory.mktemp("transform")
    )
    return rows, graph


def test_the_pipelines_graph_gives_what_plain_quantiles_give(transformed, plain_quantiles):
    rows, output = transformed
    expected = transform.preprocessing_fn(_tensors(rows), _config(SHOP))[transform.FEATURES].numpy()
    result = output.transform_features_layer()(_tensors(rows))
    assert set(result) == {transform.FEATURES, transform.LABEL}
    features = result[transform.FEATURES].numpy()
    for exact in (slice(0, SCORES.start), MISSING):
        np.testing.assert_array_equal(features[:, exact], expected[:, exact])
    # The sketch of a few rows may be off by a row or two, which moves an edge.
    np.testing.assert_allclose(features[:, SCORES], expected[:, SCORES], atol=0.3)
    totals, expected_totals = (values[:, CODES].reshape(300, 4, -1).sum(axis=2) for values in (features, expected))
    np.testing.assert_allclose(totals, expected_totals, atol=1.0)
    np.testing.assert_array_equal(result[transform.LABEL], rows["again"].astype(np.float32))


def test_estimated_and_exact_quantiles_agree_within_the_rank_error(tmp_path):
    rows = _rows(SHOP, 4_000)
    exact = encoding.exact_quantiles(rows, transform.numbers(SHOP))

    def estimate(inputs):
        grid = encoding.quantiles(inputs, SHOP.numeric)
        return {"grid": tf.repeat(grid[tf.newaxis], tf.shape(inputs["spent"])[0], axis=0)}

    row = {name: values[:1] for name, values in _tensors(rows).items()}
    estimated = _fitted(estimate, rows, tmp_path).transform_features_layer()(row)["grid"].numpy()[0]
    assert estimated.shape == exact.shape
    levels = np.arange(1, encoding.GRID + 1) / (encoding.GRID + 1)
    for index, values in enumerate(encoding.clipped(_tensors(rows), SHOP.numeric).numpy().T[:3]):
        present = np.sort(values[~np.isnan(values)])
        for grid, error in ((exact, 1 / len(present)), (estimated, encoding.EPSILON + 1 / len(present))):
            below, upto = (np.searchsorted(present, grid[index], side) / len(present) for side in ("left", "right"))
            assert (below - error <= levels).all()
            assert (levels <= upto + error).all()
    assert not exact[3].any()
    assert not estimated[3].any()


def test_the_pipelines_graph_runs_in_a_tf1_session_on_one_row_and_on_many(transformed):
    rows, output = transformed
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        inputs = {name: tf.compat.v1.placeholder(tf.as_dtype(rows[name].dtype), [None]) for name in SHOP.features()}
        features = output.transform_raw_features(inputs)[transform.FEATURES]
        assert features.shape[1] is not None
        assert not session.run(tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS))
        for count in (1, 300):
            values = session.run(features, {inputs[name]: rows[name][:count] for name in inputs})
            assert values.shape == (count, features.shape[1])


@pytest.mark.parametrize("with_after_call", [False, True])
@pytest.mark.parametrize("name", CONTRACTS)
def test_every_contract_gives_finite_features_of_one_length(name, with_after_call, plain_quantiles):
    rows, config = _rows(CONTRACTS[name]), _config(CONTRACTS[name], with_after_call)
    features = transform.preprocessing_fn(_tensors(rows), config)[transform.FEATURES].numpy()
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert np.abs(features).max() < 5.0
    columns = CONTRACTS[name].features(with_after_call)
    reduced = {column: rows[column][:1] for column in columns}
    single = transform.preprocessing_fn(_tensors(reduced), config)
    assert set(single) == {transform.FEATURES}
    assert single[transform.FEATURES].shape == (1, features.shape[1])


GRID = np.tile(np.linspace(0.0, 50.0, encoding.GRID, dtype=np.float32), (4, 1))


def _encode(grid=GRID, **changes):
    row = {"spent": 20.0, "visits": 3.0, "floor": 2.0, "never": 1.0, "size": "small", "season": "summer", **changes}
    tensors = {
        name: tf.constant([value], tf.string if isinstance(value, str) else tf.float32) for name, value in row.items()
    }
    return transform.encode(tensors, tf.constant(grid), SHOP).numpy()[0]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    numbers=st.tuples(*[st.floats(width=32) | st.just(-1.0)] * 3),
    texts=st.tuples(*[st.text() | st.sampled_from(["small", "winter"])] * 2),
)
def test_hostile_values_give_finite_features(numbers, texts):
    changes = dict(zip(["spent", "visits", "floor"], numbers, strict=True))
    texts = (text.encode("utf-8", "replace").decode() for text in texts)
    features = _encode(**changes, **dict(zip(["size", "season"], texts, strict=True)))
    assert np.isfinite(features).all()
    assert np.abs(features).max() < 5.0


def test_a_known_value_has_its_own_column_and_an_unseen_one_has_none():
    known, unseen = _encode(size="größer", season="winter"), _encode(size="gigantic", season="monsoon")
    np.testing.assert_array_equal(known[SIZE], [0, 0, 1])
    assert not unseen[SIZE].any()
    assert not unseen[SEASON].any()


def test_a_blank_is_a_value_where_cells_may_be_blank_and_unknown_elsewhere():
    blank = _encode(size="", season="")
    np.testing.assert_array_equal(blank[SEASON], [0, 0, 0, 0, 1])
    assert not blank[SIZE].any()


def test_order_and_cycle_are_positions_and_what_is_unknown_or_blank_lies_in_the_middle():
    np.testing.assert_allclose(_encode(size="medium", season="summer")[POSITIONS], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(_encode(size="größer", season="spring")[POSITIONS], [1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(_encode(size="gigantic", season="")[POSITIONS], [0, 0, 0], atol=1e-6)


def test_a_binned_number_marks_its_bin_and_none_where_it_is_missing():
    # The quantiles rise evenly from 0 to 50, so each of six bins begins 10 above the one before.
    bins = [np.flatnonzero(_encode(spent=value)[SPENT]).tolist() for value in (-5.0, 9.9, 10.1, 49.0, 1e30)]
    assert bins == [[0], [0], [1], [4], [5]]
    assert not _encode(spent=float("nan"))[SPENT].any()


def test_a_binned_number_with_few_values_has_a_bin_for_each():
    grid = GRID.copy()
    grid[0] = np.repeat([1.0, 2.0, 7.0, 9.0], encoding.GRID // 4)
    bins = [np.flatnonzero(_encode(grid, spent=value)[SPENT]).tolist() for value in (1.0, 2.0, 7.0, 9.0)]
    assert len({*map(tuple, bins)}) == 4
    assert all(len(marked) == 1 for marked in bins)


def test_one_hot_numbers_and_crosses_mark_the_one_combination():
    features = _encode(floor=3.0, season="autumn")
    np.testing.assert_array_equal(features[FLOOR], [0, 0, 1, 0])
    assert np.flatnonzero(features[CROSS]).tolist() == [2 * 5 + 2]
    assert not _encode(floor=3.0, season="monsoon")[CROSS].any()
    assert not _encode(floor=float("nan"))[CROSS].any()


@pytest.mark.parametrize(("column", "value", "place"), [("spent", float("nan"), 0), ("visits", -1.0, 1)])
def test_blanks_and_markers_are_missing_values_not_numbers(column, value, place):
    present, missing = _encode(), _encode(**{column: value})
    assert not present[MISSING].any()
    assert np.flatnonzero(missing[MISSING]).tolist() == [place]
    assert missing[SCORES][place] == 0.0
    assert not missing[CODES].reshape(4, -1)[place].any()


def test_codes_rise_with_the_number_and_add_up_to_its_place_among_the_edges():
    totals = [_encode(spent=value)[CODES].reshape(4, -1)[0].sum() for value in (0.0, 12.5, 25.0, 50.0, 1e30)]
    np.testing.assert_allclose(totals, np.array([0.0, 0.25, 0.5, 1.0, 1.0]) * transform.BINS, rtol=0.01)
    scores = [_encode(spent=value)[SCORES][0] for value in (0.0, 25.0, 50.0)]
    np.testing.assert_allclose(scores, [-2.9, 0.0, 2.9], atol=0.05)


def test_a_value_that_most_rows_share_does_not_eat_the_bins():
    grid = np.zeros_like(GRID)
    grid[1, -10:] = np.arange(1, 11)
    totals = [_encode(grid, visits=value)[CODES].reshape(4, -1)[1].sum() for value in (0.0, 3.0, 4.0, 10.0)]
    # Eleven distinct values need ten of the bins, one for each step.
    np.testing.assert_allclose(totals, [0.0, 3.0, 4.0, 10.0])


def test_rows_do_not_depend_on_their_neighbours(plain_quantiles):
    rows = _tensors(_rows(SHOP, 50))
    whole = transform.encode(rows, tf.constant(GRID), SHOP).numpy()
    parts = [transform.encode({k: v[i : i + 1] for k, v in rows.items()}, tf.constant(GRID), SHOP) for i in range(50)]
    np.testing.assert_allclose(whole, np.concatenate(parts), atol=1e-6)


@pytest.mark.parametrize("kept", ["numeric", "categorical"])
def test_a_contract_may_have_columns_of_one_kind_only(kept, plain_quantiles):
    empty = {"numeric": {}, "categorical": {}, "modelling": Modelling(), "after_call": (), kept: getattr(SHOP, kept)}
    contract = SHOP.model_copy(update=empty)
    features = transform.preprocessing_fn(_tensors(_rows(contract)), _config(contract))[transform.FEATURES]
    assert np.isfinite(features).all()
