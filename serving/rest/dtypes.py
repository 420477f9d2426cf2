"""Element types of TensorFlow, as numbers in a SavedModel, as numpy types and as error texts name them."""

from __future__ import annotations

from typing import Any

import numpy as np

FLOAT, DOUBLE, INT32, UINT8, INT16, INT8, STRING, INT64, BOOL, UINT32, UINT64 = 1, 2, 3, 4, 5, 6, 7, 9, 10, 22, 23

NUMPY: dict[int, np.dtype[Any]] = {
    FLOAT: np.dtype(np.float32),
    DOUBLE: np.dtype(np.float64),
    INT32: np.dtype(np.int32),
    UINT8: np.dtype(np.uint8),
    INT16: np.dtype(np.int16),
    INT8: np.dtype(np.int8),
    STRING: np.dtype(object),
    INT64: np.dtype(np.int64),
    BOOL: np.dtype(np.bool_),
    UINT32: np.dtype(np.uint32),
    UINT64: np.dtype(np.uint64),
}
"""The element types of the REST API; strings are bytes or str objects."""

FLOATS = frozenset((FLOAT, DOUBLE))
INTEGER_RANGE = {
    INT32: (-(2**31), 2**31 - 1),
    INT16: (-(2**31), 2**31 - 1),
    INT8: (-(2**31), 2**31 - 1),
    UINT8: (-(2**31), 2**31 - 1),
    INT64: (-(2**63), 2**63 - 1),
    UINT32: (0, 2**32 - 1),
    UINT64: (0, 2**64 - 1),
}
"""The integers that a request may hold. Types below 32 bits accept any int32 and wrap around, as in TF Serving."""

_NAMES = {
    0: "INVALID",
    FLOAT: "float",
    DOUBLE: "double",
    INT32: "int32",
    UINT8: "uint8",
    INT16: "int16",
    INT8: "int8",
    STRING: "string",
    8: "complex64",
    INT64: "int64",
    BOOL: "bool",
    11: "qint8",
    12: "quint8",
    13: "qint32",
    14: "bfloat16",
    15: "qint16",
    16: "quint16",
    17: "uint16",
    18: "complex128",
    19: "half",
    20: "resource",
    21: "variant",
    UINT32: "uint32",
    UINT64: "uint64",
}


def name(dtype: int) -> str:
    """As error messages name the type: `float`, `int64`, `half`."""
    return _NAMES.get(dtype, f"unknown dtype enum ({dtype})")


def array(values: list, dtype: int, shape: tuple[int, ...]) -> np.ndarray:
    """Checked Python values as a tensor.

    Args:
      values: flat, row-major; numbers within the type's range, strings as bytes or str.
      dtype: one of `NUMPY`.
      shape: the tensor's; its product is len(values).
    """
    kind = NUMPY[dtype]
    if dtype == FLOAT:
        # By way of float64, as a JSON number is read: too large becomes infinity, too small becomes zero.
        with np.errstate(over="ignore"):
            flat = np.array(values, dtype=np.float64).astype(np.float32)
    elif dtype in (INT16, INT8, UINT8):
        flat = np.array(values, dtype=np.int32).astype(kind)
    elif dtype == STRING:
        flat = np.empty(len(values), dtype=object)
        flat[:] = values
    else:
        flat = np.array(values, dtype=kind)
    return flat.reshape(shape)
