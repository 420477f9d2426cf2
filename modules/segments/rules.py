"""A small decision tree that reproduces the segments, as rules in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from analysis.segmentation import Rules
from data.contract import Contract, View
from modules.segments import words
from modules.segments.values import numbers

SMALLEST_LEAF = 0.005
"""A rule is for at least this share of the customers."""
EVERYBODY = "every customer"


@dataclass(frozen=True)
class _Input:
    """An input of the tree.

    Attributes:
      column: raw column.
      category: the input is 1 where the column has this value; None for numbers and ordered categories.
      lowest: of a number, among the training rows; a missing one is a number below it.
      missing: whether a training row has no value.
    """

    column: str
    category: str | None = None
    lowest: float = 0.0
    missing: bool = False


@dataclass(frozen=True)
class _Leaf:
    """A rule: the range of each input, the segment, and training rows, all and of this segment."""

    bounds: dict[int, tuple[float, float]]
    segment: int
    rows: int
    right: int


def rules(
    train_raw: Mapping[str, np.ndarray],
    train_segments: np.ndarray,
    test_raw: Mapping[str, np.ndarray],
    test_segments: np.ndarray,
    names: Sequence[str],
    contract: Contract,
    view: View,
    depth: int = 3,
) -> Rules:
    """Fits a decision tree on raw columns and writes it as rules.

    Args:
      train_raw: raw columns, [rows] each, at least one row.
      train_segments: of the same customers, int [rows].
      test_raw, test_segments: other customers, on whom the accuracy is measured.
      names: of the segments.
      contract: types and units of the columns.
      view: its columns are used.
      depth: most conditions of a rule.

    Returns:
      Each rule with the share of its training customers that are in the segment, and the share of all training
      customers that it is for. The accuracy is NaN without test customers.
    """
    inputs = _inputs(train_raw, contract, view)
    features = _features(train_raw, inputs, contract)
    tree = DecisionTreeClassifier(
        max_depth=depth, min_samples_leaf=max(1, int(SMALLEST_LEAF * len(features))), random_state=0
    ).fit(features, train_segments)
    leaves = _leaves(tree, 0, {})
    lines = tuple(
        f"{_conditions(leaf, inputs, contract)}: {names[leaf.segment]} "
        f"({leaf.right / leaf.rows:.0%} right, {leaf.rows / len(features):.0%} of customers)".replace("%", " %")
        for leaf in sorted(leaves, key=lambda leaf: (leaf.segment, -leaf.rows))
    )
    accuracy = float("nan")
    if len(test_segments):
        accuracy = float(np.mean(tree.predict(_features(test_raw, inputs, contract)) == test_segments))
    return Rules(lines, accuracy, int(tree.get_depth()))


def _inputs(raw: Mapping[str, np.ndarray], contract: Contract, view: View) -> list[_Input]:
    found = []
    for column in view.columns:
        if column in contract.numeric:
            values = numbers(raw, column, contract)
            present = values[~np.isnan(values)]
            lowest = float(present.min()) if present.size else 0.0
            found.append(_Input(column, lowest=lowest, missing=present.size < values.size))
            continue
        texts = {text.decode("utf-8", "replace") for text in set(raw[column].tolist())}
        if contract.categorical[column].ordered:
            found.append(_Input(column, missing=not texts <= set(contract.categorical[column].values)))
        elif len(texts) == 2:
            found.append(_Input(column, max(texts)))
        else:
            found += [_Input(column, text) for text in sorted(texts)]
    return found


def _features(raw: Mapping[str, np.ndarray], inputs: Sequence[_Input], contract: Contract) -> np.ndarray:
    """The inputs of the tree, float32 [rows, inputs]."""
    columns = []
    for entry in inputs:
        if entry.column in contract.numeric:
            below = entry.lowest - abs(entry.lowest) - 1
            columns.append(np.nan_to_num(numbers(raw, entry.column, contract), nan=below))
        elif entry.category is not None:
            columns.append(raw[entry.column] == entry.category.encode())
        else:
            rank = {text.encode(): place for place, text in enumerate(contract.categorical[entry.column].values)}
            columns.append(np.array([rank.get(text, -1) for text in raw[entry.column].tolist()]))
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)


def _leaves(tree: DecisionTreeClassifier, node: int, bounds: dict[int, tuple[float, float]]) -> list[_Leaf]:
    """The leaves below a node; two with the same segment and parent are one."""
    nodes = tree.tree_
    rows = int(nodes.n_node_samples[node])
    own = nodes.value[node, 0] / nodes.value[node, 0].sum()
    place = int(own.argmax())
    leaf = _Leaf(bounds, int(tree.classes_[place]), rows, round(own[place] * rows))
    if nodes.children_left[node] < 0:
        return [leaf]
    entry, threshold = int(nodes.feature[node]), float(nodes.threshold[node])
    low, high = bounds.get(entry, (-np.inf, np.inf))
    left = _leaves(tree, int(nodes.children_left[node]), {**bounds, entry: (low, min(high, threshold))})
    right = _leaves(tree, int(nodes.children_right[node]), {**bounds, entry: (max(low, threshold), high)})
    if len(left) == len(right) == 1 and left[0].segment == right[0].segment:
        return [leaf]
    return left + right


def _conditions(leaf: _Leaf, inputs: Sequence[_Input], contract: Contract) -> str:
    parts: dict[str, list[str]] = {}
    excluded: dict[str, list[str]] = {}
    for place, (low, high) in leaf.bounds.items():
        entry = inputs[place]
        if entry.category is None:
            bound = _range if entry.column in contract.numeric else _levels
            parts[entry.column] = [f"{entry.column} {bound(low, high, entry, contract)}"]
        elif low >= 0:
            parts[entry.column] = [f"{entry.column} is {entry.category or words.MISSING}"]
        else:
            excluded.setdefault(entry.column, []).append(entry.category)
    for column, categories in excluded.items():
        if column not in parts:
            parts[column] = [_without(column, categories, inputs, contract)]
    return " and ".join(text for texts in parts.values() for text in texts) or EVERYBODY


def _without(column: str, categories: Sequence[str], inputs: Sequence[_Input], contract: Contract) -> str:
    rules = contract.categorical[column]
    others = [text for text in rules.domain if text not in categories]
    if len(others) == 1:
        return f"{column} is {others[0] or words.MISSING}"
    return f"{column} is not {' or '.join(text or words.MISSING for text in categories)}"


def _range(low: float, high: float, entry: _Input, contract: Contract) -> str:
    """`over 53 years`, `34 to 48 years`, `up to 3 calls or missing`, `missing`, `given`."""
    rules = contract.numeric[entry.column]
    if high < entry.lowest:
        return words.MISSING
    missing = " or missing" if entry.missing and low < entry.lowest and np.isinf(low) else ""
    low = low if low >= entry.lowest else -np.inf
    if np.isinf(low) and np.isinf(high):
        return "given"
    if rules.integer:
        low, high = np.floor(low), np.floor(high)
        if high == entry.lowest and np.isinf(low):
            return words.amount(high, rules) + missing
    return words.between(low, high, rules) + missing


def _levels(low: float, high: float, entry: _Input, contract: Contract) -> str:
    """`up to primary`, `from secondary`, `secondary to tertiary`, `missing`."""
    values = contract.categorical[entry.column].values
    first, last = max(int(np.floor(low)) + 1 if np.isfinite(low) else -1, -1), min(high, len(values) - 1)
    last = int(np.floor(last))
    if last < 0:
        return words.MISSING
    missing = " or missing" if entry.missing and first < 0 else ""
    first = max(first, 0)
    if first == last:
        return f"is {values[first]}{missing}"
    if first == 0:
        return (f"up to {values[last]}" if last < len(values) - 1 else "given") + missing
    return f"from {values[first]}" if last == len(values) - 1 else f"{values[first]} to {values[last]}"
