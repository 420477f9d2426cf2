"""A contract whose rows have dates, and files of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.contract import Contract
from data.list_size import Volume


def contract(**changes) -> Contract:
    """Calls with day and month, in date order, whose year is inferred."""
    return Contract.model_validate(
        {
            "name": "dated-calls",
            "title": "Calls with a date",
            "row_order": "date",
            "numeric": {
                "age": {"unit": "years", "min": 0, "max": 120},
                "day": {"unit": "day of month", "min": 1, "max": 31, "integer": True},
            },
            "categorical": {
                "month": {"values": ["jan", "feb", "mar", "dec"]},
                "weekday": {"values": ["mon", "tue", "wed", "thu", "fri"]},
            },
            "label": {"name": "bought", "positive": "yes", "negative": "no"},
            "calendar": ["day", "month", "weekday"],
            "call_date": {"day": "day", "month": "month", "year": "inferred", "begins": 2008},
            "derived": "list_size",
            **changes,
        }
    )


def write(file: Path, dates: list[tuple[object, str]], weekdays: list[str] | None = None) -> Path:
    """A file with a call for each day and month, all customers different."""
    rows = [
        f"{number % 97},{day},{month},{weekday},{'yes' if number % 3 else 'no'}"
        for number, ((day, month), weekday) in enumerate(zip(dates, weekdays or ["mon"] * len(dates), strict=True))
    ]
    file.write_text("\n".join(["age,day,month,weekday,bought", *rows]) + "\n")
    return file


def calls(sizes: Sequence[int], first: str = "2008-11", seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of labelled calls, as `data.columns.read` gives them: so many in each month, on its first 20 days.

    Older customers buy more often.
    """
    generator = np.random.default_rng(seed)
    starts = np.arange(np.datetime64(first, "M"), np.datetime64(first, "M") + len(sizes)).astype("datetime64[D]")
    days = np.concatenate(
        [start.astype(np.int64) + np.arange(size) * 20 // size for start, size in zip(starts, sizes, strict=True)]
    )
    age = generator.integers(18, 90, len(days)).astype(np.float32)
    return {
        "age": age,
        "bought": (generator.random(len(days)) < (age - 10) / 90).astype(np.int64),
        "call_day": days,
        **Volume.of(days).columns(days),
    }
