"""Lets small requests share requests to the model server, which cost more than the rows in them.

While requests are under way, further ones gather; the next one to the model server takes all of them. A request never
waits for others to come. This is right for models whose rows do not depend on each other, as those of this project.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from campaigns.request_rows import Rows
from data.errors import RefusedError

MOST_GATHERED = 256
"""Rows of one request to the model server, which gathers no more either."""
UNDER_WAY = 2
"""Requests to the model server at a time: it works on one while the desk writes the next one."""

Outputs = Mapping[str, Sequence[Any]]
Ask = Callable[[Mapping[str, Sequence[Any]], bool], Awaitable[Outputs]]
"""Answers columns, and is told whether a number is missing in them."""


@dataclass(frozen=True)
class _Waiting:
    rows: Rows
    outputs: asyncio.Future[Outputs]


class Gathering:
    """Gathers the requests for one version of a model; used on one event loop.

    Args:
      ask: asks the version.
    """

    def __init__(self, ask: Ask):
        self._ask = ask
        self._waiting: list[_Waiting] = []
        self._running: set[asyncio.Task[None] | None] = set()

    async def __call__(self, rows: Rows) -> Outputs:
        """The outputs for rows by name.

        Raises:
          ExpectedError: what `ask` raises for them.
        """
        outputs: asyncio.Future[Outputs] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(rows, outputs))
        if len(self._running) < UNDER_WAY:
            self._running.add(asyncio.create_task(self._run()))
        return await outputs

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._taken())
        finally:
            # At once: a request that comes before a task's callbacks are called would be left to a task that has ended.
            self._running.discard(asyncio.current_task())

    def _taken(self) -> list[_Waiting]:
        """The oldest requests, as many as may share a request."""
        count, rows = 1, len(self._waiting[0].rows)
        while count < len(self._waiting) and rows + len(self._waiting[count].rows) <= MOST_GATHERED:
            rows += len(self._waiting[count].rows)
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _answer(self, taken: Sequence[_Waiting]) -> None:
        try:
            outputs = await self._ask(_joined([one.rows for one in taken]), any(one.rows.has_nan for one in taken))
        except RefusedError as error:
            if len(taken) > 1:  # the rows of one request may spoil those of the others
                for one in taken:
                    await self._answer([one])
                return
            _fail(taken, error)
        except Exception as error:
            _fail(taken, error)
        else:
            start = 0
            for one in taken:
                end = start + len(one.rows)
                if not one.outputs.done():  # whoever asked may be gone
                    one.outputs.set_result({name: values[start:end] for name, values in outputs.items()})
                start = end


def _joined(requests: Sequence[Rows]) -> Mapping[str, Sequence[Any]]:
    if len(requests) == 1:
        return requests[0].columns
    return {name: list(chain.from_iterable(one.columns[name] for one in requests)) for name in requests[0].columns}


def _fail(taken: Sequence[_Waiting], error: Exception) -> None:
    for one in taken:
        if not one.outputs.done():
            one.outputs.set_exception(type(error)(*error.args))
