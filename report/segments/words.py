"""How the page speaks of segments, of their values, and of the ways to find them."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.segmentation import Candidate, Median, SearchResult, Segmentation, ValueShare
from pages.formatting import percent, percents, readable, times

METHODS = {"kmeans": "K-Means", "kmedoids": "K-Medoids"}
REPRESENTATIONS = {"columns": "columns", "pca": "principal components", "autoencoder": "autoencoder"}
FULL = "the space of all transformed columns"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
FLAG = {"0": "no", "1": "yes"}


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


def way(candidate: Candidate) -> str:
    """`K-Means on principal components`."""
    return f"{METHODS[candidate.method]} on {REPRESENTATIONS[candidate.representation]}"


def flags(segmentation: Segmentation) -> frozenset[str]:
    """The columns that have no values but 0 and 1, such as whether a customer owns a product."""
    values: dict[str, set[str]] = {}
    for segment in segmentation.segments:
        for value in (*segment.described, *segment.over_represented):
            values.setdefault(value.column, set()).add(value.value)
    return frozenset(name for name, found in values.items() if found <= FLAG.keys())


def column(name: str) -> str:
    """`Produk_Kredit_Rumah` -> `Produk Kredit Rumah`."""
    return name.replace("_", " ")


def value(share: ValueShare, flags: frozenset[str]) -> str:
    """`Usia over 53`, or for a flag `Produk Deposito: yes`."""
    if share.column in flags:
        return f"{column(share.column)}: {FLAG[share.value]}"
    return f"{column(share.column)}: {share.value}"


def compared(share: ValueShare) -> str:
    """How frequent a value is, its interval, and the index against the average."""
    limits = percents(share.low, share.high)
    return f"{limits}; average {percent(share.overall)}, {times(share.index)}"


def median(entry: Median) -> str:
    """A median with its unit."""
    return f"{readable(entry.median)} {entry.unit}"


def listed(texts: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last
