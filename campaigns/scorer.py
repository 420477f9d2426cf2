"""Turns rows into scored customers by asking the models that serve."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from campaigns.lists import LONGEST_IDENTIFIER
from campaigns.records import Customer
from campaigns.row_warnings import RowWarnings
from campaigns.served import ServedModel
from data.contract import Contract
from data.csv_rows import number_or_missing
from data.errors import BadFileError
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from serving.client import Client


@dataclass(frozen=True)
class Answers:
    """What the models answer for some rows.

    Attributes:
      probabilities: of the purchase model [rows].
      purchases: its decisions, 0 or 1 [rows].
      segments: names of segments [rows]; None where no model has them.
      seconds: how long the purchase model took.
    """

    probabilities: Sequence[float]
    purchases: Sequence[int]
    segments: Sequence[str] | None
    seconds: float


class Scorer:
    """Scores rows of one list with one version of the purchase model; use it as a context manager.

    Args:
      server: address of the model server.
      model: the purchase model.
      segments: the segment model; None where customers get no segment.
      rules: what the rows of the file were read by, see `lists.of_list`.
      identifier: the column that identifies customers; None for the row's number.
    """

    def __init__(
        self,
        server: str,
        model: ServedModel,
        segments: ServedModel | None,
        rules: Contract,
        identifier: str | None,
    ):
        self._purchase = _Asker(server, model)
        self._segments = _Asker(server, segments) if segments else None
        self._warnings = RowWarnings(rules, model.profile)
        self._identifier = identifier

    def ask(self, values: pa.RecordBatch, cells: pa.RecordBatch) -> Answers:
        """What the models answer for rows.

        Args:
          values, cells: the rows as `data.reader.Block` has them. Inputs of the segment model that are not among the
            values are taken from the cells.

        Raises:
          ServiceError: see `serving.client.Client.predict_columns`.
        """
        columns = dict(zip(values.schema.names, map(_list, values.columns), strict=True))
        started = time.monotonic()
        outputs = self._purchase.ask(columns)
        seconds = time.monotonic() - started
        probabilities, purchases = outputs[PURCHASE_MODEL.score], outputs[PURCHASE_MODEL.decision]
        if self._segments is None:
            return Answers(probabilities, purchases, None, seconds)
        for name, is_text in self._segments.inputs.items():
            if name not in columns:  # a number that cannot be read counts as missing: a segment refuses no row
                texts = _list(cells.column(name))
                columns[name] = texts if is_text else list(map(number_or_missing, texts))
        return Answers(probabilities, purchases, self._segments.ask(columns)[SEGMENT_MODEL.score], seconds)

    def customers(
        self, rows: Sequence[int], values: pa.RecordBatch, cells: pa.RecordBatch, answers: Answers
    ) -> list[Customer]:
        """Customers without rank.

        Args:
          rows: their places in the file.
          values, cells: the rows as `data.reader.Block` has them.
          answers: of the models for these rows.

        Raises:
          BadFileError: an identifier is too long to be one.
        """
        segments: Sequence[str | None] = answers.segments or [None] * len(rows)
        names, texts = cells.schema.names, [_list(column) for column in cells.columns]
        identifiers = _identifiers(rows, texts[names.index(self._identifier)] if self._identifier else None)
        return [
            Customer(row, identifier, dict(zip(names, row_cells, strict=True)), probability, segment, found)
            for row, identifier, row_cells, probability, segment, found in zip(
                rows,
                identifiers,
                zip(*texts, strict=True),
                answers.probabilities,
                segments,
                self._warnings.of(values),
                strict=True,
            )
        ]

    def close(self) -> None:
        self._purchase.close()
        if self._segments:
            self._segments.close()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _identifiers(rows: Sequence[int], cells: Sequence[str] | None) -> Sequence[str]:
    """Of customers: the cells, where there are some. A blank one gets a name that no other customer's cell may have."""
    if cells is None:
        return list(map(str, rows))
    for row, cell in zip(rows, cells, strict=True):
        if len(cell) > LONGEST_IDENTIFIER:
            raise BadFileError(
                f"row {row:,}: got an identifier of {len(cell):,} characters, expected at most {LONGEST_IDENTIFIER}; "
                "is the right column named as the identifier, and is each quote closed?"
            )
    return [cell if cell.strip() else f"row {row}" for row, cell in zip(rows, cells, strict=True)]


class _Asker:
    """Asks one version of a model, whatever else the server loads meanwhile."""

    def __init__(self, server: str, model: ServedModel):
        self._client = Client(server, model.name, attempts=1, version=model.version)
        self.inputs = model.inputs

    def ask(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """The outputs by name."""
        return self._client.predict_columns({name: columns[name] for name in self.inputs})

    def close(self) -> None:
        self._client.close()


def _list(column: pa.Array) -> list[Any]:
    """The values of a column; numpy is several times faster here than Arrow's own `to_pylist`."""
    return column.to_numpy(zero_copy_only=False).tolist()
