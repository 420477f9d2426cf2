"""Which rows to take where there are more than are needed."""

from __future__ import annotations

import numpy as np


def drawn(count: int, most: int, generator: np.random.Generator) -> np.ndarray:
    """Places of all rows, int [count]; where there are more than `most`, of so many drawn at random, in order."""
    return np.arange(count) if count <= most else np.sort(generator.choice(count, most, replace=False))


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """Places of at most so many rows, int, evenly spaced from the first to the last."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)
