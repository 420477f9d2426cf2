"""Gower's distance between customers with numbers, categories and missing values."""

from __future__ import annotations

import numpy as np

BLOCK = 1 << 20
"""Distances that are computed at once; what belongs to them fits into the processor's cache."""


def gower(rows: np.ndarray, others: np.ndarray, nominal: np.ndarray) -> np.ndarray:
    """Gower's distance (Gower 1971), with all columns weighted alike.

    It is the mean over the columns that are present in both rows of |a - b|, or of "a differs from b" in a column of
    categories; 1 where no column is present in both. The columns are added one after the other in float32, so that the
    same steps elsewhere give the same bits and break ties alike.

    Args:
      rows: float32 [n, C], numbers from 0 to 1 or indices of categories; NaN where missing.
      others: float32 [m, C], likewise.
      nominal: which columns hold indices of categories, bool [C].

    Returns:
      Float32 [n, m].
    """
    distances = np.empty((len(rows), len(others)), np.float32)
    step = max(1, BLOCK // max(1, len(others)))
    for start in range(0, len(rows), step):
        distances[start : start + step] = _block(rows[start : start + step], others, nominal)
    return distances


def _block(rows: np.ndarray, others: np.ndarray, nominal: np.ndarray) -> np.ndarray:
    total = np.zeros((len(rows), len(others)), np.float32)
    present = np.full_like(total, rows.shape[1])
    for column, is_nominal in enumerate(nominal):
        a, b = rows[:, column, None], others[None, :, column]
        difference = (a != b).astype(np.float32) if is_nominal else np.abs(a - b)
        if np.isnan(a).any() or np.isnan(b).any():
            missing = np.isnan(a) | np.isnan(b)
            difference[missing] = 0
            present -= missing
        total += difference
    return np.where(present > 0, total / np.maximum(present, 1), np.float32(1))
