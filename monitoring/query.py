"""Asks a Prometheus over its HTTP API."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from data.errors import ServiceError

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Series:
    """One time series of an answer.

    Attributes:
      labels: by name; the metric's name is `__name__`.
      samples: pairs of Unix time and value; an instant query returns one.
    """

    labels: dict[str, str]
    samples: list[tuple[float, float]]


def instant(url: str, expression: str) -> list[Series]:
    """The present value of each series of a PromQL expression.

    Raises:
      ServiceError: Prometheus does not answer, or the expression is wrong.
    """
    return [_series(series, [series["value"]]) for series in _ask(url, "query", query=expression)]


def over_time(url: str, expression: str, start: float, end: float, step: float) -> list[Series]:
    """The values of each series between two Unix times, every `step` seconds; raises ServiceError as `instant`."""
    answer = _ask(url, "query_range", query=expression, start=start, end=end, step=step)
    return [_series(series, series["values"]) for series in answer]


def _ask(url: str, endpoint: str, **parameters: str | float) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode(parameters)
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{endpoint}?{query}", timeout=TIMEOUT_SECONDS) as response:
            return json.load(response)["data"]["result"]
    except OSError as error:
        raise ServiceError(f"Prometheus does not answer: {error}") from error


def _series(series: dict[str, Any], samples: list[tuple[float, str]]) -> Series:
    return Series(series["metric"], [(time, float(value)) for time, value in samples])
