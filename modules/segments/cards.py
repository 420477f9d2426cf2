"""What is told about each segment: what sets it apart, its typical customer, what its customers own or do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.economics import wilson
from analysis.segmentation import Median, Scatter, Segment, ValueShare
from data.contract import Contract, View
from modules.segments import words
from modules.segments.values import Values, divide, numbers

MOST_OVER_REPRESENTED = 3
LEAST_SHARE = 0.05
"""A value that fewer customers of a segment have does not set it apart."""
LEAST_INDEX = 1.1
"""Neither does a value that is hardly more frequent than among all customers."""
QUANTILES = 50
"""Of the silhouettes of a segment, for the plot."""
MOST_POINTS = 1500
"""Of the picture."""


def segments(
    raw: Mapping[str, np.ndarray],
    segments: np.ndarray,
    distances: np.ndarray,
    silhouettes: Mapping[int, np.ndarray],
    names: Sequence[str],
    continues: Sequence[str | None],
    contract: Contract,
    view: View,
    shares: Mapping[str, np.ndarray],
    rows: np.ndarray,
    outlier_distance: float,
) -> tuple[Segment, ...]:
    """Describes each segment by customers of the training split.

    Args:
      raw: raw columns of the customers, [rows] each, with the label where the contract has one.
      segments: of the same customers, int [rows].
      distances: of the same customers to the centre of their segment, float32 [rows].
      silhouettes: of some customers of each segment; a segment may be absent.
      names: of the segments, [k].
      continues: name of the earlier segment that each segment continues, [k].
      contract: types, units and values of the columns.
      view: which columns form the segments, and which describe them.
      shares: of the customers of each split by segment, [k] each.
      rows: customers of the training split by segment, int [k].
      outlier_distance: beyond it a customer is an outlier.

    Returns:
      By number. A segment without customers has no typical customer and no label rate, and its figures are NaN.
    """
    columns = {name: divide(raw, name, contract) for name in (*view.columns, *view.describe)}
    values = {name: numbers(raw, name, contract) for name in columns if name in contract.numeric}
    label = raw[contract.label.name] if contract.label else None
    cards = []
    for number, name in enumerate(names):
        inside = segments == number
        quality = np.asarray(silhouettes.get(number, ()), np.float64)
        rate, low, high = _label_rate(label, inside)
        cards.append(
            Segment(
                number=number,
                name=name,
                continues=continues[number],
                shares={split: float(share[number]) for split, share in shares.items()},
                rows=int(rows[number]),
                silhouette=float(quality.mean()) if quality.size else float("nan"),
                silhouettes=_quantiles(quality),
                over_represented=_over_represented([columns[name] for name in view.columns], inside),
                medians=_medians(values, view.columns, inside, contract),
                typical=_typical(raw, values, columns, inside, distances, contract),
                described=_described([columns[name] for name in view.describe], inside),
                described_medians=_medians(values, view.describe, inside, contract),
                label_rate=rate,
                label_low=low,
                label_high=high,
                outliers=float(np.mean(distances[inside] > outlier_distance)) if inside.any() else 0.0,
            )
        )
    return tuple(cards)


def scatter(features: np.ndarray, segments: np.ndarray) -> Scatter:
    """A picture of customers in two dimensions; the same customers give the same picture.

    Args:
      features: transformed columns, float32 [rows, D].
      segments: of the same customers, int [rows].

    Returns:
      At most `MOST_POINTS` customers, each segment in proportion and with at least one, on the first two principal
      components. Each component points to where its largest loading is positive.
    """
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(centred.T @ centred / max(len(features), 1))
    total, width = max(float(variances.sum()), np.finfo(np.float64).tiny), features.shape[1]
    axes = directions[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    picked = _stratified(segments)
    points = np.pad(centred[picked] @ axes, ((0, 0), (0, max(0, 2 - width))))
    explained = np.pad(np.maximum(variances[::-1][:2], 0.0) / total, (0, max(0, 2 - width)))
    x, y = np.round(points, 4).T.tolist()
    return Scatter(tuple(x), tuple(y), tuple(segments[picked].tolist()), (float(explained[0]), float(explained[1])))


def _stratified(segments: np.ndarray) -> np.ndarray:
    """Indices of rows, evenly spaced within each segment."""
    found, counts = np.unique(segments, return_counts=True)
    if len(segments) <= MOST_POINTS:
        return np.arange(len(segments))
    picked = []
    for segment, count in zip(found, counts, strict=True):
        wanted = max(1, int((MOST_POINTS - len(found)) * count / len(segments)))
        picked.append(np.flatnonzero(segments == segment)[np.linspace(0, count - 1, wanted).astype(int)])
    return np.sort(np.concatenate(picked))


def _quantiles(values: np.ndarray) -> tuple[float, ...]:
    return tuple(np.quantile(values, np.linspace(0, 1, QUANTILES)).tolist()) if values.size else ()


def _interval(count: int, trials: int) -> tuple[float, float, float]:
    """A share with its 95 % interval; NaN, 0 and 1 where there are no trials."""
    low, high = wilson(count, trials)
    share = count / trials if trials else float("nan")
    return share, min(low, share) if trials else low, max(high, share) if trials else high  # despite rounding


def _shares(values: Values, inside: np.ndarray) -> list[ValueShare]:
    """How frequent each value of a column is in a segment; the shares sum to 1."""
    own, overall = values.counts(inside), values.counts() / max(len(inside), 1)
    trials = int(own.sum())
    return [
        ValueShare(values.column, text, *_interval(int(count), trials), float(average))
        for text, count, average in zip(values.texts, own, overall, strict=True)
    ]


def _over_represented(columns: Sequence[Values], inside: np.ndarray) -> tuple[ValueShare, ...]:
    """The values that set a segment apart, at most one of each column.

    They are ranked by share times the logarithm of the index, the value's term of the Kullback-Leibler divergence of
    the segment from all customers: the index alone would prefer rare values, and the difference of shares common ones.
    """
    best = []
    for values in columns:
        found = [
            s
            for s in _shares(values, inside)
            if s.share >= LEAST_SHARE and s.index >= LEAST_INDEX and s.low > s.overall
        ]
        best += sorted(found, key=lambda s: -_divergence(s))[:1]
    return tuple(sorted(best, key=lambda s: -_divergence(s))[:MOST_OVER_REPRESENTED])


def _divergence(value: ValueShare) -> float:
    return value.share * float(np.log(value.index))


def _described(columns: Sequence[Values], inside: np.ndarray) -> tuple[ValueShare, ...]:
    """All values of the columns by the lift that is sure: the lower end of the interval over the overall share."""
    values = [share for column in columns for share in _shares(column, inside)]
    return tuple(sorted(values, key=lambda s: (-s.low / s.overall, -s.share)))


def _medians(
    values: Mapping[str, np.ndarray], columns: Sequence[str], inside: np.ndarray, contract: Contract
) -> tuple[Median, ...]:
    """Of those columns that are numbers."""
    found = []
    for name in columns:
        if name not in values:
            continue
        known = ~np.isnan(values[name])
        present, own = values[name][known], values[name][known & inside]
        # A median of the few customers whose value is known would speak for all the others.
        own = own if 2 * own.size >= inside.sum() else own[:0]
        median, overall = (float(np.median(part)) if part.size else float("nan") for part in (own, present))
        position = float(np.mean(present < median) + np.mean(present <= median)) / 2 if own.size else float("nan")
        # A float32 has seven digits.
        found.append(
            Median(name, contract.numeric[name].unit, float(f"{median:.7g}"), float(f"{overall:.7g}"), position)
        )
    return tuple(found)


def typical_row(inside: np.ndarray, distances: np.ndarray) -> int | None:
    """The index of the customer nearest to the centre of a segment; None where the segment has no customers.

    Args:
      inside: which customers are in the segment, bool [rows].
      distances: of the customers to the centre of their segment, [rows].
    """
    return int(np.argmin(np.where(inside, distances, np.inf))) if inside.any() else None


def _typical(
    raw: Mapping[str, np.ndarray],
    values: Mapping[str, np.ndarray],
    columns: Mapping[str, Values],
    inside: np.ndarray,
    distances: np.ndarray,
    contract: Contract,
) -> dict[str, str]:
    """The customer nearest to the centre of the segment; empty where it has no customers."""
    row = typical_row(inside, distances)
    if row is None:
        return {}
    return {
        name: words.amount(values[name][row], contract.numeric[name])
        if name in values
        else raw[name][row].decode("utf-8", "replace") or words.MISSING
        for name in columns
    }


def _label_rate(label: np.ndarray | None, inside: np.ndarray) -> tuple[float | None, float | None, float | None]:
    if label is None or not inside.any():
        return None, None, None
    return _interval(int(label[inside].sum()), int(inside.sum()))
