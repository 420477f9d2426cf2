"""Numbers, texts and white space come out as TensorFlow Serving prints them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from serving.errors import ServingError
from serving.rest import json_writer
from serving.rest.json_reader import parse
from tests.support.properties import RELAXED


def reference(value: float, kind: type) -> str:
    """The rule as the contract words it."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{float(value):.6g}"
    with np.errstate(over="ignore"):
        reads_back = kind(text) == value
    if not reads_back:
        text = f"{float(value):.9g}" if kind is np.float32 else f"{float(value):.17g}"
    return text if "." in text or "e" in text else text + ".0"


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("repeat", [1, 100])
@given(data=st.data())
def test_floats_follow_the_rule_in_short_and_long_arrays(kind, repeat, data):
    width = np.dtype(kind).itemsize * 8
    numbers = st.floats(width=width) | st.integers(-(10**10), 10**10).map(float)
    rounded = st.builds(lambda digits, power: digits * 10.0**power, st.integers(-9999999, 9999999), st.integers(-9, 9))
    with np.errstate(over="ignore"):
        values = np.array(data.draw(st.lists(numbers | rounded, min_size=1, max_size=8)), kind)
    expected = [reference(value, kind) for value in values]
    assert json_writer.float_tokens(np.tile(values, repeat)) == expected * repeat


@RELAXED
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_reads_back_and_keeps_what_needs_no_escape(text):
    quoted = json_writer.quote(text)
    assert json.loads(quoted, strict=True) == text
    assert ("/" in text) == ("/" in quoted)
    assert "\\u00e9" not in quoted


SHAPES = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))


@RELAXED
@given(arrays.arrays(np.int64, SHAPES), arrays.arrays(np.bool_, st.just((2, 2))))
def test_answers_are_the_tensors(three, two):
    columnar = json.loads(json_writer.predict_columns({"a": three, "b": two}))
    assert columnar == {"outputs": {"a": three.tolist(), "b": two.tolist()}}
    assert json.loads(json_writer.predict_columns({"a": three})) == {"outputs": three.tolist()}
    assert json.loads(json_writer.predict_rows({"a": three})) == {"predictions": three.tolist()}
    rows = [{"x": x, "y": y} for x, y in zip(two.tolist(), two.tolist(), strict=True)]
    assert json.loads(json_writer.predict_rows({"x": two, "y": two})) == {"predictions": rows}


def test_bytes_are_written_as_base64_objects_at_their_depth():
    values = np.array([[b"a", b"b"]], dtype=object)
    assert json_writer.predict_rows({"raw_bytes": values}).decode() == (
        '{\n    "predictions": [[{\n                "b64": "YQ=="\n            }, '
        '{\n                "b64": "Yg=="\n            }]\n    ]\n}'
    )


def test_an_output_name_may_hold_any_character():
    outputs = {'50% "off"': np.array([1.5], np.float32), "b": np.array([2], np.int32)}
    assert json.loads(json_writer.predict_rows(outputs)) == {"predictions": [{'50% "off"': 1.5, "b": 2}]}


def test_an_unknown_element_type_is_an_error():
    with pytest.raises(ServingError, match="Failed to write JSON value for tensor type: half"):
        json_writer.predict_columns({"a": np.zeros(2, np.float16)})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"[1, 2.50, null, true]", "[1, 2.5, null, true]"),
        (b'{"a": {}, "b": [[]]}', '{\n    "a": {},\n    "b": [[]]\n}'),
        (
            b"[1e21, 1e20, 1e-7, 0.000001, 18446744073709551616]",
            "[1e21, 100000000000000000000.0, 1e-7, 0.000001, 18446744073709552000.0]",
        ),
        (b"[1, NaN, 2]", "[1, "),
    ],
)
def test_a_request_is_echoed_as_rapidjson_prints_it(text, shown):
    assert json_writer.echo(parse(text)) == shown


def test_an_echo_is_cut():
    assert 256 <= len(json_writer.echo(list(range(1000)))) < 270


SEGMENTS = {
    "distance": np.array([0.5], np.float32),
    "membership": np.array([[0.75, 0.25]], np.float32),
    "name": np.array(["Über 53".encode()], object),
    "outlier": np.array([False]),
    "segment": np.array([0], np.int64),
}


def test_texts_truth_values_and_vectors_stand_side_by_side():
    assert (
        json_writer.predict_rows(SEGMENTS).decode()
        == """{
    "predictions": [
        {
            "distance": 0.5,
            "membership": [0.75, 0.25],
            "name": "Über 53",
            "outlier": false,
            "segment": 0
        }
    ]
}"""
    )
    assert (
        json_writer.predict_columns(SEGMENTS).decode()
        == """{
    "outputs": {
        "distance": [
            0.5
        ],
        "membership": [
            [
                0.75,
                0.25
            ]
        ],
        "name": [
            "Über 53"
        ],
        "outlier": [
            false
        ],
        "segment": [
            0
        ]
    }
}"""
    )
