"""Shares one run of a model between requests that wait at the same time.

While a run is under way, further small requests for the same signature gather; the next run takes all of them. So a
single request never waits for others, and under load the cost of a run is spread over many rows. This is only right for
models whose rows do not depend on each other, which nobody can see from outside; `Application` decides where it is
used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from serving.errors import ServingError

MAX_ROWS = 256
"""Rows of one shared run; a request with more rows runs alone."""

Rows = list[tuple]
"""The rows of one request, each a tuple of the signature's inputs."""
Result = bytes | ServingError


@dataclass(frozen=True)
class Waiting:
    """A request in the queue, and the function that takes its result."""

    rows: Rows
    done: Callable[[Result], None]


class Batcher:
    """The queue of one signature; used on the event loop's thread.

    Args:
      answer: `answer(requests)` returns the response to each request from one run. It raises ServingError if the run
        fails, or if several requests cannot share a run.
      submit: `submit(work, done)` runs `work()` on a worker thread, then `done(result)` on the event loop.
      soon: calls a function after the event loop has read the requests that have arrived.
      idle: called when the queue is empty and the last run is over.
    """

    def __init__(
        self,
        answer: Callable[[list[Rows]], list[bytes]],
        submit: Callable[[Callable[[], Any], Callable[[Any], None]], None],
        soon: Callable[[Callable[[], None]], Any],
        idle: Callable[[], Any],
    ):
        self._answer = answer
        self._submit = submit
        self._soon = soon
        self._idle = idle
        self._queue: list[Waiting] = []
        self._busy = False

    def add(self, waiting: Waiting) -> None:
        self._queue.append(waiting)
        if not self._busy:
            self._busy = True
            self._soon(self._next)

    def _next(self) -> None:
        batch: list[Waiting] = []
        rows = 0
        for waiting in self._queue:
            rows += len(waiting.rows)
            if rows > MAX_ROWS and batch:
                break
            batch.append(waiting)
        del self._queue[: len(batch)]
        requests = [waiting.rows for waiting in batch]
        self._submit(lambda: self._answers(requests), lambda answers: self._finish(batch, answers))

    def _finish(self, batch: Sequence[Waiting], answers: Sequence[Result] | ServingError) -> None:
        if isinstance(answers, ServingError):  # a failure that no single request has caused
            answers = [answers] * len(batch)
        if self._queue:
            self._next()
        else:
            self._busy = False
            self._idle()
        for waiting, answer in zip(batch, answers, strict=True):
            waiting.done(answer)

    def _answers(self, requests: list[Rows]) -> Sequence[Result]:
        try:
            return self._answer(requests)
        except ServingError as error:
            if len(requests) == 1:
                return [error]
        return [answer for rows in requests for answer in self._answers([rows])]
