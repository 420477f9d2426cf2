"""Synthetic customers, encoded as the segmentation takes them."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from modules.segments.rows import Rows


def encode(numbers: np.ndarray, categories: np.ndarray | None = None) -> Rows:
    """Standardised numbers [n, m] with flags for missing ones, and one-hot categories [n, l] given as indices."""
    features, owners, gower = [], [], []
    for column in numbers.T:
        missing = np.isnan(column)
        known = column[~missing] if not missing.all() else np.zeros(1)
        deviation = known.std() or 1.0
        scaled = np.where(missing, 0, (column - known.mean()) / deviation)
        parts = [scaled, missing] if missing.any() else [scaled]
        ranks = np.full(len(column), np.nan)
        ranks[~missing] = (rankdata(column[~missing]) - 1) / max(len(known) - 1, 1)
        owners += [len(gower)] * len(parts)
        features += parts
        gower.append(ranks)
    for column in [] if categories is None else categories.T:
        values = np.unique(column)
        owners += [len(gower)] * len(values)
        features += [(column == value) / np.sqrt(2) for value in values]
        gower.append(column)
    return Rows(
        np.stack(features, axis=1).astype(np.float32),
        np.array(owners),
        np.stack(gower, axis=1).astype(np.float32),
        np.arange(len(gower)) >= numbers.shape[1],
        tuple(f"column{i}" for i in range(len(gower))),
    )


def kinds(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three kinds of customers: three numbers and two categories of each, and the kind itself."""
    generator = np.random.default_rng(seed)
    kind = generator.choice(3, rows, p=[0.5, 0.3, 0.2])
    centers = np.array([[0, 0, 0], [6, 0, 3], [0, 6, -3]])
    numbers = centers[kind] + generator.normal(size=(rows, 3))
    usual = generator.uniform(size=(rows, 2)) < 0.9
    categories = np.where(usual, kind[:, None], generator.integers(0, 3, (rows, 2)))
    return numbers, categories, kind
