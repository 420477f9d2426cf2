"""Numbers and times in the page's language; every language shows the same digits."""

import math
import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.formatting import (
    UNKNOWN,
    euro,
    euros,
    interval,
    moment,
    number,
    percent,
    percents,
    plain_euro,
    short_euro,
    signed,
    times,
)
from pages.language import language

CASES = [
    (number, (6786,), "6,786", "6.786"),
    (number, (-1234.56, 1), "−1,234.6", "−1.234,6"),
    (number, (0.0012, 4), "0.0012", "0,0012"),
    (percent, (0.634,), "63 %", "63%"),
    (percent, (12.3456, 1), "1234.6 %", "1.234,6%"),
    (signed, (0.0026,), "+0.0026", "+0,0026"),
    (signed, (-0.5, 2), "−0.50", "−0,50"),
    (times, (1.84,), "1.8 ×", "1,8 ×"),
    (euro, (1234,), "€1,234", "€1.234"),
    (euro, (-1234.5, 2), "−€1,234.50", "−€1.234,50"),
    (euro, (-0.2,), "€0", "€0"),
    (plain_euro, (2.5,), "€2.50", "€2,50"),
    (short_euro, (2_500_000,), "€2.5M", "€2,5 jt"),
    (short_euro, (-12_000,), "−€12k", "−€12 rb"),
    (short_euro, (0.0,), "€0", "€0"),
    (interval, (0.814, 0.836), "0.81 to 0.84", "0,81 sampai 0,84"),
    (euros, (-120, 1500), "−€120 to €1,500", "−€120 sampai €1.500"),
    (percents, (0.12, 0.15), "12 to 15 %", "12 sampai 15%"),
    (moment, (datetime(2026, 11, 24, 21, 5),), "2026-11-24 21:05 UTC", "24 Nov 2026 21.05 UTC"),
]


def indonesian(write, *values):
    token = language.set("id")
    try:
        return write(*values)
    finally:
        language.reset(token)


@pytest.mark.parametrize(("write", "values", "english", "other"), CASES)
def test_each_format(write, values, english, other):
    plain = str.maketrans({"\N{NO-BREAK SPACE}": " "})
    assert write(*values).translate(plain) == english
    assert indonesian(write, *values).translate(plain) == other


@pytest.mark.parametrize("write", [number, percent, signed, times, euro])
@pytest.mark.parametrize("value", [None, math.nan])
def test_what_is_not_known_is_a_dash(write, value):
    assert write(value) == indonesian(write, value) == UNKNOWN


@given(st.floats(-1e12, 1e12), st.integers(0, 4))
def test_every_language_shows_the_same_digits(value, digits):
    for write in (number, percent, signed, euro):
        assert _digits(write(value, digits)) == _digits(indonesian(write, value, digits))


def _digits(text):
    return re.sub(r"[^\d−-]", "", text).replace("-", "−")


def test_a_time_is_shown_in_utc():
    east = timezone(timedelta(hours=7))
    assert moment(datetime(2026, 11, 25, 4, 5, tzinfo=east)) == "2026-11-24 21:05 UTC"
