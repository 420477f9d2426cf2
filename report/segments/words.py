"""How the page speaks of segments, of their values, and of the ways to find them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from analysis.segmentation import (
    METHOD_NAMES,
    REPRESENTATION_NAMES,
    Candidate,
    CandidateFigures,
    Median,
    SearchResult,
    Segmentation,
    ValueShare,
)
from modules.segments.rule import NOT_CLEARER, TOO_SMALL, UNSTABLE
from modules.segments.words import NO, YES
from modules.segments.words import number as number_in_words
from pages.formatting import UNKNOWN, number, percent, percents, times

VERDICTS = {NOT_CLEARER: "like shuffled columns", UNSTABLE: "unstable", TOO_SMALL: "segment too small"}
"""Refusals for a table, which has little room."""
SHORT_NAME = 4
"""Up to so many letters a name in capitals may be an abbreviation."""
SHARE = "share"
"""The first word of the units of shares."""
FULL = "the space of all transformed columns"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def counted(number: int) -> str:
    """`3` -> `three`; numbers above ten in digits."""
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def space(candidate: Candidate, search: SearchResult) -> str:
    """The space in which a candidate's own silhouette is measured."""
    if candidate.representation == "pca":
        return f"the space of {search.components} principal components"
    if candidate.representation == "autoencoder" and search.autoencoder:
        return f"the space of the autoencoder's {search.autoencoder.code} code units"
    return "the space of Gower distances" if candidate.method == "kmedoids" else FULL


def in_full_space(text: str, silhouette: float, candidate: Candidate, search: SearchResult) -> str:
    """A text with the silhouette of the same segments in the full space; empty where that is the candidate's own."""
    return "" if space(candidate, search) == FULL else f"{text.format(number(silhouette, 2))} in {FULL}"


def way(candidate: Candidate) -> str:
    """`K-Means on principal components`."""
    return f"{METHOD_NAMES[candidate.method]} on {REPRESENTATION_NAMES[candidate.representation]}"


def short_way(candidate: Candidate) -> str:
    """The same for a chart, which has little room: `K-Means, PCA`."""
    name = {"columns": "columns", "pca": "PCA", "autoencoder": "encoder"}[candidate.representation]
    return f"{METHOD_NAMES[candidate.method]}, {name}"


def flags(segmentation: Segmentation) -> frozenset[str]:
    """The columns that have no values but yes and no, such as whether a customer owns a product."""
    values: dict[str, set[str]] = {}
    for segment in segmentation.segments:
        for value in (*segment.described, *segment.over_represented):
            values.setdefault(value.column, set()).add(value.value)
        for name, told in segment.typical.items():
            values.setdefault(name, set()).add(told)
    return frozenset(name for name, found in values.items() if found <= YES | NO)


def column(name: str) -> str:
    """`Produk_Kredit_Rumah` -> `Produk Kredit Rumah`, `CASH_ADVANCE` -> `cash advance`."""
    spaced = name.replace("_", " ")
    return spaced.lower() if name.isupper() and len(name) > SHORT_NAME else spaced


def position(entry: Median) -> float:
    """Where a median is among all customers, from 0 to 1; 0.5 where it is theirs, however many have the same value."""
    return 0.5 if entry.median == entry.overall else entry.position


def value(share: ValueShare, flags: frozenset[str]) -> str:
    """`Usia: over 53 years`, or for a flag `Produk Deposito: yes`."""
    told = share.value if share.column not in flags else "yes" if share.value in YES else "no"
    return f"{column(share.column)}: {told}"


def compared(share: ValueShare) -> str:
    """How frequent a value is, its interval, and the index against the average."""
    limits = percents(share.low, share.high)
    return f"{limits}; average {percent(share.overall)}, {times(share.index)}"


def bare(entry: Median) -> str:
    """A median without its unit, but with the sign of a percentage; for a table that has the unit in its header."""
    if math.isnan(entry.median):
        return UNKNOWN
    return percent(entry.median) if entry.unit.split(" ")[0] == SHARE else number_in_words(entry.median)


def of_unit(unit: str) -> str:
    """The header to `bare`: `share of months` -> `of months`; other units as they are."""
    return unit.removeprefix(SHARE).strip() if unit.split(" ")[0] == SHARE else unit


def verdict(figures: CandidateFigures) -> str:
    """Whether a candidate is acceptable, in a word or two."""
    return ", ".join(VERDICTS.get(refusal, refusal) for refusal in figures.refusals) or "acceptable"


def listed(texts: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last
