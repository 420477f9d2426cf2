"""Finds the rows whose identifiers occur again in a later row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data.contract import BLANKS, MISSING_TEXT, Contract
from data.csv_parts import FilePart
from modules.ingest import read_ahead

_BLANK = np.uint64(0)
"""Stands for a row without identifiers."""


def repeated_rows(parts: Sequence[FilePart], contract: Contract) -> list[np.ndarray]:
    """Reads the files, as one sequence, to find the rows whose identifiers occur again in a later row.

    All identifiers of a row together are kept as a hash of 64 bits. Two customers of n have the same hash with a chance
    of about n^2 / 2^65, which is 1 in 370,000 for ten million rows. A row whose identifiers are all blank is a customer
    of its own. It takes 25 bytes of memory for each row.

    Args:
      parts: of files, in the order of their rows.
      contract: what the columns mean; it has identifiers.

    Returns:
      For each part, bool [rows that can be read].

    Raises:
      BadFileError: as :func:`data.reader.read`.
    """
    by_part = [_hashes(part, contract) for part in parts]
    ends = np.cumsum([len(found) for found in by_part])
    hashes = np.concatenate(by_part)
    del by_part
    # A stable sort leaves rows of the same customer in the order of the files.
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    repeated = np.zeros(len(hashes), bool)
    repeated[order[:-1]] = (hashes[:-1] == hashes[1:]) & (hashes[:-1] != _BLANK)
    return np.split(repeated, ends[:-1])


def _hashes(part: FilePart, contract: Contract) -> np.ndarray:
    """A hash of the identifiers of each row that can be read, uint64 [rows]."""
    found = [np.empty(0, np.uint64)]
    for block in read_ahead(part, contract):
        if block.cells is not None:
            found.append(_hash(block.cells, contract.identifiers))
    return np.concatenate(found)


def _hash(cells: pa.RecordBatch, identifiers: Sequence[str]) -> np.ndarray:
    frame = cells.to_pandas()[[*identifiers]]
    hashes = pd.util.hash_pandas_object(frame, index=False, categorize=False).to_numpy(copy=True)
    blank = np.ones(len(hashes), bool)
    for column in map(cells.column, identifiers):
        blank &= pc.equal(pc.utf8_trim(column, characters=BLANKS), MISSING_TEXT).to_numpy(zero_copy_only=False)
    hashes[blank] = _BLANK
    return hashes
