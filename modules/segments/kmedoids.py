"""K-Medoids by FasterPAM, on a matrix of distances.

Schubert and Rousseeuw, Fast and eager k-medoids clustering, Information Systems 101 (2021), arXiv:2008.05171. Their
algorithm tries one row after the other as a new medoid and swaps as soon as the loss falls. Here a block of rows is
tried at once, in one matrix product, and the best swap of the block is made.
"""

from __future__ import annotations

import numpy as np

BLOCK = 128
"""Rows that are tried as new medoids at once. The products of one block fit into the processor's cache."""


def fasterpam(distances: np.ndarray, clusters: int, generator: np.random.Generator) -> np.ndarray:
    """Finds rows whose distances to all rows are small in sum.

    Args:
      distances: between all rows, float32 [n, n], symmetric, 0 on the diagonal.
      clusters: number k of medoids, at most n.
      generator: draws the first medoids.

    Returns:
      The rows that are medoids, int64 [k], in rising order. No swap of one medoid for one other row lowers the loss,
      which is the sum over rows of the distance to the nearest medoid.
    """
    rows = len(distances)
    medoids = _first(distances, clusters, generator)
    if clusters == rows:
        return np.sort(medoids)
    state = _State(distances, medoids)
    order = generator.permutation(rows)
    blocks = [order[start : start + BLOCK] for start in range(0, rows, BLOCK)]
    since_swap, position = 0, 0
    while since_swap < len(blocks):
        swapped = state.improve(blocks[position])
        since_swap = 0 if swapped else since_swap + 1
        # A block is left only when it holds no better medoid.
        position = position if swapped else (position + 1) % len(blocks)
    return np.sort(state.medoids)


class _State:
    """The current medoids, and for each row the distances to the nearest two of them."""

    def __init__(self, distances: np.ndarray, medoids: np.ndarray) -> None:
        self._distances = distances
        self._set(medoids)

    def _set(self, medoids: np.ndarray) -> None:
        to_medoids = self._distances[medoids]
        every = np.arange(to_medoids.shape[1])
        self.medoids = medoids
        self._owner = to_medoids.argmin(axis=0)
        self._nearest = to_medoids[self._owner, every]
        to_medoids[self._owner, every] = np.inf
        self._second = to_medoids.min(axis=0)
        self.loss = float(self._nearest.sum(dtype=np.float64))
        # With one medoid there is no second one: removing it costs nothing that the new medoid does not pay.
        if len(medoids) == 1:
            self._second = np.full_like(self._nearest, self._distances.max())
        self._members = np.zeros((len(every), len(medoids)), np.float32)
        self._members[every, self._owner] = 1

    def improve(self, block: np.ndarray) -> bool:
        """Makes the best swap of a medoid for a row of the block; False where none lowers the loss."""
        change = self._changes(block)
        row, medoid = divmod(int(change.argmin()), change.shape[1])
        if change[row, medoid] >= 0:
            return False
        before = self.medoids, self.loss
        swapped = self.medoids.copy()
        swapped[medoid] = block[row]
        self._set(swapped)
        # The products are rounded to float32, so that the loss itself decides. It falls with every swap.
        if self.loss < before[1] * (1 - 1e-7):
            return True
        self._set(before[0])
        return False

    def _changes(self, block: np.ndarray) -> np.ndarray:
        """Change of the loss [len(block), k], if a row of the block replaces a medoid.

        A row o pays min(d, nearest) where its medoid stays, and min(d, second) where its medoid goes, with d the
        distance to the new medoid.
        """
        goes = np.minimum(self._distances[block], self._second)
        stays = np.minimum(goes, self._nearest)
        gain = stays.sum(axis=1) - self._nearest.sum()
        goes -= stays
        return goes @ self._members + gain[:, None]


def _first(distances: np.ndarray, clusters: int, generator: np.random.Generator) -> np.ndarray:
    """Different rows, each drawn with a probability in proportion to its distance to the rows drawn before it."""
    rows = len(distances)
    chosen = [int(generator.integers(rows))]
    nearest = distances[chosen[0]].astype(np.float64)
    while len(chosen) < clusters:
        nearest[chosen] = 0
        total = nearest.sum()
        if total > 0:
            row = int(generator.choice(rows, p=nearest / total))
        else:
            row = int(generator.choice(np.setdiff1d(np.arange(rows), chosen)))
        chosen.append(row)
        nearest = np.minimum(nearest, distances[row])
    return np.array(chosen, np.int64)
