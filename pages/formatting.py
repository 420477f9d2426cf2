"""Numbers as pages write them; an unknown number is a dash."""

from __future__ import annotations

import math

UNKNOWN = "–"


def percent(value: float | None, digits: int = 0) -> str:
    """`0.634` -> `63 %`."""
    return UNKNOWN if _unknown(value) else f"{value:.{digits}%}".replace("%", "\N{NO-BREAK SPACE}%")


def number(value: float | None, digits: int = 0) -> str:
    """`6786` -> `6,786`."""
    return UNKNOWN if _unknown(value) else f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float | None, digits: int = 4) -> str:
    """`0.0026` -> `+0.0026`."""
    return UNKNOWN if _unknown(value) else f"{value:+,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def times(value: float | None) -> str:
    """How many times as much: `1.84` -> `1.8 ×`."""
    return UNKNOWN if _unknown(value) else f"{number(value, 1)}\N{NO-BREAK SPACE}×"


def euro(value: float | None, digits: int = 0) -> str:
    """`1234` -> `€1,234`."""
    if value is None or math.isnan(value):
        return UNKNOWN
    sign = "\N{MINUS SIGN}" if round(value, digits) < 0 else ""
    return f"{sign}€{abs(value):,.{digits}f}"


def short_euro(value: float) -> str:
    """An amount on an axis, with three digits: `2500000` -> `€2.5M`."""
    size, unit = next((s, u) for s, u in ((1e9, "bn"), (1e6, "M"), (1e3, "k"), (0.0, "")) if abs(value) >= s)
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    return f"{sign}€{abs(value) / (size or 1):.3g}{unit}"


def plain_euro(value: float) -> str:
    """An amount that the user gave, with cents only where it has some: `5` -> `€5`, `2.5` -> `€2.50`."""
    return euro(value, 0 if float(value).is_integer() else 2)


def interval(low: float, high: float, digits: int = 2) -> str:
    """`0.81 to 0.84`."""
    return f"{number(low, digits)} to {number(high, digits)}"


def percents(low: float, high: float, digits: int = 0) -> str:
    """`12 to 15 %`."""
    return f"{low * 100:.{digits}f} to {percent(high, digits)}"


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


def _unknown(value: float | None) -> bool:
    return value is None or math.isnan(value)
