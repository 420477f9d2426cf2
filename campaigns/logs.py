"""The desk's log: on standard error, each line with the id of the request that it is about."""

from __future__ import annotations

import logging
import sys

from campaigns import context

FORMAT = "%(asctime)s %(levelname)s [%(request_id)s] %(name)s: %(message)s"


class _WithRequest(logging.Filter):
    """Gives each record the id of its request, `-` outside a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = context.request_id.get() or "-"
        return True


def configure() -> None:
    """Sends warnings and errors of the desk and of its libraries to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_WithRequest())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format=FORMAT)
