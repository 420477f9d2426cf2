"""The process that writes the request log."""

from __future__ import annotations

import logging
import select
import socket
import time
from contextlib import suppress
from pathlib import Path

from campaigns.request_log import wire
from campaigns.request_log.destination import Destination, RefusedRowsError, UnavailableError, connect
from campaigns.request_log.rows import Batch, batch
from campaigns.request_log.spool import Spool

RETRY_SECONDS = 5.0
"""From one attempt to reach a database that does not answer to the next, and how often one that does is asked."""

_log = logging.getLogger(__name__)


class Writer:
    """Writes batches from the desk into the database, or into the spool while the database does not answer.

    Args:
      config: see there.
      connection: to the desk.
      spool: where rows wait.
    """

    def __init__(self, config: wire.Config, connection: socket.socket, spool: Spool):
        self._config, self._connection, self._spool = config, connection, spool
        self._database: Destination | None = None
        self._up = True
        self._next_attempt = 0.0
        self._written = self._dropped = 0
        self._room = True

    def run(self) -> None:
        """Works until the desk closes the connection; batches that it has sent are taken first."""
        with self._spool.locked():
            self._spool.remove_broken_off()
            spooled = self._spool.last()
        while True:
            self._catch_up()
            self._say(0)
            pause = max(0.0, self._next_attempt - time.monotonic())
            while select.select([self._connection], [], [], pause)[0]:
                message = wire.receive(self._connection)
                if message is None:
                    return
                number, rows, entries = message
                if number != spooled:  # the desk sends a batch again if a writer was killed before it could answer
                    taken = batch(number, wire.unpacked(entries), self._config.key)
                    self._dropped += rows - len(taken.rows)
                    self._take(taken)
                self._say(number)
                pause = max(0.0, self._next_attempt - time.monotonic())

    def _catch_up(self) -> None:
        """Writes the oldest file of the spool, or asks the database whether it is there."""
        self._next_attempt = time.monotonic() + RETRY_SECONDS
        with self._spool.locked():
            files = self._spool.files()
            if not files:
                self._ping()
                return
            batches, lost = self._spool.read(files[0])
            if not self._write(batches):
                return
            self._spool.remove(files[0])
            if lost:
                _log.warning("request log: %s was damaged, %d rows are lost", files[0], lost)
                self._dropped += lost
            if files[1:]:
                self._next_attempt = 0.0

    def _take(self, taken: Batch) -> None:
        waits = not self._up and time.monotonic() < self._next_attempt
        if not waits and self._write([taken]):
            return
        with self._spool.locked():
            try:
                self._spool.add(taken)
                self._room = True
            except OSError as error:
                self._dropped += len(taken.rows)
                if self._room:
                    _log.warning("request log: rows are dropped: %s", error)
                self._room = False

    def _write(self, batches: list[Batch]) -> bool:
        """Whether the database has the rows now; those that it would never take are dropped."""
        try:
            self._database = self._database or connect(self._config.database, self._config.file)
            try:
                self._database.write(batches)
                self._written += sum(len(one.rows) for one in batches)
            except RefusedRowsError as error:
                if len(batches) > 1:
                    return all(self._write([one]) for one in batches)
                self._dropped += len(batches[0].rows)
                _log.warning("request log: the database refuses %d rows: %s", len(batches[0].rows), error)
            self._answers()
            return True
        except UnavailableError as error:
            self._fails(error)
            return False

    def _ping(self) -> None:
        try:
            self._database = self._database or connect(self._config.database, self._config.file)
            self._database.ping()
            self._answers()
        except UnavailableError as error:
            self._fails(error)

    def _answers(self) -> None:
        if not self._up:
            _log.warning("request log: the database takes rows again")
        self._up = True

    def _fails(self, error: UnavailableError) -> None:
        if self._up:
            _log.warning("request log: the database takes no rows now, they wait on disk: %s", error)
        self._up = False
        self._next_attempt = time.monotonic() + RETRY_SECONDS
        if self._database:
            self._database.close()
        self._database = None

    def _say(self, number: int) -> None:
        status = wire.Status(number, self._written, self._dropped, self._spool.size(), self._up)
        with suppress(ConnectionError):  # the desk is gone; what it has sent before is still read
            wire.send(self._connection, status)
        self._written = self._dropped = 0


def run(connection: socket.socket) -> None:
    """Works for the desk at the other end of a connection, until it is closed."""
    first = wire.receive(connection)
    if first is None:
        return
    config = wire.Config(*first)
    Writer(config, connection, Spool(Path(config.spool))).run()
