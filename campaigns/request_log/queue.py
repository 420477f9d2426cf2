"""The desk's side of the request log: a bounded queue, and a thread that hands it to the writer."""

from __future__ import annotations

import logging
import select
import time
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from threading import Event, Lock, Thread

from campaigns.records import Scored
from campaigns.request_log import spool, wire
from campaigns.request_log.child import Child
from campaigns.request_log.rows import new_number

MOST_ROWS = 100_000
MOST_BYTES = 64 << 20
"""Of the queue. What does not fit any more is dropped and counted."""
BATCH_ROWS = 10_000
"""Of one transaction; an entry with more rows comes alone."""
EVERY_SECONDS = 1.0
"""From one batch to the next, unless there is enough for one before. Larger batches cost less for each row."""
LOOK_SECONDS = 0.25
"""From one look at whether there is enough to the next."""
RESTART_SECONDS, LONGEST_RESTART_SECONDS = 1.0, 60.0
"""From the death of a writer to the start of the next one; twice as long each time that one dies without a word."""
MOST_TRIES = 5
"""Writers that a batch is sent to, if they die of it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LogState:
    """How the request log is doing.

    Attributes:
      queued: rows that are not yet in the database or in the spool.
      dropped: rows that were lost since the desk was started.
      written: rows that came into the database since the desk was started, those that an earlier desk left in the spool
        included.
      spooled_bytes: of rows that wait on disk.
      database_up: whether the database took the last rows, or answered since.
      of_requests, of_lists: rows that were scored since the desk was started, by where they came from.
    """

    queued: int
    dropped: int
    written: int
    spooled_bytes: int
    database_up: bool
    of_requests: int
    of_lists: int


@dataclass(frozen=True)
class _Sent:
    number: int
    rows: int
    message: bytes


class RequestLog:
    """Takes scored customers at any speed and has them written by a process of its own.

    Args:
      database: address of a PostgreSQL database; None for the SQLite file.
      folder: of the desk, for the spool.
      file: the SQLite file.
      key: for the hashes of identifiers, see `key.load`.
      keeps_inputs: whether the rows that were scored are kept.

    Attributes:
      keeps_inputs: as above; entries need have no inputs otherwise.
    """

    def __init__(self, database: str | None, folder: Path, file: Path, key: bytes, keeps_inputs: bool = False):
        self.keeps_inputs = keeps_inputs
        self._config = wire.Config(database, str(file), str(folder / spool.FOLDER), key)
        self._lock = Lock()
        self._queue: list[bytes] = []
        self._counts: list[int] = []
        self._rows = self._bytes = 0
        self._sent: _Sent | None = None
        self._dropped = self._written = self._spooled_bytes = 0
        self._of_requests = self._of_lists = 0
        self._database_up = True
        self._stopping = Event()
        self._closed = False
        self._deadline = float("inf")
        self._child: Child | None = None
        self._pause = RESTART_SECONDS
        self._tries = 0
        self._thread = Thread(target=self._work, name="request log", daemon=True)

    def add(self, scored: Scored) -> None:
        """Takes an entry. It never waits: an entry that does not fit, or cannot be sent, is dropped.

        The entry is packed at once. If a second's entries stayed as they are, their many small objects would slow
        requests down, and so would packing them all together.
        """
        if scored.inputs and not self.keeps_inputs:
            scored = scored._replace(inputs=None)
        try:
            entry = wire.entry(scored)
        except ValueError:
            entry = b""
        rows, size = len(scored.probabilities), len(entry)
        with self._lock:
            if scored.campaign_id is None:
                self._of_requests += rows
            else:
                self._of_lists += rows
            if not size or self._closed or self._rows + rows > MOST_ROWS or self._bytes + size > MOST_BYTES:
                self._dropped += rows
            else:
                self._rows += rows
                self._bytes += size
                self._queue.append(entry)
                self._counts.append(rows)

    def state(self) -> LogState:
        """How it is doing now."""
        with self._lock:
            queued = self._rows + (self._sent.rows if self._sent else 0)
            return LogState(
                queued,
                self._dropped,
                self._written,
                self._spooled_bytes,
                self._database_up,
                self._of_requests,
                self._of_lists,
            )

    def start(self) -> None:
        """Starts the writer, which first takes what waits in the spool."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ends the writer after what is queued; what it cannot take in time is lost.

        Args:
          timeout: longest time to wait for that, in seconds.
        """
        self._closed = True
        self._deadline = time.monotonic() + timeout
        self._stopping.set()
        self._thread.join(timeout)
        if self._thread.is_alive() and self._child:
            self._child.kill()
            self._thread.join()
        if lost := self.state().queued:
            _log.warning("request log: %d rows are lost, the writer did not take them in time", lost)

    def _work(self) -> None:
        while not self._finished():
            try:
                with Child(self._config) as self._child:
                    self._feed(self._child)
            except OSError as error:
                _log.warning("request log: the writer has ended and is started again: %s", error)
                self._stopping.wait(self._pause)
                self._pause = min(2 * self._pause, LONGEST_RESTART_SECONDS)

    def _finished(self) -> bool:
        return self._stopping.is_set() and (self.state().queued == 0 or time.monotonic() > self._deadline)

    def _feed(self, child: Child) -> None:
        """Sends one batch after the other; each is kept until the writer has it in a safe place.

        Raises:
          OSError: the writer is gone.
        """
        if self._sent and self._tries == MOST_TRIES:
            _log.warning("request log: %d rows are dropped, the writer dies of them", self._sent.rows)
            with self._lock:
                self._dropped += self._sent.rows
                self._sent = None
        if self._sent:  # to the writer before; the database and the spool know it if they have it
            self._tries += 1
            child.connection.sendall(self._sent.message)
        while not self._finished():
            self._listen(child)
            if self._sent is None:
                self._take_batch()
                self._tries = 1
                if self._sent:
                    child.connection.sendall(self._sent.message)

    def _listen(self, child: Child) -> None:
        """Takes what the writer says until it is time for a batch."""
        end = time.monotonic() + EVERY_SECONDS
        while (left := end - time.monotonic()) > 0 and not self._is_pressing():
            if select.select([child.connection], [], [], min(left, LOOK_SECONDS))[0]:
                message = wire.receive(child.connection)
                if message is None:
                    raise ConnectionError("its connection is closed")
                self._note(wire.Status(*message))

    def _is_pressing(self) -> bool:
        """Whether a batch should be sent at once: there is enough for one, or there will be no more."""
        return self._sent is None and (self._rows >= BATCH_ROWS or self._stopping.is_set())

    def _note(self, status: wire.Status) -> None:
        self._pause = RESTART_SECONDS
        with self._lock:
            self._written += status.written
            self._dropped += status.dropped
            self._spooled_bytes, self._database_up = status.spooled_bytes, status.database_up
            if self._sent and status.batch == self._sent.number:
                self._sent = None

    def _take_batch(self) -> None:
        """Makes the oldest entries the batch that is under way, if there are any."""
        with self._lock:
            ends = list(accumulate(self._counts[:BATCH_ROWS]))
            if not ends:
                return
            count = max(1, bisect_right(ends, BATCH_ROWS))
            taken, rows = self._queue[:count], ends[count - 1]
            del self._queue[:count], self._counts[:count]
            self._rows -= rows
            self._bytes -= sum(map(len, taken))
            number = new_number()
            self._sent = _Sent(number, rows, wire.packed((number, rows, taken)))
