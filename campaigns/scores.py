"""Scores rows that come in a request of the API."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from campaigns import context
from campaigns.gathering import Gathering
from campaigns.models import MOST_NAMED, Models, Named, UnloadedError, document
from campaigns.reasons import reasons
from campaigns.records import Scored
from campaigns.request_rows import Rows, as_rows
from campaigns.served import ServedModel
from campaigns.settings import Settings
from data.errors import BadOptionError, RefusedError, ServiceError, did_you_mean
from data.model_spec import CONTRIBUTIONS, EXPLAIN_SIGNATURE, PURCHASE_MODEL, RAW_SIGNATURE, SEGMENT_MODEL
from serving.client.connections import Connections
from serving.client.refusal import error_text

MOST_ROWS = 10_000
FEW_ROWS = 50
"""Requests with up to so many rows share requests to the model server, see `campaigns.gathering`."""

_MEMBERS = ("instances", "version", "label", "reasons", "segments")


@dataclass(frozen=True)
class Question:
    """A request to score rows.

    Attributes:
      instances: one JSON object for each row.
      named: the version that is to answer.
      reasons: whether each row gets reasons for and against.
      segments: whether each row gets the name of its segment.
    """

    instances: list[Any]
    named: Named
    reasons: bool
    segments: bool


class Scores:
    """Answers requests to score rows; used on one event loop.

    Args:
      settings: of the desk.
      log: takes what was scored; it must not wait for anything.
    """

    def __init__(self, settings: Settings, log: Callable[[Scored], None]):
        self._connections = Connections(settings.server)
        self._models = Models(self._connections, settings.artifacts)
        self._gatherings: dict[str, Gathering] = {}
        self._log, self._log_inputs = log, settings.log_inputs

    async def score(self, body: bytes) -> bytes:
        """The answer to a request, both as JSON.

        Raises:
          BadOptionError: the request, a row or the named version is wrong.
          RefusedError: the model server refuses the rows, in its own words.
          ServiceError: the model server does not answer.
        """
        question = read(body)
        try:
            return await self._answer(question)
        except UnloadedError:  # between two questions which version serves
            self._models.forget(PURCHASE_MODEL.name, question.named)
            return await self._answer(question)

    def close(self) -> None:
        self._connections.close()

    async def _answer(self, question: Question) -> bytes:
        began = time.perf_counter()
        ready = await self._models.get(PURCHASE_MODEL.name, question.named)
        model = ready.model
        segment_model = await self._segment_model() if question.segments else None
        others = segment_model.inputs if segment_model else ()
        rows = ready.check(question.instances, others) if question.instances else Rows({}, (), {}, False)
        answers: list[dict[str, Any]] = []
        if rows:
            probabilities, purchases = await self._predicted(model, rows)
            answers = [
                {PURCHASE_MODEL.score: probability, PURCHASE_MODEL.decision: purchase}
                for probability, purchase in zip(probabilities, purchases, strict=True)
            ]
            identifiers = rows.identifiers
            if any(identifier is not None for identifier in identifiers):
                answers = [{"identifier": one, **answer} for one, answer in zip(identifiers, answers, strict=True)]
            if question.reasons:
                _add(answers, "reasons", await self._reasons(model, rows))
            if question.segments:
                _add(answers, "segment", await self._segments(segment_model, rows))
            self._log(self._scored(model, rows, probabilities, purchases, time.perf_counter() - began))
        said = {"assumed": rows.assumed} if rows.assumed else {}
        return orjson.dumps({"model": model.name, "version": model.version, **said, "predictions": answers})

    async def _predicted(self, model: ServedModel, rows: Rows) -> tuple[Sequence[float], Sequence[int]]:
        if len(rows) <= FEW_ROWS:
            outputs = await self._gathering(model)(rows)
        else:
            outputs = await self._ask(model, rows.columns, RAW_SIGNATURE, rows.has_nan)
        return outputs[PURCHASE_MODEL.score], outputs[PURCHASE_MODEL.decision]

    def _gathering(self, model: ServedModel) -> Gathering:
        """That of a version; those of the versions asked for last are kept."""
        if model.version not in self._gatherings:
            if len(self._gatherings) >= MOST_NAMED:
                self._gatherings.pop(next(iter(self._gatherings)))

            async def ask(columns: Mapping[str, Sequence[Any]], has_nan: bool) -> Mapping[str, Sequence[Any]]:
                return await self._ask(model, columns, RAW_SIGNATURE, has_nan)

            self._gatherings[model.version] = Gathering(ask)
        return self._gatherings[model.version]

    async def _reasons(self, model: ServedModel, rows: Rows) -> list[dict[str, Sequence[str]]]:
        try:
            outputs = await self._ask(model, rows.columns, EXPLAIN_SIGNATURE, rows.has_nan, few=0)
        except RefusedError as error:
            raise BadOptionError(f"reasons: {model.name} {model.version} gives none: {error}") from error
        names = sorted(rows.columns)

        def in_words() -> list[dict[str, Sequence[str]]]:
            found: list[dict[str, Sequence[str]]] = []
            for row, shares in zip(as_rows(rows.columns), outputs[CONTRIBUTIONS], strict=True):
                cells = {name: str(value) for name, value in row.items()}
                supporting, opposing = reasons(dict(zip(names, shares, strict=True)), cells, model.contract)
                found.append({"for": supporting, "against": opposing})
            return found

        return await asyncio.to_thread(in_words)

    async def _segment_model(self) -> ServedModel | None:
        try:
            return (await self._models.get(SEGMENT_MODEL.name)).model
        except ServiceError:
            return None

    async def _segments(self, model: ServedModel | None, rows: Rows) -> Sequence[str | None]:
        known = {**rows.columns, **rows.others}
        if model is None or not model.inputs.keys() <= known.keys():
            return [None] * len(rows)
        try:
            columns = {name: known[name] for name in model.inputs}
            return (await self._ask(model, columns, RAW_SIGNATURE, rows.has_nan, few=0))[SEGMENT_MODEL.score]
        except ServiceError:
            return [None] * len(rows)

    async def _ask(
        self,
        model: ServedModel,
        columns: Mapping[str, Sequence[Any]],
        signature: str,
        has_nan: bool,
        few: int = FEW_ROWS,
    ) -> Mapping[str, Sequence[Any]]:
        """The outputs of one version by name, each [rows]."""
        rows = len(next(iter(columns.values())))
        question: dict[str, Any] = {"instances": as_rows(columns)} if rows <= few else {"inputs": columns}
        if signature != RAW_SIGNATURE:
            question["signature_name"] = signature
        path = f"/v1/models/{quote(model.name)}/versions/{model.version}:predict"
        # orjson writes NaN as null, which the model server refuses.
        body = json.dumps(question).encode() if has_nan else orjson.dumps(question)
        answer = await self._connections.request("POST", path, body)
        if answer.status == 404:
            raise UnloadedError(f"{path}: {error_text(*answer)}")
        found = document(answer, path)
        try:
            if rows > few:
                outputs = found["outputs"]
            else:
                predictions = found["predictions"]
                outputs = {name: [row[name] for row in predictions] for name in predictions[0]}
            if any(len(values) != rows for values in outputs.values()):
                raise ValueError
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ServiceError(f"{path}: the answer is not that of a model with named outputs") from error
        return outputs

    def _scored(
        self,
        model: ServedModel,
        rows: Rows,
        probabilities: Sequence[float],
        purchases: Sequence[int],
        seconds: float,
    ) -> Scored:
        return Scored(
            time.time(),
            context.request_id.get(),
            context.caller.get(),
            None,
            [None if one is None else str(one) for one in rows.identifiers],
            model.name,
            model.version,
            probabilities,
            purchases,
            seconds,
            [orjson.dumps(row).decode() for row in as_rows(rows.columns)] if self._log_inputs else None,
        )


def read(body: bytes) -> Question:
    """Reads a request.

    Raises:
      BadOptionError: it is not one.
    """
    found = _parse(body)
    if not isinstance(found, dict):
        raise BadOptionError('the body: expected an object such as {"instances": [...]}')
    for name in found:
        if name not in _MEMBERS:
            raise BadOptionError(f"{name!r} is not a part of a request{did_you_mean(name, _MEMBERS)}")
    instances = found.get("instances")
    if not isinstance(instances, list):
        raise BadOptionError("instances: expected a list of rows")
    if len(instances) > MOST_ROWS:
        raise BadOptionError(f"instances: got {len(instances):,} rows, expected at most {MOST_ROWS:,}")
    version, label = found.get("version"), found.get("label")
    if type(version) is int:
        version = str(version)
    for name, value in (("version", version), ("label", label)):
        if value is not None and not isinstance(value, str):
            raise BadOptionError(f"{name}: got {value!r:.40}, expected text")
    for name in ("reasons", "segments"):
        if type(found.get(name, False)) is not bool:
            raise BadOptionError(f"{name}: got {found[name]!r:.40}, expected true or false")
    return Question(instances, Named(version, label), found.get("reasons", False), found.get("segments", False))


def _parse(body: bytes) -> Any:
    """JSON, also with the word NaN, which is what the model server takes for a missing number."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        problem: Exception = error
    if b"NaN" in body:
        try:
            found = json.loads(body.decode())
            orjson.dumps(found)  # refuses half of a surrogate pair, and what has no end
            return found
        except (ValueError, TypeError, RecursionError) as error:
            problem = error
    raise BadOptionError(f"the body is not JSON: {problem}")


def _add(answers: list[dict[str, Any]], name: str, values: Sequence[Any]) -> None:
    for answer, value in zip(answers, values, strict=True):
        answer[name] = value
