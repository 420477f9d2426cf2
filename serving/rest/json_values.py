"""The JSON values of a request: their shapes and types, checked with TensorFlow Serving's messages."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from serving.errors import Code, ServingError, invalid_argument
from serving.rest import dtypes
from serving.rest.json_reader import ABSENT, Members, parse
from serving.rest.json_writer import echo

MAX_RANK = 32
"""Deeper nesting is refused, because numpy has no such arrays; TensorFlow's own limit is 254."""
NUMBER_KINDS = frozenset((int, float))


def parse_object(body: bytes) -> Members:
    """Parses the request body, which must be a JSON object."""
    document = parse(body)
    if not isinstance(document, Members):
        raise format_error(document, "Is not object")
    return document


def signature_name(document: Members) -> str:
    """`signature_name`, or "" where it is not given."""
    name = document.find("signature_name")
    if name is ABSENT:
        return ""
    if not isinstance(name, str):
        raise format_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return name


def format_error(value: Any, text: str) -> ServingError:
    """An error whose message repeats the value."""
    return invalid_argument(f"JSON Value: {echo(value)} {text}")


def is_array(value: Any) -> bool:
    return isinstance(value, list) and not isinstance(value, Members)


def is_base64(value: Any) -> bool:
    """Whether the value is `{"b64": "<text>"}` with that single key."""
    return isinstance(value, Members) and len(value) == 1 and value[0][0] == "b64" and isinstance(value[0][1], str)


def is_named(value: Any) -> bool:
    return isinstance(value, Members) and not is_base64(value)


def shape_of(value: Any, name: str) -> tuple[int, ...]:
    """The shape according to the first element of each level."""
    shape: list[int] = []
    while is_array(value):
        if len(shape) == MAX_RANK - 1:
            raise invalid_argument(f"tensor parsing error: {name}")
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def fill(value: Any, level: int, shape: tuple[int, ...], dtype: int, values: list[Any]) -> None:
    """Appends the scalars of a nested list, which must have the given shape."""
    rank = len(shape)
    if not is_array(value):
        if level != rank:
            raise invalid_argument(
                f"JSON Value: {echo(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {rank}"
            )
        values.append(_scalar(value, dtype))
        return
    if level >= rank:
        raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for element in value:
        fill(element, level + 1, shape, dtype, values)


def _scalar(value: Any, dtype: int) -> Any:
    if isinstance(value, Members):
        if dtype != dtypes.STRING:
            raise _type_error(value, dtype)
        return decode_base64(value)
    if dtype not in dtypes.NUMPY:
        raise ServingError(Code.UNIMPLEMENTED, f"Conversion of JSON Value: {echo(value)} to type: {dtypes.name(dtype)}")
    if dtype == dtypes.STRING and isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if dtype == dtypes.STRING:
        right = False
    elif dtype == dtypes.BOOL:
        right = isinstance(value, bool)
    elif dtype in dtypes.FLOATS:
        right = type(value) in NUMBER_KINDS
    else:
        low, high = dtypes.INTEGER_RANGE[dtype]
        right = type(value) is int and low <= value <= high
    if not right:
        raise _type_error(value, dtype)
    return value


def _type_error(value: Any, dtype: int) -> ServingError:
    return format_error(value, f"Type: {type_name(value)} is not of expected type: {dtypes.name(dtype)}")


def type_name(value: Any) -> str:
    """The JSON type as error messages name it."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, Members):
        return "Object"
    if isinstance(value, list):
        return "Array"
    return "String" if isinstance(value, str) else "Number"


def decode_base64(value: Members) -> bytes:
    """The bytes of a `{"b64": text}` object; padding may be left out.

    Raises:
      ServingError: INVALID_ARGUMENT where it is another object or not base64.
    """
    if not is_base64(value):
        raise format_error(value, "not formatted correctly for base64 data")
    text = value[0][1].encode("utf-8", "surrogateescape").translate(None, b" \t\r\n\v\f").rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise invalid_argument("Unable to base64 decode") from None
