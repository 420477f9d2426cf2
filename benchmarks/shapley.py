"""Shapley values of columns by definition, to compare the model's explanations with.

The game is that of SHAP's KernelExplainer: v(S) is the mean logit of rows that have the columns S of the customer and
the other columns of background rows. The functions know nothing of the model but its logit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import comb

import numpy as np

Columns = Mapping[str, np.ndarray]
Logit = Callable[[Columns], np.ndarray]
"""From raw columns [rows] to logits [rows]."""


def exact(logit: Logit, rows: Columns, background: Columns, names: Sequence[str]) -> np.ndarray:
    """Exact Shapley values [rows, names]: every set of columns against every background row."""
    count, size = len(rows[names[0]]), len(background[names[0]])

    def value(kept: frozenset[str]) -> np.ndarray:
        mixed = {
            name: np.repeat(rows[name], size) if name in kept else np.tile(background[name], count) for name in names
        }
        return logit(mixed).reshape(count, size).mean(axis=1)

    others = range(len(names) + 1)
    values = {frozenset(kept): value(frozenset(kept)) for length in others for kept in combinations(names, length)}
    shares = np.zeros((count, len(names)))
    for i, name in enumerate(names):
        for kept, without in values.items():
            if name not in kept:
                weight = 1.0 / (len(names) * comb(len(names) - 1, len(kept)))
                shares[:, i] += weight * (values[kept | {name}] - without)
    return shares


def sampled(
    logit: Logit, rows: Columns, background: Columns, names: Sequence[str], permutations: int, seed: int
) -> np.ndarray:
    """Shapley values [rows, names] estimated with random orders of the columns, each forwards and backwards.

    Each order starts from a random background row, so that the estimate has no bias.
    """
    random = np.random.default_rng(seed)
    count, size = len(rows[names[0]]), len(background[names[0]])
    total = np.zeros((count, len(names)))
    for _ in range(permutations):
        order, start = random.permutation(len(names)), random.integers(size, size=count)
        for columns in (order, order[::-1]):
            mixed = {name: background[name][start] for name in names}
            before = logit(mixed)
            for column in columns:
                mixed[names[column]] = rows[names[column]]
                after = logit(mixed)
                total[:, column] += after - before
                before = after
    return total / (2 * permutations)
