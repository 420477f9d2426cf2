"""Canonical status codes, as TensorFlow Serving names them, and their HTTP status codes."""

from __future__ import annotations

import enum

from data.errors import ExpectedError


class Code(enum.IntEnum):
    """The canonical codes of `google.rpc.Code`; the name is what metrics and status pages show."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


class ServingError(ExpectedError):
    """A request or a load that failed, with the canonical code and the text a client sees.

    `message` may hold bytes that are not UTF-8, because TensorFlow Serving echoes requests as they came; they are
    kept as lone surrogates (`surrogateescape`).
    """

    def __init__(self, code: Code, message: str):
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        """As absl prints a status: `INVALID_ARGUMENT: the message`."""
        return f"{self.code.name}: {self.message}"


def invalid_argument(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


def from_tensorflow(error: Exception) -> ServingError:
    """The error of a session run or a load: TensorFlow's own code and message, or INTERNAL for other exceptions."""
    code = getattr(error, "error_code", None)
    if code is None:
        return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
    return ServingError(Code(code), getattr(error, "message", str(error)))
