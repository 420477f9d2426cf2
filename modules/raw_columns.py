"""Raw columns of many rows in little memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np


class RawColumns(Mapping[str, np.ndarray]):
    """Raw columns by name. A text takes one or two bytes, since it is kept as its place among the column's values.

    As a mapping it gives each column as an array [rows], made when it is asked for: float32 numbers, texts as bytes
    objects, which rows with the same text share, and the label and `call_day` as int64.

    Args:
      cells: by column, [rows]: float32 numbers, unsigned places of texts, or other whole numbers.
      texts: by column of texts, its values as bytes objects [values].
    """

    def __init__(self, cells: Mapping[str, np.ndarray], texts: Mapping[str, np.ndarray]):
        self.cells, self.texts = cells, texts

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.cells.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        cells = self.cells[name]
        if name in self.texts:
            return self.texts[name][cells]
        return cells.astype(np.int64) if np.issubdtype(cells.dtype, np.integer) else cells

    def __iter__(self) -> Iterator[str]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def take(self, rows: np.ndarray | slice) -> RawColumns:
        """The same columns of some rows."""
        return RawColumns({name: cells[rows] for name, cells in self.cells.items()}, self.texts)

    def replaced(self, numbers: Mapping[str, np.ndarray]) -> RawColumns:
        """The same rows with other numbers, float32 [rows] by column."""
        return RawColumns({**self.cells, **numbers}, self.texts)
