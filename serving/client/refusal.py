"""What a model server's refusal says, and whether another attempt may help."""

from __future__ import annotations

import json

from data.errors import RefusedError, ServiceError

_LATER = (404, 408, 429)
"""Statuses below 500 that may be another one later: a model that is not loaded yet, or a server that is too busy."""


def refusal(where: str, status: int, body: bytes) -> ServiceError:
    """The error of an answer whose status is not 200, in the server's own words.

    Args:
      where: the address that was asked, for the message.
      status, body: of the answer.

    Returns:
      A RefusedError where the request itself is at fault, else a ServiceError.
    """
    refused = 400 <= status < 500 and status not in _LATER
    return (RefusedError if refused else ServiceError)(f"{where}: {error_text(status, body)}")


def error_text(status: int, body: bytes) -> str:
    """What a refusal says; its status where it says nothing."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {status}"
