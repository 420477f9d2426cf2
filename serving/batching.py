"""Shares one TensorFlow run between requests that wait at the same time.

While a run is under way, further small requests for the same signature gather; the next run takes all of them. So a
lone request never waits, and under load the cost of a run is spread over many rows. It is only right for models whose
rows do not depend on each other, which cannot be seen from outside; `Application` decides where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.errors import ServingError
from serving.rest import json_writer
from serving.servable import Signature

MAX_ROWS = 256
"""Rows of one shared run; a request with more runs alone."""

Answer = bytes | ServingError


@dataclass(frozen=True)
class Waiting:
    """A request in the queue: its rows, as `RowReader.rows` gives them, and whom to tell the answer."""

    rows: list[tuple]
    done: Callable[[Answer], None]


class Batcher:
    """The queue of one signature; used on the event loop's thread.

    Args:
      run: `run(arrays, requests)` gives the outputs by name for so many requests; raises ServingError.
      submit: `submit(work, done)` runs `work()` on a worker thread, then `done(result)` on the event loop.
      soon: calls a function once the event loop has read the requests that are there.
    """

    def __init__(
        self,
        signature: Signature,
        run: Callable[[list[np.ndarray], int], dict[str, np.ndarray]],
        submit: Callable[[Callable[[], Any], Callable[[Any], None]], None],
        soon: Callable[[Callable[[], None]], Any],
    ):
        self._reader = signature.reader
        self._run = run
        self._submit = submit
        self._soon = soon
        self._queue: list[Waiting] = []
        self._busy = False

    def add(self, waiting: Waiting) -> None:
        self._queue.append(waiting)
        if not self._busy:
            self._busy = True
            self._soon(self._next)

    def _next(self) -> None:
        batch, rows = [], 0
        for waiting in self._queue:
            rows += len(waiting.rows)
            if rows > MAX_ROWS and batch:
                break
            batch.append(waiting)
        del self._queue[: len(batch)]
        self._submit(lambda: self._answers(batch), lambda answers: self._finish(batch, answers))

    def _finish(self, batch: Sequence[Waiting], answers: Sequence[Answer] | ServingError) -> None:
        if isinstance(answers, ServingError):  # what no request has caused
            answers = [answers] * len(batch)
        if self._queue:
            self._next()
        else:
            self._busy = False
        for waiting, answer in zip(batch, answers, strict=True):
            waiting.done(answer)

    def _answers(self, batch: Sequence[Waiting]) -> list[Answer]:
        rows = [row for waiting in batch for row in waiting.rows]
        try:
            outputs = self._run(self._reader.tensors(rows), len(batch))
            texts = json_writer.row_texts(outputs)
        except ServingError as error:
            if len(batch) == 1:
                return [error]
            texts = []
        if len(batch) > 1 and (not texts or len(texts[0]) != len(rows)):
            # One request has spoilt the run for all, or rows went in that did not come out: each gets its own run.
            return [answer for waiting in batch for answer in self._answers([waiting])]
        if len(batch) == 1:
            return [json_writer.predictions(list(outputs), texts)]
        answers: list[Answer] = []
        start = 0
        for waiting in batch:
            stop = start + len(waiting.rows)
            answers.append(json_writer.predictions(list(outputs), [column[start:stop] for column in texts]))
            start = stop
        return answers
