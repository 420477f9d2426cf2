"""What serves now, for requests of the API: asked again every second, not at each request."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import orjson

from campaigns.request_rows import RowCheck
from campaigns.served import ServedModel, of_answer
from data.errors import BadOptionError, ServiceError
from data.models_config import STABLE
from serving.client import Served
from serving.client.connections import Answer, Connections
from serving.client.refusal import error_text, refusal

FRESH_SECONDS = 1.0
"""How long an answer of the model server is relied on."""
REREAD_SECONDS = 60.0
"""How long what lies on the disk about a version is relied on: the calls of the past change with the spans."""
MOST_NAMED = 32
"""Versions and labels that are remembered."""
_LONGEST_LABEL = 100
_CHAMPION = f"/labels/{STABLE}"


class NoVersionError(BadOptionError):
    """The version or label that a request names does not serve."""


class UnloadedError(ServiceError):
    """A version that served a moment ago does not serve any more."""


@dataclass(frozen=True)
class Named:
    """The version that a request asks for: a number, a label, or neither, for the champion."""

    version: str | None = None
    label: str | None = None

    def path(self) -> str:
        """Its part of an address.

        Raises:
          BadOptionError: it cannot be a version or a label.
        """
        if self.version is not None and self.label is not None:
            raise BadOptionError("got a version and a label, expected one of them")
        if self.version is not None:
            if not re.fullmatch(r"[0-9]{1,18}", self.version):
                raise BadOptionError(f"version: got {self.version[:40]!r}, expected a number")
            return f"/versions/{self.version}"
        if self.label is not None:
            if not 0 < len(self.label) <= _LONGEST_LABEL:
                raise BadOptionError(f"label: expected 1 to {_LONGEST_LABEL} characters")
            return f"/labels/{quote(self.label, safe='')}"
        return ""


@dataclass(frozen=True)
class Ready:
    """A version that serves, with the check of rows for it; when it was asked for, and when its folder was read."""

    model: ServedModel
    check: RowCheck
    asked: float
    read: float


class Models:
    """Remembers which versions serve; used on one event loop.

    Args:
      connections: to the model server.
      artifacts: see `campaigns.served.ask`.
    """

    def __init__(self, connections: Connections, artifacts: Path):
        self._connections, self._artifacts = connections, artifacts
        self._known: dict[tuple[str, str], Ready] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[Ready]] = {}

    async def get(self, name: str, named: Named = Named()) -> Ready:
        """The version of a model that answers now: the named one, else that with the label `stable`, else the newest.

        Raises:
          BadOptionError: the request names a version or a label that does not serve.
          ServiceError: the server has no such model, or does not answer.
        """
        path = named.path()
        known = self._known.get((name, path))
        if known is not None and time.monotonic() - known.asked < FRESH_SECONDS:
            return known
        if (name, path) not in self._asking:  # many requests, one question
            task = asyncio.create_task(self._ask(name, named, path, known))
            self._asking[name, path] = task
            task.add_done_callback(lambda _: self._asking.pop((name, path)))
        return await asyncio.shield(self._asking[name, path])

    def forget(self, name: str, named: Named) -> None:
        """Asks again at the next request."""
        self._known.pop((name, named.path()), None)

    async def _ask(self, name: str, named: Named, path: str, known: Ready | None) -> Ready:
        asked = time.monotonic()
        address = f"/v1/models/{quote(name)}"
        answer = await self._connections.request("GET", f"{address}{path or _CHAMPION}/metadata")
        if answer.status in (400, 404):
            if path:
                raise NoVersionError(await self._unknown(address, named, answer))
            answer = await self._connections.request("GET", f"{address}/metadata")
        served = Served.of_metadata(document(answer, f"{address}{path}/metadata"))
        fresh = known is not None and asked - known.read < REREAD_SECONDS
        if known and fresh and known.model.version == served.version and [*known.model.inputs] == [*served.inputs]:
            ready = replace(known, asked=asked)
        else:
            model = await asyncio.to_thread(of_answer, served, self._artifacts, name)
            ready = Ready(model, RowCheck(model), asked, asked)
        while len(self._known) >= MOST_NAMED:
            self._known.pop(next(iter(self._known)))
        self._known[name, path] = ready
        return ready

    async def _unknown(self, address: str, named: Named, answer: Answer) -> str:
        status = document(await self._connections.request("GET", address), address)
        versions = [one["version"] for one in status["model_version_status"] if one["state"] == "AVAILABLE"]
        what = f"version: got {named.version!r}" if named.version is not None else f"label: got {named.label!r}"
        said = "" if named.version is not None else f"; the model server says: {error_text(*answer)}"
        return f"{what}, expected one that serves; versions {', '.join(versions) or 'none'} serve{said}"


def document(answer: Answer, path: str) -> dict:
    """The JSON object of an answer with status 200.

    Raises:
      RefusedError: the server refuses the request, in its own words.
      ServiceError: it does not answer now, or not with JSON.
    """
    if answer.status != 200:
        raise refusal(path, *answer)
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise ServiceError(f"{path}: the answer is not JSON; is this a model server?") from error
    if not isinstance(found, dict):
        raise ServiceError(f"{path}: the answer is not an object; is this a model server?")
    return found
