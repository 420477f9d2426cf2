"""Numbers and times as pages write them, in the page's language; an unknown number is a dash.

The examples are English. Another language has the separators, units and order that the Unicode CLDR gives it, and the
same digits.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from decimal import Decimal

from babel import Locale
from babel.dates import format_date, format_time, get_datetime_format
from babel.numbers import NumberPattern, format_compact_currency

from pages.language import ENGLISH, language, tr

UNKNOWN = "–"
_MINUS = str.maketrans("-", "\N{MINUS SIGN}")


def percent(value: float | None, digits: int = 0) -> str:
    """`0.634` -> `63 %`."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if (locale := _locale()) is None:
        return f"{value:.{digits}%}".replace("%", "\N{NO-BREAK SPACE}%")
    share = Decimal(f"{value:.{digits}%}".rstrip("%")).scaleb(-2)
    return _applied(locale, locale.percent_formats[None], share, digits)


def number(value: float | None, digits: int = 0) -> str:
    """`6786` -> `6,786`."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if (locale := _locale()) is None:
        return f"{value:,.{digits}f}".translate(_MINUS)
    return _applied(locale, locale.decimal_formats[None], Decimal(f"{value:.{digits}f}"), digits)


def signed(value: float | None, digits: int = 4) -> str:
    """`0.0026` -> `+0.0026`."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return number(value, digits) if math.copysign(1.0, value) < 0 else f"+{number(value, digits)}"


def times(value: float | None) -> str:
    """How many times as much: `1.84` -> `1.8 ×`."""
    return UNKNOWN if value is None or math.isnan(value) else f"{number(value, 1)}\N{NO-BREAK SPACE}×"


def euro(value: float | None, digits: int = 0) -> str:
    """`1234` -> `€1,234`."""
    if value is None or math.isnan(value):
        return UNKNOWN
    sign = "\N{MINUS SIGN}" if round(value, digits) < 0 else ""
    if (locale := _locale()) is None:
        return f"{sign}€{abs(value):,.{digits}f}"
    amount = Decimal(f"{abs(value):.{digits}f}")
    return sign + _applied(locale, locale.currency_formats["standard"], amount, digits)


def short_euro(value: float) -> str:
    """An amount on an axis, with three digits: `2500000` -> `€2.5M`."""
    size, unit = next((s, u) for s, u in ((1e9, "bn"), (1e6, "M"), (1e3, "k"), (0.0, "")) if abs(value) >= s)
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    shown = f"{abs(value) / (size or 1):.3g}"
    if (locale := _locale()) is None:
        return f"{sign}€{shown}{unit}"
    rounded = Decimal(shown) * int(size or 1)
    return sign + format_compact_currency(rounded, "EUR", locale=locale, fraction_digits=2)


def plain_euro(value: float) -> str:
    """An amount that the user gave, with cents only where it has some: `5` -> `€5`, `2.5` -> `€2.50`."""
    return euro(value, 0 if float(value).is_integer() else 2)


def interval(low: float, high: float, digits: int = 2) -> str:
    """`0.81 to 0.84`."""
    return tr("{low} to {high}", low=number(low, digits), high=number(high, digits))


def euros(low: float, high: float) -> str:
    """`€120 to €150`."""
    return tr("{low} to {high}", low=euro(low), high=euro(high))


def percents(low: float, high: float, digits: int = 0) -> str:
    """`12 to 15 %`."""
    shown = f"{low * 100:.{digits}f}" if _locale() is None else number(100 * low, digits)
    return tr("{low} to {high}", low=shown, high=percent(high, digits))


def moment(time: datetime) -> str:
    """`2026-11-24 21:05 UTC`; a time without a zone is UTC."""
    known = (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    if (locale := _locale()) is None:
        return f"{known:%Y-%m-%d %H:%M} UTC"
    day, clock = format_date(known, "medium", locale), format_time(known, "short", locale=locale)
    return f"{str(get_datetime_format('medium', locale)).format(clock, day)} UTC"


def any_value(value: object) -> str:
    """A setting or a bound of any type."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(any_value, value))
    return str(value)


def _locale() -> Locale | None:
    """Of the page's language; None for English, whose formats are those of the code."""
    code = language.get()
    return None if code == ENGLISH else Locale.parse(code)


def _applied(locale: Locale, pattern: NumberPattern, value: Decimal, digits: int) -> str:
    """A number as a pattern of the CLDR writes it."""
    shown = pattern.apply(value, locale, "EUR", currency_digits=False, force_frac=(digits, digits))
    return shown.translate(_MINUS)
