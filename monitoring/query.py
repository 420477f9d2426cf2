"""Asks a Prometheus over its HTTP interface."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Series:
    """Labels with the samples [(Unix time, value)] of an answer; an instant query has one sample."""

    labels: dict[str, str]
    samples: list[tuple[float, float]]


def instant(url: str, expression: str) -> list[Series]:
    """The newest value of each series. Raises OSError without a good answer, as for a wrong expression."""
    return [_series(found, [found["value"]]) for found in _ask(url, "query", query=expression)]


def over_time(url: str, expression: str, start: float, end: float, step: float) -> list[Series]:
    """Values from start to end, Unix times, every `step` seconds. Raises OSError as `instant`."""
    found = _ask(url, "query_range", query=expression, start=start, end=end, step=step)
    return [_series(series, series["values"]) for series in found]


def _ask(url: str, endpoint: str, **parameters: str | float) -> list[dict]:
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{url}/api/v1/{endpoint}?{query}", timeout=TIMEOUT_SECONDS) as response:
        return json.load(response)["data"]["result"]


def _series(found: dict, samples: list) -> Series:
    return Series(found["metric"], [(time, float(value)) for time, value in samples])
