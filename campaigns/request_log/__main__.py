"""The process that the desk starts to write its request log: `python -m campaigns.request_log DESCRIPTOR`."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys

from campaigns.request_log import writer

NICE = 10
"""Answers come before their log."""
COLLECT_AFTER = 1_000_000
"""New objects from one garbage collection to the next. Rows make no cycles, and with the usual 700 the collections take
half of the time that it takes to read an entry."""


def main(descriptor: str) -> None:
    """Writes what comes over an inherited socket, until the desk closes it; a signal for the desk does not end it."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    os.nice(NICE)
    gc.set_threshold(COLLECT_AFTER)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with socket.socket(fileno=int(descriptor)) as connection:
        writer.run(connection)


if __name__ == "__main__":
    main(sys.argv[1])
