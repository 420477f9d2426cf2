"""Turns rows into scored customers by asking the models that serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from campaigns.records import Customer
from campaigns.row_warnings import RowWarnings
from campaigns.served import ServedModel
from data.contract import Contract
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from serving.client import Client


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

    def score(self, rows: Sequence[int], values: pa.RecordBatch, cells: pa.RecordBatch) -> list[Customer]:
        """Customers without rank.

        Args:
          rows: their places in the file.
          values, cells: the rows as `data.reader.Block` has them.

        Raises:
          ServiceError: see `serving.client.Client.predict`.
        """
        columns = dict(zip(values.schema.names, map(_list, values.columns), strict=True))
        answers = self._purchase.ask(columns)
        named = [answer[SEGMENT_MODEL.score] for answer in self._segments.ask(columns)] if self._segments else None
        texts = dict(zip(cells.schema.names, map(_list, cells.columns), strict=True))
        identifiers = texts[self._identifier] if self._identifier else [""] * len(rows)
        names = [*texts]
        warnings = self._warnings.of(values)
        return [
            Customer(
                row=row,
                identifier=identifiers[index] or str(row),
                cells=dict(zip(names, row_cells, strict=True)),
                probability=answers[index][PURCHASE_MODEL.score],
                segment=named[index] if named else None,
                warnings=warnings[index],
            )
            for index, (row, row_cells) in enumerate(zip(rows, zip(*texts.values(), strict=True), strict=True))
        ]

    def close(self) -> None:
        self._purchase.close()
        if self._segments:
            self._segments.close()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Asker:
    """Asks one version of a model, whatever else the server loads meanwhile."""

    def __init__(self, server: str, model: ServedModel):
        self._client = Client(server, model.name, attempts=1, version=model.version)
        self._inputs = [*model.inputs]

    def ask(self, columns: Mapping[str, Sequence[Any]]) -> list[Any]:
        chosen = [columns[name] for name in self._inputs]
        return self._client.predict([dict(zip(self._inputs, row, strict=True)) for row in zip(*chosen, strict=True)])

    def close(self) -> None:
        self._client.close()


def _list(column: pa.Array) -> list[Any]:
    """The values of a column; numpy is several times faster here than Arrow's own `to_pylist`."""
    return column.to_numpy(zero_copy_only=False).tolist()
