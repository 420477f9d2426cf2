"""The body of a `:predict` request turned into tensors, value by value, as TensorFlow Serving does it.

Every error has TensorFlow Serving's message. `row_reader` is the quick way for nearly all requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.errors import ServingError, invalid_argument
from serving.rest import dtypes
from serving.rest.json_reader import ABSENT, Members
from serving.rest.json_values import (
    fill,
    format_error,
    is_array,
    is_named,
    parse_object,
    shape_of,
    signature_name,
)
from serving.rest.json_writer import echo


@dataclass(frozen=True)
class PredictRequest:
    """The inputs of a run, and the form of the response.

    Attributes:
      row_format: whether the request has rows (`instances`) and not columns (`inputs`).
      inputs: tensors by name.
    """

    row_format: bool
    inputs: dict[str, np.ndarray]


def read(body: bytes, signature_inputs: Callable[[str], Mapping[str, int]]) -> tuple[str, PredictRequest]:
    """Reads a request, and raises the error that TensorFlow Serving finds first.

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
            raise format_error(
                document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
            )
        if not is_array(instances):
            raise format_error(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise format_error(document, "No values in 'instances' array")
        return name, PredictRequest(True, _from_instances(instances, inputs))
    if columns is not ABSENT:
        return name, PredictRequest(False, _from_inputs(columns, inputs))
    raise invalid_argument("Missing 'inputs' or 'instances' key")


class _Tensor:
    """One input while its values are collected."""

    def __init__(self, dtype: int):
        self.dtype = dtype
        self.values: list[Any] = []
        self.size = -1
        self.shape: tuple[int, ...] = ()

    def add(self, item: Any, name: str) -> None:
        """Appends one instance, which must have the shape of those before it."""
        shape = shape_of(item, name)
        values: list[Any] = []
        fill(item, 0, shape, self.dtype, values)
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
    named = is_named(instances[0])
    tensors: dict[str, _Tensor] = {}
    for index, element in enumerate(instances):
        if named != is_named(element):
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
    if not is_named(columns):
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
    shape = shape_of(value, name)
    values: list[Any] = []
    fill(value, 0, shape, dtype, values)
    return dtypes.array(values, dtype, shape)


def _show_shape(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
