"""The quick reader of `:predict` requests: it reads plain JSON, whole columns at a time.

It returns None for whatever it is not sure about, and `predict_request.read` takes over. Property tests hold both to
the same tensors.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from serving.rest import dtypes
from serving.rest.json_reader import MAY_MISREAD
from serving.rest.json_values import MAX_RANK, NUMBER_KINDS
from serving.rest.predict_request import PredictRequest
from serving.servable import Signature

_KINDS: dict[int, frozenset[type]] = {
    **dict.fromkeys(dtypes.FLOATS, NUMBER_KINDS),
    **dict.fromkeys(dtypes.INTEGER_RANGE, frozenset((int,))),
    dtypes.BOOL: frozenset((bool,)),
    dtypes.STRING: frozenset((str,)),
}


def loads(body: bytes) -> dict[str, Any] | None:
    """The body as a dict if it is plain JSON without duplicate keys, else None."""
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
    """Does the same for bodies with NaN, Infinity or colons in texts, at a third of the speed."""
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
    """The number of object members, counted where a flat request has objects; -1 where it is not flat."""
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


def read(document: dict[str, Any], reader: RowReader) -> PredictRequest | None:
    """The request in a document that `loads` returned; None unless it is certainly right."""
    if ("instances" in document) == ("inputs" in document):
        return None
    if "inputs" in document:
        inputs = reader.whole(document["inputs"])
        return None if inputs is None else PredictRequest(False, inputs)
    instances = document["instances"]
    if type(instances) is not list or not instances:
        return None
    inputs = reader.columns(instances)
    return None if inputs is None else PredictRequest(True, inputs)


@lru_cache(maxsize=256)
def reader_of(signature: Signature) -> RowReader:
    """The reader of a signature, always the same one, because a reader remembers which rows it has accepted."""
    return RowReader(signature.inputs)


class RowReader:
    """Reads requests for one signature.

    Args:
      inputs: the signature's input names with their types.
    """

    def __init__(self, inputs: Mapping[str, int]):
        self.names = tuple(sorted(inputs))
        self.types = tuple(inputs[name] for name in self.names)
        self.supported = bool(inputs) and all(dtype in dtypes.NUMPY for dtype in self.types)
        self._values = itemgetter(*self.names) if inputs else dict
        self._known_kinds: set[tuple[type, ...]] = set()

    def rows(self, instances: list[Any]) -> list[tuple] | None:
        """A tuple of scalars for each row, in the order of `names`; None unless the types are certainly right."""
        count = len(self.names)
        if not self.supported or not instances:
            return None
        try:
            if count > 1:
                rows = list(map(self._values, instances))
            elif type(instances[0]) is dict:
                rows = [(self._values(instance),) for instance in instances]
            else:
                return self._checked([(instance,) for instance in instances])
        except (KeyError, TypeError, IndexError):
            return None
        if any(type(instance) is not dict or len(instance) != count for instance in instances):
            return None
        return self._checked(rows)

    def _checked(self, rows: list[tuple]) -> list[tuple] | None:
        for kinds in {tuple(map(type, row)) for row in rows}:
            if kinds not in self._known_kinds and not self._learn(kinds):
                return None
        return rows if self._in_range(rows) else None

    def columns(self, instances: list[Any]) -> dict[str, np.ndarray] | None:
        """The inputs by name, each [len(instances), ...]; None unless they are certainly right."""
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
        """The inputs by name from a columnar request's `inputs`; None unless they are certainly right."""
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
        """The tuples of `rows` as arrays [len(rows)], in the order of `names`."""
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


def _column(values: Sequence[Any], dtype: int) -> np.ndarray | None:
    """Nested lists of equal shape as one tensor [n, ...]."""
    shape = [len(values)]
    flat: Sequence[Any] = values
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
