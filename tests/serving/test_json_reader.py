"""JSON is read as rapidjson reads it: same values, same errors, same offsets."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.errors import ServingError
from serving.rest.json_reader import Members, _Parser, parse
from tests.support.properties import RELAXED

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


def plain(value):
    """A parsed value as `json.loads` would give it."""
    if isinstance(value, Members):
        return {key: plain(inner) for key, inner in value}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


@RELAXED
@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_reads_what_the_standard_library_reads(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert plain(parse(text.encode())) == value


@RELAXED
@given(VALUES, st.data())
def test_a_cut_text_is_an_error_at_its_end(value, data):
    text = json.dumps([value]).encode()
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    with pytest.raises(ServingError, match=r"JSON Parse error: .* at offset: "):
        parse(cut)


@RELAXED
@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_an_error_with_an_offset_inside(body):
    try:
        parse(body)
    except ServingError as error:
        message = error.message
    else:
        return
    assert message == "JSON Parse error: The document is empty" or 0 <= int(message.rsplit(" ", 1)[1]) <= len(body)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        (b"[1] rest", [1]),
        (b"[-0]", [0]),
        (b"[18446744073709551615]", [2**64 - 1]),
        (b"[18446744073709551616]", [float(2**64)]),
        (b"[1e308, 1e-400]", [1e308, 0.0]),
        (b"[Infinity, -Inf]", [math.inf, -math.inf]),
        (b'["\xff"]', ["\udcff"]),
        (b'["\\ud83d\\ude00\\u00e9\\/"]', ["😀é/"]),
        (b'["\\udc00"]', ["\udced\udcb0\udc80"]),
    ],
)
def test_reads_what_rapidjson_reads_beyond_the_standard(text, value):
    assert parse(text) == value


def test_a_key_given_twice_is_kept_twice_and_found_once():
    members = parse(b'{"a": 1, "b": 2, "a": 3}')
    assert members == [("a", 1), ("b", 2), ("a", 3)]
    assert members.find("a") == 1


def test_depth_is_not_limited():
    value = parse(b"[" * 100_000 + b"]" * 100_000)
    assert isinstance(value, list)


@pytest.mark.parametrize("text", [b"[1e309]", b"[1e99999999999999999999]", b"[1" + b"0" * 400 + b"]"])
def test_numbers_beyond_a_double_are_refused(text):
    with pytest.raises(ServingError, match=r"Number too big to be stored in double\. at offset: 1$"):
        parse(text)


@RELAXED
@given(st.binary(max_size=40) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_the_quick_start_changes_nothing(body):
    def outcome(read):
        try:
            return repr(read())
        except ServingError as error:
            return error.message

    slow = _Parser(body.partition(b"\0")[0].decode("utf-8", "surrogateescape"), 0)
    if body and not body.startswith((b"\xef", b"\xbb", b"\xbf")):
        assert outcome(lambda: parse(body)) == outcome(slow.parse)
