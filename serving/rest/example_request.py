"""The body of a `:classify` or `:regress` request turned into serialized tf.Examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2

from serving.errors import invalid_argument
from serving.rest.json_reader import ABSENT, Members
from serving.rest.json_values import (
    decode_base64,
    format_error,
    is_array,
    is_base64,
    parse_object,
    signature_name,
    type_name,
)

_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def read(body: bytes) -> tuple[str, np.ndarray]:
    """The signature's name ("" for the default) and the serialized examples [n], as bytes objects.

    A token's type decides the feature's: `80` is an int64, `80.0` a float, text and base64 objects are bytes. The
    features of `context` are put in front of those of every example.

    Raises:
      ServingError: with TensorFlow Serving's code and message.
    """
    document = parse_object(body)
    name = signature_name(document)
    context = document.find("context")
    prefix = b"" if context is ABSENT else _example(context)
    examples = document.find("examples")
    if examples is ABSENT:
        raise format_error(document, "When method is classify, key 'examples' is expected and was not found")
    if not is_array(examples):
        raise format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise format_error(document, "'examples' value is an empty array")
    serialized = np.empty(len(examples), dtype=object)
    serialized[:] = [prefix + _example(example) for example in examples]
    return name, serialized


def _example(value: Any) -> bytes:
    if not isinstance(value, Members):
        raise invalid_argument(f"Example must be JSON object but got JSON {type_name(value)}")
    example = example_pb2.Example()
    for key, content in value:
        name = key.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        feature = feature_pb2.Feature()
        for element in content if is_array(content) else [content]:
            _add(element, name, feature)
        example.features.feature[name].CopyFrom(feature)
    return example.SerializeToString()


def _add(value: Any, name: str, feature: feature_pb2.Feature) -> None:
    if isinstance(value, bool):
        _values(feature, "int64_list", name).append(int(value))
    elif isinstance(value, str):
        _values(feature, "bytes_list", name).append(value.encode("utf-8", "surrogateescape"))
    elif isinstance(value, float):
        with np.errstate(over="ignore"):
            _values(feature, "float_list", name).append(float(np.float32(value)))
    elif isinstance(value, int):
        integers = _values(feature, "int64_list", name)
        if value >= 2**63:
            raise invalid_argument(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        integers.append(value)
    elif is_base64(value):
        _values(feature, "bytes_list", name).append(decode_base64(value))
    else:
        raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")


def _values(feature: feature_pb2.Feature, kind: str, name: str) -> Any:
    """The feature's list of this kind, unless it already holds another kind."""
    current = feature.WhichOneof("kind")
    if current not in (None, kind):
        raise invalid_argument(f"Unexpected element type in feature: {name} expecting type: {_KINDS[current]}")
    return getattr(feature, kind).value
