"""Names of segments: what sets the customers of a segment apart, in a few words, the same over retrainings.

A name is made of at most three parts, such as "over 53 years" and "retired". The first part is what separates the
customers of the segment best from all others, by F1: the harmonic mean of the share of the segment that it is true of
and the share of the segment among all of whom it is true. Each further part is the one that, together with the parts
before it, separates them best, as long as F1 rises by `LEAST_GAIN`. So a part never repeats another one in other words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from data import contract_yaml
from data.contract import Contract, View
from data.errors import BadOptionError
from modules.segments import traits
from modules.segments.traits import Trait
from modules.segments.values import Values, divide

MOST_PARTS = 3
LONGEST = 52
"""Characters of a generated name, a number in parentheses at its end not counted."""
LONGEST_OVERRIDE = 60
LEAST_GAIN = 0.04
"""By so much a part must raise F1."""
TYPICAL = 0.5
"""A part is true of at least this share of the segment, where such a part exists."""
PARTS = 10
"""Into so many ranges a number is divided; a part of a name is one range or several adjacent ones."""
NOBODY, EVERYBODY, AVERAGE = "no customers", "all customers", "average customers"


@dataclass(frozen=True)
class _Column:
    values: Values
    traits: tuple[Trait, ...]


@dataclass(frozen=True)
class _Part:
    trait: Trait
    score: float
    true: np.ndarray
    """Of which customers the part is true, together with the parts before it: bool [rows]."""


def name(
    raw: Mapping[str, np.ndarray], segments: np.ndarray, clusters: int, contract: Contract, view: View
) -> tuple[str, ...]:
    """Names each segment by what is most over-represented in it.

    The order of rows and columns does not matter.

    Args:
      raw: raw columns of customers, [rows] each; see `modules.examples.read_raw`.
      segments: of the same customers, 0 to `clusters` - 1, int [rows].
      clusters: number of segments.
      contract: types, units and values of the columns.
      view: its columns can be parts of names.

    Returns:
      Different names, [clusters]; a part has no comma, and a comma stands between parts.
    """
    divided = [divide(raw, column, contract, PARTS) for column in sorted(view.columns)]
    columns = [_Column(values, tuple(traits.of(values, contract))) for values in divided]
    parts = [_parts(columns, segments == segment) for segment in range(clusters)]
    texts = [{trait.text for trait in own} for own in parts]
    names = []
    for segment, own in enumerate(parts):
        alike = [other for other in range(clusters) if texts[segment] <= texts[other]]
        if len(alike) > 1 and texts[segment] != {NOBODY}:
            fewest = 0 if any(texts[segment] == texts[other] for other in alike if other != segment) else len(own)
            own = _told_apart(columns, segments == segment, np.isin(segments, alike), own, fewest)
        names.append(", ".join(trait.text for trait in own))
    return _unique(names, range(clusters))


def match(means: np.ndarray, earlier: np.ndarray) -> list[int | None]:
    """The earlier segment that each segment continues.

    Segments are paired so that the sum of the distances between paired means is least (Kuhn 1955). A pair counts where
    its distance is at most half the distance from either mean to the nearest other mean of its own segmentation, so
    that no other segment can be nearer.

    Args:
      means: of the transformed columns in each segment, [k, D]; NaN for a segment without customers.
      earlier: the same of the earlier segmentation, [m, D].

    Returns:
      For each segment the number of an earlier one, or None where it is new; all None where D differs.
    """
    matched: list[int | None] = [None] * len(means)
    if means.ndim != 2 or earlier.ndim != 2 or means.shape[1] != earlier.shape[1]:
        return matched
    new, old = (np.flatnonzero(np.isfinite(points).all(axis=1)) for points in (means, earlier))
    distances = cdist(means[new], earlier[old])
    limits = np.minimum.outer(_nearest(means[new]), _nearest(earlier[old])) / 2
    for row, column in zip(*linear_sum_assignment(distances), strict=True):
        if distances[row, column] <= limits[row, column]:
            matched[new[row]] = int(old[column])
    return matched


def final(
    names: Sequence[str], matched: Sequence[int | None], earlier_names: Sequence[str], overrides: Mapping[str, str]
) -> tuple[str, ...]:
    """The names that the model gives: earlier ones are kept, and those of the marketing team replace others.

    Args:
      names: generated, [k].
      matched: for each segment the earlier one that it continues; see `match`.
      earlier_names: of the earlier segments.
      overrides: new names by the names that they replace. A continued segment is found by the name that it keeps, and
        also by the generated one, unless another segment keeps that: so the new name in a file may be changed later.

    Returns:
      Different names, [k]. Where two would be equal, a continued segment goes before a renamed one, and a renamed one
      before others; the other one gets a number.
    """
    kept = [text if place is None else earlier_names[place] for text, place in zip(names, matched, strict=True)]
    old = [text if text in overrides or new in kept else new for text, new in zip(kept, names, strict=True)]
    order = sorted(range(len(kept)), key=lambda j: (matched[j] is None, old[j] not in overrides, j))
    return _unique([overrides.get(before, text) for before, text in zip(old, kept, strict=True)], order)


def read_overrides(path: str | Path) -> dict[str, str]:
    """Reads the names that the marketing team gives to segments.

    Args:
      path: of a YAML file with lines `old name: new name`; a file without lines changes nothing.

    Raises:
      BadOptionError: the file cannot be read, or something in it is not a name.
    """
    try:
        document = contract_yaml.load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadOptionError(f"{path}: the names of segments cannot be read: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadOptionError(f"{path}: expected lines `old name: new name`")
    for old, new in document.items():
        for text in (old, new):
            if not isinstance(text, str):
                raise BadOptionError(f"{path}: {text!r} is not a text; put quotes around it")
            if problem := _problem(text):
                raise BadOptionError(f"{path}: the name {text!r} {problem}")
    overrides = {old.strip(): new.strip() for old, new in document.items()}
    given = list(overrides.values())
    if twice := sorted({text for text in given if given.count(text) > 1}):
        raise BadOptionError(f"{path}: two segments would have the same name: {', '.join(map(repr, twice))}")
    return overrides


def _problem(text: str) -> str:
    """Why a text cannot be the name of a segment; empty where it can."""
    if not text.strip():
        return "is empty"
    if len(text) > LONGEST_OVERRIDE:
        return f"has {len(text)} characters, more than {LONGEST_OVERRIDE}"
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        return "has a line break or another control character"
    return ""


def _parts(columns: Sequence[_Column], inside: np.ndarray) -> list[Trait]:
    """The parts of one segment's name, the most telling first.

    Args:
      columns: that the parts may be of.
      inside: which customers belong to the segment, bool [rows].
    """
    if not inside.any():
        return [Trait(NOBODY)]
    if inside.all():
        return [Trait(EVERYBODY)]
    parts: list[Trait] = []
    true, score = np.ones(len(inside), bool), _f1(inside.sum(), len(inside), inside.sum())
    while len(parts) < MOST_PARTS:
        best = _best(columns, inside, true, parts)
        if best is None or best.score < score + LEAST_GAIN:
            break
        parts.append(best.trait)
        true, score = best.true, best.score
    return parts or [Trait(AVERAGE)]


def _told_apart(
    columns: Sequence[_Column], inside: np.ndarray, group: np.ndarray, parts: list[Trait], fewest: int
) -> list[Trait]:
    """The parts of a name, of which the last one tells the segment apart from others that have all these parts.

    Args:
      columns: that the part may be of.
      inside: which customers belong to the segment, bool [rows].
      group: which customers belong to it or to one of the others, bool [rows].
      parts: of the name so far.
      fewest: so many of the parts stay in any case; they all do where there is room.
    """
    least = _f1(inside.sum(), group.sum(), inside.sum())
    own = [trait for trait in parts if trait.text != AVERAGE]
    for number in range(min(len(own), MOST_PARTS - 1), min(fewest, len(own)) - 1, -1):
        best = _best(columns, inside, group, own[:number])
        if best is not None and best.score > least:
            return [*own[:number], best.trait]
    return parts


def _best(columns: Sequence[_Column], inside: np.ndarray, true: np.ndarray, before: Sequence[Trait]) -> _Part | None:
    """The part that separates a segment best from some other customers, as long as it fits into the name.

    Args:
      columns: that the part may be of, unless a part before it is of the same column.
      inside: which customers belong to the segment, bool [rows].
      true: among which customers to separate them, bool [rows].
      before: the parts before it.
    """
    size, found = int(inside.sum()), []
    room = LONGEST - sum(len(trait.text) + len(", ") for trait in before)
    used = {trait.column for trait in before}
    groups = [np.flatnonzero(rows) for rows in (inside & true, true, inside)]
    for column in columns:
        if column.values.column in used:
            continue
        own, every, members = (column.values.counts(rows) for rows in groups)
        for trait in column.traits:
            if len(trait.text) > room:
                continue
            chosen = list(trait.codes)
            score = _f1(own[chosen].sum(), every[chosen].sum(), size)
            rare = bool(members[chosen].sum() < TYPICAL * size)
            # Two decimals, so that of traits that separate about equally well the shorter one is taken.
            merit = round(score - trait.cost, 2)
            found.append((rare, -merit, len(trait.text), trait.text, trait.column, trait, score, column.values.codes))
    if not found:
        return None
    *_, trait, score, codes = min(found, key=lambda entry: entry[:5])
    return _Part(trait, score, true & np.isin(codes, trait.codes))


def _f1(own: int, every: int, size: int) -> float:
    """F1 of a description: of `every` customers whom it is true of, `own` are among the segment's `size` ones."""
    return float(2 * own / (every + size))


def _nearest(points: np.ndarray) -> np.ndarray:
    """The distance from each point [n, D] to the nearest other one; infinite where there is no other."""
    distances = cdist(points, points)
    np.fill_diagonal(distances, np.inf)
    return distances.min(axis=1, initial=np.inf)


def _unique(names: Sequence[str], order: Sequence[int]) -> tuple[str, ...]:
    """Numbers equal names from the second one on, in this order of segments."""
    taken: dict[int, str] = {}
    for segment in order:
        text, number = names[segment], 2
        while text in taken.values():
            text, number = f"{names[segment]} ({number})", number + 1
        taken[segment] = text
    return tuple(taken[segment] for segment in range(len(names)))
