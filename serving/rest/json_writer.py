"""Writes responses as TensorFlow Serving does: its number format, its escapes and its white space.

Numbers: `%.6g`, or `%.9g` (float32) and `%.17g` (float64) where six digits do not read back as the same value, then
`.0` where neither a point nor an exponent shows. This is not the shortest form that `repr` gives.
White space is that of rapidjson's PrettyWriter: four blanks a level; arrays inside a row stand on one line.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np

from serving.errors import invalid_argument
from serving.rest.json_reader import Members

BYTES_SUFFIX = "_bytes"
"""String outputs whose names end with this are written in base64."""

_INDENT = "    "
_SPECIAL = re.compile(r'["\\\x00-\x1f]')
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INTEGERS = {np.dtype(name) for name in ("int8", "uint8", "int16", "int32", "int64", "uint32", "uint64")}
_TYPE_NAMES = {"float16": "half"}


def quote(text: str) -> str:
    """A JSON string literal; only `"`, `\\` and control characters are escaped."""
    return f'"{_SPECIAL.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _SHORT_ESCAPES.get(char) or f"\\u{ord(char):04X}"


def encode(text: str) -> bytes:
    """Encodes text; bytes of a request that are not UTF-8 are sent back unchanged."""
    return text.encode("utf-8", "surrogateescape")


def error_body(message: str) -> bytes:
    """`{"error": message}` as TensorFlow Serving prints it."""
    return encode(f'{{\n    "error": {quote(message)}\n}}')


def predict_rows(outputs: Mapping[str, np.ndarray]) -> bytes:
    """The response to a row request: `{"predictions": [...]}`.

    Args:
      outputs: by name, each [batch, ...]; a single one is written without its name.

    Raises:
      ServingError: INVALID_ARGUMENT where an output has no batch dimension or another batch size than the first, or
        has an element type that the REST API does not know.
    """
    return _predictions(list(outputs), _row_texts(outputs))


def split_rows(outputs: Mapping[str, np.ndarray], sizes: Sequence[int]) -> list[bytes]:
    """The responses to row requests that shared a run.

    Args:
      outputs: by name, each [batch, ...].
      sizes: rows of each request; their sum is the batch.

    Raises:
      ServingError: as `predict_rows`, and where the batch has another size.
    """
    texts = _row_texts(outputs)
    if len(texts[0]) != sum(sizes):
        raise invalid_argument(f"{sum(sizes)} rows went in and {len(texts[0])} came out")
    answers = []
    start = 0
    for size in sizes:
        answers.append(_predictions(list(outputs), [column[start : start + size] for column in texts]))
        start += size
    return answers


def _row_texts(outputs: Mapping[str, np.ndarray]) -> list[list[str]]:
    """The JSON text of each row, for each output."""
    batch = -1
    for name, values in outputs.items():
        if values.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if batch not in (-1, values.shape[0]):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {values.shape[0]} expecting: {batch}"
            )
        batch = values.shape[0]
    depth = 3 if len(outputs) > 1 else 2
    return [_row_values(name, values, depth) for name, values in outputs.items()]


def _predictions(names: Sequence[str], texts: Sequence[Sequence[str]]) -> bytes:
    batch = len(texts[0])
    if batch == 0:
        return b'{\n    "predictions": []\n}'
    if len(names) == 1:
        return encode('{\n    "predictions": [' + ", ".join(texts[0]) + "\n    ]\n}")
    members = ",\n".join(f"            {quote(name)}: ".replace("%", "%%") + "%s" for name in names)
    rows = ",\n".join(["        {\n" + members + "\n        }"] * batch)
    flat = tuple(chain.from_iterable(zip(*texts, strict=True)))
    return encode('{\n    "predictions": [\n' + rows % flat + "\n    ]\n}")


def predict_columns(outputs: Mapping[str, np.ndarray]) -> bytes:
    """The response to a columnar request: `{"outputs": ...}`.

    Args:
      outputs: by name, of any shape; a single one is written without its name.

    Raises:
      ServingError: INVALID_ARGUMENT for an element type that the REST API does not know.
    """
    if len(outputs) == 1:
        ((name, values),) = outputs.items()
        return encode('{\n    "outputs": ' + _block(name, values, 1) + "\n}")
    members = ",\n".join(f"        {quote(name)}: {_block(name, values, 2)}" for name, values in outputs.items())
    return encode('{\n    "outputs": {\n' + members + "\n    }\n}")


def classifications(labels: Sequence[Sequence[str]], scores: np.ndarray) -> bytes:
    """The response to `:classify`: `{"results": [[[label, score], ...], ...]}`.

    Args:
      labels: [batch][classes].
      scores: float32 [batch, classes].
    """
    tokens = iter(float_tokens(scores.reshape(-1)))
    rows = ("[" + ", ".join(f"[{quote(label)}, {next(tokens)}]" for label in row) + "]" for row in labels)
    return encode('{\n    "results": [' + ", ".join(rows) + "\n    ]\n}")


def regressions(values: np.ndarray) -> bytes:
    """The response to `:regress`: `{"results": [value, ...]}` of float32 [batch]."""
    return encode('{\n    "results": [' + ", ".join(float_tokens(values)) + "]\n}")


def _row_values(name: str, values: np.ndarray, depth: int) -> list[str]:
    """One JSON text for each row of an output, nested lists on one line."""
    texts = tokens(name, values, depth + values.ndim - 1)
    return _nest(texts, values.shape, 1, lambda items, _: "[" + ", ".join(items) + "]")


def _block(name: str, values: np.ndarray, depth: int) -> str:
    """A whole tensor, each scalar on its own line."""

    def lines(items: Sequence[str], axis: int) -> str:
        if not items:
            return "[]"
        inner = "\n" + _INDENT * (depth + axis + 1)
        return "[" + inner + ("," + inner).join(items) + "\n" + _INDENT * (depth + axis) + "]"

    return _nest(tokens(name, values, depth + values.ndim), values.shape, 0, lines)[0]


def _nest(
    texts: list[str], shape: tuple[int, ...], outermost: int, write: Callable[[Sequence[str], int], str]
) -> list[str]:
    """Joins the elements of each list, innermost axis first, down to the axis `outermost`."""
    for axis in range(len(shape) - 1, outermost - 1, -1):
        size = shape[axis]
        groups = math.prod(shape[:axis])
        texts = [write(texts[group * size : (group + 1) * size], axis) for group in range(groups)]
    return texts


def tokens(name: str, values: np.ndarray, depth: int = 0) -> list[str]:
    """The JSON texts of a tensor's elements in row-major order.

    Args:
      name: the output's, which decides whether strings are written in base64.
      values: of any shape; strings as `bytes` objects.
      depth: how many lists and objects an element stands in, for the indentation of base64 objects.

    Raises:
      ServingError: INVALID_ARGUMENT for an element type that the REST API does not know.
    """
    flat = values.reshape(-1)
    kind = flat.dtype
    if kind in (np.float32, np.float64):
        return float_tokens(flat)
    if kind == np.bool_:
        return ["true" if value else "false" for value in flat.tolist()]
    if kind in _INTEGERS:
        return list(map(str, flat.tolist()))
    if kind == np.object_:
        if name.endswith(BYTES_SUFFIX):
            start, end = "{\n" + _INDENT * (depth + 1) + '"b64": "', '"\n' + _INDENT * depth + "}"
            return [start + base64.b64encode(value).decode() + end for value in flat.tolist()]
        return [quote(value.decode("utf-8", "surrogateescape")) for value in flat.tolist()]
    raise invalid_argument(f"Failed to write JSON value for tensor type: {_TYPE_NAMES.get(kind.name, kind.name)}")


def float_tokens(values: np.ndarray) -> list[str]:
    """The JSON texts of a flat float32 or float64 array."""
    single = values.dtype == np.float32
    if values.size < 64:  # where array operations cost more than they save
        return [_float_token(value, single) for value in values.tolist()]
    with np.errstate(all="ignore"):
        wide = values.astype(np.float64)
        magnitude = np.abs(wide)
        # In this range scaling by a power of ten is exact, so `rounded` is what the six digits read back as.
        easy = (magnitude >= 1e-15) & (magnitude < 1e15)
        exponent = 5.0 - np.floor(np.log10(np.where(easy, magnitude, 1.0)))
        up, down = 10.0 ** np.maximum(exponent, 0.0), 10.0 ** np.maximum(-exponent, 0.0)
        rounded = np.rint(wide * up / down) * down / up
        short = rounded.astype(values.dtype) == values
        whole = wide == np.rint(wide)
    # Written without an exponent and without a point, a number gets the point here.
    bare = whole & (magnitude < np.where(short, 1e6, 1e9 if single else 1e17))
    formats = _FORMATS[values.dtype.type][(2 * short + bare).astype(np.intp)].tolist()
    if easy.all():
        return ("\n".join(formats) % tuple(wide.tolist())).split("\n")
    return [
        form % value if plain else _float_token(value, single)
        for form, value, plain in zip(formats, wide.tolist(), easy.tolist(), strict=True)
    ]


_FORMATS = {
    np.float32: np.array(["%.9g", "%.9g.0", "%.6g", "%.6g.0"], dtype=object),
    np.float64: np.array(["%.17g", "%.17g.0", "%.6g", "%.6g.0"], dtype=object),
}


def _float_token(value: float, single: bool) -> str:
    if value != value:
        return "NaN"
    if value in (math.inf, -math.inf):
        return "Infinity" if value > 0 else "-Infinity"
    token = f"{value:.6g}"
    if not _reads_back(token, value, single):
        token = f"{value:.9g}" if single else f"{value:.17g}"
    return token if "." in token or "e" in token else token + ".0"


def _reads_back(token: str, value: float, single: bool) -> bool:
    number = float(token)
    if single:
        try:
            (number,) = _FLOAT32.unpack(_FLOAT32.pack(number))
        except OverflowError:  # six digits may round up beyond the largest float32
            return False
    return number == value


_FLOAT32 = struct.Struct("f")
_ECHO_LIMIT = 256
"""About how many bytes of a request an error message shows."""


def echo(value: Any) -> str:
    """A parsed JSON value as an error message shows it: pretty-printed and cut near 256 bytes."""
    writer = _Echo()
    writer.write(value)
    return "".join(writer.parts)


class _Echo:
    """rapidjson's PrettyWriter, which stops at the first event after the limit and at NaN or Infinity."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.size = 0
        self.depth = 0

    def put(self, text: str) -> None:
        self.parts.append(text)
        self.size += len(encode(text))

    def write(self, value: Any, prefix: str = "") -> bool:
        """Writes a separator and a value, and returns whether there is room for more."""
        if self.size >= _ECHO_LIMIT:
            return False
        self.put(prefix)
        if isinstance(value, Members):
            return self._write_object(value)
        if isinstance(value, list):
            return self._write_array(value)
        if isinstance(value, float) and not math.isfinite(value):
            return False
        self.put(_echo_scalar(value))
        return True

    def _write_object(self, members: Members) -> bool:
        self.put("{")
        self.depth += 1
        separator = "\n"
        for key, value in members:
            if not self.write(key, separator + _INDENT * self.depth) or not self.write(value, ": "):
                return False
            separator = ",\n"
        self.depth -= 1
        if self.size >= _ECHO_LIMIT:
            return False
        self.put("\n" + _INDENT * self.depth + "}" if members else "}")
        return True

    def _write_array(self, items: list) -> bool:
        self.put("[")
        self.depth += 1
        separator = ""
        for item in items:
            if not self.write(item, separator):
                return False
            separator = ", "
        self.depth -= 1
        if self.size >= _ECHO_LIMIT:
            return False
        self.put("]")
        return True


def _echo_scalar(value: Any) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, float):
        return _echo_double(value)
    if value is None:
        return "null"
    return str(value).lower()


def _echo_double(value: float) -> str:
    """A finite double as rapidjson prints it: the shortest digits, with an exponent from 1e21 and below 1e-6 on."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    if not text:
        return "-0.0" if sign else "0.0"
    exponent = int(exponent) + len(digits) - len(text)
    point = len(text) + exponent
    if exponent >= 0 and point <= 21:
        text = text + "0" * exponent + ".0"
    elif 0 < point <= 21:
        text = text[:point] + "." + text[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + text
    else:
        text = text[0] + ("." + text[1:] if len(text) > 1 else "") + f"e{point - 1}"
    return "-" + text if sign else text
