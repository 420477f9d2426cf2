"""The two encodings of raw customers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import yeojohnson
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from data import contract as contracts
from modules import schema
from modules.segments import transform
from modules.segments.config import SegmentConfig

CONTRACT = contracts.parse(
    """
name: shop
title: customers of a shop
numeric:
  spent: {unit: euros, min: 0, max: 100000}
  visits: {unit: visits, min: 0, max: 1000, integer: true, blank: true}
  days: {unit: days, min: 0, max: 999, integer: true, missing: -1}
categorical:
  size: {values: [small, medium, large], ordered: true, blank: true}
  month: {values: [jan, feb, mar, apr], cyclic: true}
  city: {values: [Köln, Bonn, Ulm]}
  paid: {values: ["0", "1"]}
views:
  all: {columns: [spent, visits, days, size, month, city, paid]}
""",
    "shop.yaml",
)
COLUMNS = CONTRACT.views["all"].columns
LAYOUT = transform.Layout.of(CONTRACT, COLUMNS)


def customers(rows: int = 400, seed: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)

    def texts(*values: str) -> np.ndarray:
        return np.array([value.encode() for value in values], object)[random.integers(len(values), size=rows)]

    visits = random.poisson(5, rows).astype(np.float32)
    visits[random.random(rows) < 0.2] = np.nan
    days = random.integers(0, 300, rows).astype(np.float32)
    days[random.random(rows) < 0.3] = -1
    return {
        "spent": random.lognormal(4, 1, rows).astype(np.float32),
        "visits": visits,
        "days": days,
        "size": texts("small", "medium", "large", ""),
        "month": texts("jan", "feb", "mar", "apr"),
        "city": texts("Köln", "Bonn", "Ulm"),
        "paid": texts("0", "1"),
    }


def exact(rows: dict[str, np.ndarray], scaling: str = "rank-normal"):
    return transform.exact(rows, CONTRACT, COLUMNS, scaling)


def feature(encoded, column: str) -> np.ndarray:
    return encoded.features[:, encoded.owners == encoded.columns.index(column)]


def test_ranks_make_any_number_normal():
    spent = feature(exact(customers(4_000)), "spent")[:, 0]
    assert abs(spent.mean()) < 0.01
    assert abs(spent.std() - 1.0) < 0.02
    assert abs(np.mean(spent**3)) < 0.05


def test_standard_scaling_keeps_the_shape_of_a_number():
    rows = customers(4_000)
    spent = feature(exact(rows, "standard"), "spent")[:, 0]
    np.testing.assert_allclose(spent, (rows["spent"] - rows["spent"].mean()) / rows["spent"].std(), atol=1e-4)


def test_without_scaling_a_number_keeps_its_unit_and_a_missing_one_is_average():
    rows = customers()
    encoded = exact(rows, "none")
    np.testing.assert_allclose(np.diff(feature(encoded, "spent")[:, 0]), np.diff(rows["spent"]), rtol=1e-3, atol=1e-3)
    assert (feature(encoded, "visits")[np.isnan(rows["visits"]), 0] == 0.0).all()


def test_yeo_johnson_is_close_to_the_power_that_scipy_finds():
    rows = customers(4_000)
    standard = (rows["spent"] - rows["spent"].mean()) / rows["spent"].std()
    reference, _ = yeojohnson(standard.astype(np.float64))
    spent = feature(exact(rows, "yeo-johnson"), "spent")[:, 0]
    assert np.corrcoef(spent, reference)[0, 1] > 0.999


@pytest.mark.parametrize("scaling", ["rank-normal", "yeo-johnson", "standard"])
def test_a_missing_number_is_average_and_marked(scaling):
    rows = customers()
    encoded = exact(rows, scaling)
    visits = feature(encoded, "visits")
    missing = np.isnan(rows["visits"])
    assert (visits[missing] == [0.0, 1.0]).all()
    assert (visits[~missing, 1] == 0.0).all()
    days = feature(encoded, "days")
    assert (days[rows["days"] == -1] == [0.0, 1.0]).all()
    assert np.isnan(encoded.gower[missing, encoded.columns.index("visits")]).all()


def test_two_categories_lie_at_distance_one():
    rows = customers()
    city = feature(exact(rows), "city")
    other = np.flatnonzero(rows["city"] != rows["city"][0])[0]
    assert np.linalg.norm(city[0] - city[other]) == pytest.approx(1.0)


def test_ordered_categories_lie_on_a_line_and_cyclic_ones_on_a_circle():
    rows = customers()
    size = feature(exact(rows), "size")
    places = {text: size[rows["size"] == text.encode()][0, 0] for text in ("small", "medium", "large")}
    assert places == {"small": -1.0, "medium": 0.0, "large": 1.0}
    month = feature(exact(rows), "month")
    np.testing.assert_allclose(np.linalg.norm(month, axis=1), 1.0, atol=1e-6)


def test_an_unknown_category_is_no_category_of_training():
    rows = customers()
    strange = {**rows, "city": np.full(400, b"Rom", object), "size": np.full(400, b"huge", object)}
    encoded = exact(strange)
    assert (feature(encoded, "city") == 0.0).all()
    assert (encoded.gower[:, encoded.columns.index("city")] == -1).all()
    assert np.isnan(encoded.gower[:, encoded.columns.index("size")]).all()


def test_the_order_of_columns_in_the_view_does_not_matter():
    rows = customers()
    turned = transform.exact(rows, CONTRACT, COLUMNS[::-1], "rank-normal")
    np.testing.assert_array_equal(turned.features, exact(rows).features)


@pytest.mark.parametrize("scaling", ["rank-normal", "yeo-johnson", "standard"])
def test_the_unit_of_a_number_does_not_matter(scaling):
    rows = customers()
    cents = {**rows, "spent": rows["spent"] * np.float32(100 / 2**10) + np.float32(7)}
    np.testing.assert_allclose(exact(cents, scaling).features, exact(rows, scaling).features, atol=0.02)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    number=st.floats(width=32) | st.just(-1.0),
    text=st.sampled_from([b"", b"Bonn", b"never heard of", "größer".encode(), b"\xff\x00"]),
    scaling=st.sampled_from(["rank-normal", "yeo-johnson", "standard"]),
)
def test_hostile_values_give_finite_features(number, text, scaling):
    rows = customers(40)
    grid = transform.exact_quantiles(rows, LAYOUT.numbers)
    moments = transform.Moments(tf.constant([1.0, 2.0, 3.0]), tf.constant([1.0, 1.0, 0.5]))
    hostile = {name: tf.constant([number if name in CONTRACT.numeric else text]) for name in COLUMNS}
    encoded = transform.rows(transform.encode(hostile, grid, moments, LAYOUT, scaling), LAYOUT)
    assert np.isfinite(encoded.features).all()
    present = encoded.gower[~np.isnan(encoded.gower)]
    assert ((present >= -1) & (present < 4)).all()


@pytest.mark.parametrize("scaling", ["rank-normal", "yeo-johnson", "standard"])
def test_transform_encodes_as_columns_in_memory_are_encoded(tmp_path, scaling):
    rows = customers()
    document = CONTRACT.model_dump() | {"views": {"all": {"columns": COLUMNS, "scaling": scaling}}}
    config = SegmentConfig(contracts.Contract.model_validate(document), "all").to_config()
    metadata = dataset_metadata.DatasetMetadata(schema.from_contract(CONTRACT))
    names = list(schema_utils.schema_as_feature_spec(metadata.schema).feature_spec)
    records = [dict(zip(names, row, strict=True)) for row in zip(*(rows[name] for name in names), strict=True)]
    with tft_beam.Context(temp_dir=str(tmp_path)):
        (data, _), _ = (records, metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: transform.preprocessing_fn(inputs, config)
        )
    expected = exact(rows, scaling)
    np.testing.assert_allclose([record["features"] for record in data], expected.features, atol=0.03)
    np.testing.assert_allclose([record["gower"] for record in data], expected.gower, atol=0.01)
