"""The quick reader of predict requests agrees with the exact one, or leaves the request to it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import ServingError
from serving.rest import dtypes, predict_request, row_reader
from serving.rest.row_reader import RowReader
from tests.support.properties import RELAXED

SCALARS = (
    st.integers(-10, 300)
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.text(max_size=3)
    | st.just({"b64": "aGk="})
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
NAMES = st.sampled_from(["a", "b", "c"])
SIGNATURES = st.dictionaries(NAMES, st.sampled_from(sorted(dtypes.NUMPY)), min_size=1, max_size=2)
INSTANCES = st.lists(st.dictionaries(NAMES, VALUES, max_size=3) | VALUES, max_size=4)
DOCUMENTS = st.fixed_dictionaries(
    {}, optional={"instances": INSTANCES | VALUES, "inputs": st.dictionaries(NAMES, VALUES) | VALUES}
)


def same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    def texts(values: np.ndarray) -> list:
        return [value.encode() if isinstance(value, str) else value for value in values.reshape(-1).tolist()]

    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and left[name].shape == right[name].shape
        and all(a == b or (a != a and b != b) for a, b in zip(texts(left[name]), texts(right[name]), strict=True))
        for name in left
    )


@settings(RELAXED, max_examples=400)
@given(DOCUMENTS, SIGNATURES)
def test_both_readers_give_the_same_tensors(document, inputs):
    body = json.dumps(document).encode()
    loaded = row_reader.loads(body)
    quick = None if loaded is None else row_reader.read(loaded, RowReader(inputs))
    try:
        _, exact = predict_request.read(body, lambda name: inputs)
    except ServingError:
        assert quick is None
        return
    if quick is not None:
        assert quick.row_format == exact.row_format
        assert same(quick.inputs, exact.inputs)


@settings(RELAXED, max_examples=300)
@given(INSTANCES.filter(bool), SIGNATURES)
def test_rows_for_shared_runs_are_the_same_tensors(instances, inputs):
    body = json.dumps({"instances": instances}).encode()
    loaded = row_reader.loads(body)
    reader = RowReader(inputs)
    rows = None if loaded is None else reader.rows(loaded["instances"])
    if rows is not None:
        _, exact = predict_request.read(body, lambda name: inputs)
        assert same(dict(zip(reader.names, reader.tensors(rows), strict=True)), exact.inputs)


def customer(**changes):
    return {"age": 41, "balance": 1.5, "job": "technician", **changes}


CUSTOMER = {"age": dtypes.FLOAT, "balance": dtypes.FLOAT, "job": dtypes.STRING}


@pytest.mark.parametrize("balance", [2.5, math.nan, math.inf])
def test_plain_customer_rows_take_the_quick_way(balance):
    document = {"instances": [customer(balance=balance), customer(job="née: 10:30 😀")]}
    body = json.dumps(document, ensure_ascii=False).encode()
    rows = RowReader(CUSTOMER).rows(row_reader.loads(body)["instances"])
    assert rows[1] == (41, 1.5, "née: 10:30 😀")
    assert rows[0][1] == balance or math.isnan(balance)


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [{"a": 1, "a": 2}]}',
        b'{"instances": [1], "inst\\u0061nces": [2]}',
        b'{"instances": [NaN, 1e400]}',
        b'{"instances": ["\\ud800", NaN]}',
        b'{"instances": [1]} trailing',
        b"[1]",
    ],
)
def test_doubtful_bodies_are_left_to_the_exact_reader(body):
    assert row_reader.loads(body) is None


def test_of_a_feature_given_twice_in_a_row_the_first_value_counts():
    _, request = predict_request.read(b'{"instances": [{"a": 1, "a": 9}, {"a": 2}]}', lambda name: {"a": dtypes.FLOAT})
    assert request.inputs["a"].tolist() == [1.0, 2.0]


def test_nesting_beyond_what_arrays_can_have_is_refused():
    body = b'{"inputs": ' + b"[" * 40 + b"1" + b"]" * 40 + b"}"
    with pytest.raises(ServingError, match="tensor parsing error: a"):
        predict_request.read(body, lambda name: {"a": dtypes.FLOAT})
