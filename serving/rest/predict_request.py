"""The body of a `:predict` request, row or columnar, turned into tensors.

Two readers give the same tensors. The quick one takes whole columns at a time and gives up, by returning None, on
whatever it is not sure about. The exact one goes value by value through what `json_reader` found, as TensorFlow
Serving does, and has its error messages.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from serving.errors import Code, ServingError, invalid_argument
from serving.rest import dtypes
from serving.rest.json_reader import ABSENT, MAY_MISREAD, Members, parse
from serving.rest.json_writer import echo

MAX_RANK = 32
"""Nesting beyond this is refused, as numpy has no such arrays; TensorFlow's own limit is 254."""


@dataclass(frozen=True)
class PredictRequest:
    """What to run and how to answer."""

    row_format: bool
    inputs: dict[str, np.ndarray]


# --- quick ----------------------------------------------------------------------------------------------------------


def loads(body: bytes) -> dict[str, Any] | None:
    """The body as a dict if it is plain JSON with no key given twice, else None."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        if b"NaN" not in body and b"Infinity" not in body:
            return None
        return _loads_extended(body)
    if type(document) is not dict:
        return None
    # Every member has a colon of its own, so as many colons as members means that no member was dropped.
    if body.count(b":") == _count_members(document):
        return document
    return _loads_extended(body)


def _loads_extended(body: bytes) -> dict[str, Any] | None:
    """Like `loads` for bodies with NaN, Infinity or colons in texts; a third as fast."""
    if MAY_MISREAD.search(body):
        return None
    try:
        document = json.loads(body.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        return None
    return document if type(document) is dict else None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is given twice")
    return members


def _count_members(document: dict[str, Any]) -> int:
    """Members of the objects at the places where a flat request has them."""
    count = len(document)
    for value in document.values():
        if type(value) is dict:
            count += len(value)
        elif type(value) is list and value and type(value[0]) is dict:
            try:
                count += sum(map(len, value))
            except TypeError:
                return -1
    return count


def read_quickly(document: dict[str, Any], reader: RowReader | None) -> PredictRequest | None:
    """The request in a document that `loads` returned; None if it is not certainly right."""
    if reader is None or ("instances" in document) == ("inputs" in document):
        return None
    if "inputs" in document:
        inputs = reader.whole(document["inputs"])
        return None if inputs is None else PredictRequest(False, inputs)
    instances = document["instances"]
    if type(instances) is not list or not instances:
        return None
    inputs = reader.columns(instances)
    return None if inputs is None else PredictRequest(True, inputs)


class RowReader:
    """Reads the `instances` of one signature column by column.

    Args:
      inputs: the signature's input names with their types.
    """

    def __init__(self, inputs: Mapping[str, int]):
        self.names = tuple(sorted(inputs))
        self.types = tuple(inputs[name] for name in self.names)
        self._values = itemgetter(*self.names)
        self._known_kinds: set[tuple[type, ...]] = set()
        self.supported = all(dtype in dtypes.NUMPY for dtype in self.types)

    def rows(self, instances: list[Any]) -> list[tuple] | None:
        """One tuple of scalars a row, in the order of `names`, checked for type; None if not certainly right."""
        count = len(self.names)
        if not self.supported:
            return None
        try:
            if count == 1:
                if type(instances[0]) is dict:
                    rows = [(self._values(instance),) for instance in instances]
                else:
                    rows = [(instance,) for instance in instances]
                    instances = ()
            else:
                rows = list(map(self._values, instances))
        except (KeyError, TypeError, IndexError):
            return None
        if any(type(instance) is not dict or len(instance) != count for instance in instances):
            return None
        for kinds in {tuple(map(type, row)) for row in rows}:
            if kinds not in self._known_kinds and not self._learn(kinds):
                return None
        return rows if self._in_range(rows) else None

    def columns(self, instances: list[Any]) -> dict[str, np.ndarray] | None:
        """The inputs by name, each [len(instances), ...]; None if not certainly right."""
        if not self.supported:
            return None
        try:
            if len(self.names) > 1:
                rows = list(map(self._values, instances))
                columns: Iterable[Sequence[Any]] = zip(*rows, strict=True)
            elif type(instances[0]) is dict:
                columns = [list(map(self._values, instances))]
            else:
                columns = [instances]
        except (KeyError, TypeError, IndexError):
            return None
        if columns != [instances] and (
            set(map(type, instances)) != {dict} or set(map(len, instances)) != {len(self.names)}
        ):
            return None
        return self._tensors(columns)

    def whole(self, inputs: Any) -> dict[str, np.ndarray] | None:
        """The inputs by name from a columnar request's `inputs`; None if not certainly right."""
        if not self.supported:
            return None
        if type(inputs) is dict:
            try:
                columns = [[inputs[name]] for name in self.names]
            except KeyError:
                return None
        elif len(self.names) == 1:
            columns = [[inputs]]
        else:
            return None
        tensors = self._tensors(columns)
        return tensors and {name: tensor[0] for name, tensor in tensors.items()}

    def tensors(self, rows: Sequence[tuple]) -> list[np.ndarray]:
        """What `rows` returned, as arrays [len(rows)] in the order of `names`."""
        shape = (len(rows),)
        return [
            dtypes.array(list(column), dtype, shape)
            for column, dtype in zip(zip(*rows, strict=True), self.types, strict=True)
        ]

    def _tensors(self, columns: Iterable[Sequence[Any]]) -> dict[str, np.ndarray] | None:
        tensors = {}
        for name, dtype, column in zip(self.names, self.types, columns, strict=True):
            tensor = _column(column, dtype)
            if tensor is None:
                return None
            tensors[name] = tensor
        return tensors

    def _learn(self, kinds: tuple[type, ...]) -> bool:
        if not all(kind in _KINDS[dtype] for kind, dtype in zip(kinds, self.types, strict=True)):
            return False
        if len(self._known_kinds) < 1024:
            self._known_kinds.add(kinds)
        return True

    def _in_range(self, rows: list[tuple]) -> bool:
        for position, dtype in enumerate(self.types):
            if dtype in dtypes.INTEGER_RANGE:
                low, high = dtypes.INTEGER_RANGE[dtype]
                if not all(low <= row[position] <= high for row in rows):
                    return False
        return True


_NUMBER_KINDS = frozenset((int, float))
_KINDS = {
    **dict.fromkeys(dtypes.FLOATS, _NUMBER_KINDS),
    **dict.fromkeys(dtypes.INTEGER_RANGE, frozenset((int,))),
    dtypes.BOOL: frozenset((bool,)),
    dtypes.STRING: frozenset((str,)),
}


def _column(values: Sequence[Any], dtype: int) -> np.ndarray | None:
    """Equal-shaped nested lists, [n, ...], as one tensor."""
    shape = [len(values)]
    flat = values
    first = values[0]
    while type(first) is list:
        size = len(first)
        if len(shape) > MAX_RANK - 1 or set(map(type, flat)) != {list} or set(map(len, flat)) != {size}:
            return None
        shape.append(size)
        flat = list(chain.from_iterable(flat))
        if not flat:
            break
        first = flat[0]
    if not set(map(type, flat)) <= _KINDS[dtype]:
        return None
    if dtype in dtypes.INTEGER_RANGE and flat:
        low, high = dtypes.INTEGER_RANGE[dtype]
        if min(flat) < low or max(flat) > high:
            return None
    return dtypes.array(list(flat), dtype, tuple(shape))


# --- exact ----------------------------------------------------------------------------------------------------------


def read(body: bytes, signature_inputs: Callable[[str], Mapping[str, int]]) -> tuple[str, PredictRequest]:
    """The signature's name and the request, or the error that TensorFlow Serving finds first.

    Args:
      body: the request body.
      signature_inputs: gives a signature's input names and types; it is asked at the point where TensorFlow Serving
        looks the model up, and raises ServingError where there is no such model or signature.

    Raises:
      ServingError: with TensorFlow Serving's code and message.
    """
    document = parse_object(body)
    name = signature_name(document)
    inputs = signature_inputs(name)
    if not inputs:
        raise invalid_argument(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    instances, columns = document.find("instances"), document.find("inputs")
    if instances is not ABSENT:
        if columns is not ABSENT:
            raise _format_error(
                document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
            )
        if not _is_array(instances):
            raise _format_error(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise _format_error(document, "No values in 'instances' array")
        return name, PredictRequest(True, _from_instances(instances, inputs))
    if columns is not ABSENT:
        return name, PredictRequest(False, _from_inputs(columns, inputs))
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def parse_object(body: bytes) -> Members:
    """The request body, which has to be a JSON object."""
    document = parse(body)
    if not isinstance(document, Members):
        raise _format_error(document, "Is not object")
    return document


def signature_name(document: Members) -> str:
    """`signature_name`, or "" where it is not given."""
    name = document.find("signature_name")
    if name is ABSENT:
        return ""
    if not isinstance(name, str):
        raise _format_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return name


def _format_error(value: Any, text: str) -> ServingError:
    return invalid_argument(f"JSON Value: {echo(value)} {text}")


class _Tensor:
    """One input while its values are collected."""

    def __init__(self, dtype: int):
        self.dtype = dtype
        self.values: list[Any] = []
        self.size = -1
        self.shape: tuple[int, ...] = ()

    def add(self, item: Any, name: str) -> None:
        """Appends one instance, which has to be shaped like those before it."""
        shape = _shape(item, name)
        values: list[Any] = []
        _fill(item, 0, shape, self.dtype, values)
        if self.size < 0:
            self.size, self.shape = len(values), shape
        elif self.size != len(values):
            raise invalid_argument(f"Expecting tensor size: {self.size} but got: {len(values)}")
        elif self.shape != shape:
            raise invalid_argument(f"Expecting shape {_show_shape(self.shape)} but got: {_show_shape(shape)}")
        self.values += values

    def array(self, count: int) -> np.ndarray:
        return dtypes.array(self.values, self.dtype, (count, *self.shape))


def _from_instances(instances: list[Any], inputs: Mapping[str, int]) -> dict[str, np.ndarray]:
    if not isinstance(instances[0], Members) and len(inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required "
            "as per tensorinfo_map"
        )
    named = _is_named(instances[0])
    tensors: dict[str, _Tensor] = {}
    for index, element in enumerate(instances):
        if named != _is_named(element):
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid_argument(f"Expecting {expected} but got {got} at item {index} of input list")
        if named:
            _add_named(element, index, inputs, tensors)
            continue
        name = min(inputs)
        try:
            _add(element, name, inputs, tensors)
        except ServingError as error:
            raise invalid_argument(f"Failed to process element: {index} of 'instances' list. Error: {error}") from None
    return {name: tensor.array(len(instances)) for name, tensor in tensors.items()}


def _add_named(element: Members, index: int, inputs: Mapping[str, int], tensors: dict[str, _Tensor]) -> None:
    seen: set[str] = set()
    for name, value in element:
        if name in seen:
            continue
        seen.add(name)
        try:
            _add(value, name, inputs, tensors)
        except ServingError as error:
            raise invalid_argument(
                f"Failed to process element: {index} key: {name} of 'instances' list. Error: {error}"
            ) from None
    if seen != inputs.keys():
        raise invalid_argument(
            f"Failed to process element: {index} of 'instances' list. JSON object: {echo(element)} "
            f"keys must be equal to: {','.join(sorted(inputs))}"
        )


def _add(item: Any, name: str, inputs: Mapping[str, int], tensors: dict[str, _Tensor]) -> None:
    if name not in inputs:
        raise invalid_argument(f"JSON object: does not have named input: {name}")
    if name not in tensors:
        tensors[name] = _Tensor(inputs[name])
    tensors[name].add(item, name)


def _from_inputs(columns: Any, inputs: Mapping[str, int]) -> dict[str, np.ndarray]:
    if not _is_named(columns):
        if len(inputs) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required "
                "as per tensorinfo_map"
            )
        return {name: _whole(columns, name, dtype) for name, dtype in inputs.items()}
    tensors = {}
    for name, dtype in inputs.items():
        value = columns.find(name)
        if value is ABSENT:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        tensors[name] = _whole(value, name, dtype)
    return tensors


def _whole(value: Any, name: str, dtype: int) -> np.ndarray:
    shape = _shape(value, name)
    values: list[Any] = []
    _fill(value, 0, shape, dtype, values)
    return dtypes.array(values, dtype, shape)


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and not isinstance(value, Members)


def is_base64(value: Any) -> bool:
    """Whether the value is `{"b64": "<text>"}` with that single key."""
    return isinstance(value, Members) and len(value) == 1 and value[0][0] == "b64" and isinstance(value[0][1], str)


def _is_named(value: Any) -> bool:
    return isinstance(value, Members) and not is_base64(value)


def _shape(value: Any, name: str) -> tuple[int, ...]:
    """The shape that the first element at every level shows."""
    shape = []
    while _is_array(value):
        if len(shape) == MAX_RANK - 1:
            raise invalid_argument(f"tensor parsing error: {name}")
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _show_shape(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _fill(value: Any, level: int, shape: tuple[int, ...], dtype: int, values: list[Any]) -> None:
    """Appends the scalars of a nested list, which has to have the given shape."""
    rank = len(shape)
    if not _is_array(value):
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
        _fill(element, level + 1, shape, dtype, values)


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
        right = type(value) in _NUMBER_KINDS
    else:
        low, high = dtypes.INTEGER_RANGE[dtype]
        right = type(value) is int and low <= value <= high
    if not right:
        raise _type_error(value, dtype)
    return value


def _type_error(value: Any, dtype: int) -> ServingError:
    return _format_error(value, f"Type: {type_name(value)} is not of expected type: {dtypes.name(dtype)}")


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
        raise _format_error(value, "not formatted correctly for base64 data")
    text = value[0][1].encode("utf-8", "surrogateescape").translate(None, b" \t\r\n\v\f").rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise invalid_argument("Unable to base64 decode") from None
