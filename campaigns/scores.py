"""Scores rows that come in a request of the API."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from campaigns.context import caller, request_id
from campaigns.records import Scored
from campaigns.request_log.queue import RequestLog
from data.errors import BadOptionError, RefusedError, ServiceError, did_you_mean
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from serving.client import Client

MOST_ROWS = 10_000


def score(server: str, rows: Sequence[Mapping[str, Any]], log: RequestLog) -> list[dict[str, Any]]:
    """The purchase model's answer for each row, with the segment's name where a segment model serves and knows the row.

    Args:
      server: address of the model server.
      rows: raw features by name.
      log: takes what was scored.

    Raises:
      BadOptionError: there are too many rows, or a row has a wrong column or a wrong value.
      RefusedError: the model server refuses the rows, in its own words.
      ServiceError: the model server does not answer.
    """
    if len(rows) > MOST_ROWS:
        raise BadOptionError(f"instances: got {len(rows):,} rows, expected at most {MOST_ROWS:,}")
    with Client(server, PURCHASE_MODEL.name) as client:
        served = client.served()
        _check(rows, served.inputs)
        started = time.monotonic()
        answers = client.predict(rows)
        seconds = time.monotonic() - started
    log.add(
        Scored(
            time=time.time(),
            request=request_id.get(),
            caller=caller.get(),
            campaign_id=None,
            identifiers=[None] * len(rows),
            model=PURCHASE_MODEL.name,
            version=served.version,
            probabilities=[answer[PURCHASE_MODEL.score] for answer in answers],
            purchases=[answer[PURCHASE_MODEL.decision] for answer in answers],
            seconds=seconds,
            inputs=[orjson.dumps(row).decode() for row in rows] if log.keeps_inputs else None,
        )
    )
    segments = _segments(server, rows)
    return [{**answer, **({"segment": name} if name else {})} for answer, name in zip(answers, segments, strict=True)]


def _segments(server: str, rows: Sequence[Mapping[str, Any]]) -> list[str | None]:
    unknown: list[str | None] = [None] * len(rows)
    try:
        with Client(server, SEGMENT_MODEL.name, attempts=1) as client:
            inputs = client.served().inputs
            if not all(inputs.keys() <= row.keys() for row in rows):
                return unknown
            answers = client.predict([{name: row[name] for name in inputs} for row in rows])
    except (RefusedError, ServiceError):
        return unknown
    return [answer[SEGMENT_MODEL.score] for answer in answers]


def _check(rows: Sequence[Mapping[str, Any]], inputs: Mapping[str, str]) -> None:
    for place, row in enumerate(rows):
        for name in row:
            if name not in inputs:
                raise BadOptionError(f"instances: row {place}: {name!r} is not a column{did_you_mean(name, inputs)}")
        for name, kind in inputs.items():
            value = row.get(name)
            fits = isinstance(value, str) if kind == "DT_STRING" else isinstance(value, int | float)
            if not fits or isinstance(value, bool):
                expected = "text" if kind == "DT_STRING" else "a number"
                got = repr(value)[:40] if name in row else "nothing"
                raise BadOptionError(f"instances: row {place}: {name}: got {got}, expected {expected}")
