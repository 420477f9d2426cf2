"""Files that a model's outputs are written to, beside the columns of the customers."""

from __future__ import annotations

import csv
import json
import re
import shutil
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

from data.errors import BadFileError, BadOptionError

_SIGNS = frozenset("=+-@")
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)


class OutputFile:
    """A CSV file with all columns of the customers, then some outputs of the model.

    Columns with the names of the outputs are replaced, so that a file can be scored again. Cells that a spreadsheet
    would run as a formula get a leading apostrophe.

    Args:
      file: to write to.
      delimiter: between cells.
      columns: of the customers.
      outputs: names of the outputs to write, in this order.
    """

    def __init__(self, file: TextIO, delimiter: str, columns: Sequence[str], outputs: Sequence[str]):
        self._kept = [name for name in columns if name not in outputs]
        self._outputs = outputs
        self._writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        self._writer.writerow([*map(neutral, self._kept), *outputs])

    def write(self, cells: pa.RecordBatch, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Writes customers and, for each, the outputs by name."""
        columns = [list(map(neutral, cells.column(name).to_pylist())) for name in self._kept]
        columns += [[_cell(prediction[name]) for prediction in predictions] for name in self._outputs]
        self._writer.writerows(zip(*columns, strict=True))


def _cell(value: Any) -> str:
    return neutral(value) if isinstance(value, str) else json.dumps(value)


def neutral(cell: str) -> str:
    """The cell with an apostrophe in front if a spreadsheet may run it as a formula; numbers stay as they are.

    As OWASP has it ("CSV Injection"), a cell must not begin with `=`, `+`, `-`, `@`, a tab or a line end. Signs of
    other widths count too, and blanks and characters that cannot be seen may stand in front of them.
    """
    if not cell or cell[0].isalnum() or not (cell[0] in "\t\r\n" or _begins_formula(cell)):
        return cell
    return cell if _NUMBER.fullmatch(cell) else "'" + cell


def _begins_formula(cell: str) -> bool:
    first = next((one for one in cell if not one.isspace() and unicodedata.category(one) not in ("Cc", "Cf")), "")
    return unicodedata.normalize("NFKC", first) in _SIGNS


@contextmanager
def new_file(target: Path) -> Iterator[TextIO]:
    """A file that takes the target's name when the block ends well, and vanishes otherwise.

    Raises:
      BadFileError: the file cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        output = partial.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise BadFileError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        with output:
            yield output
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """An empty folder that takes the target's name when the block ends well, and vanishes otherwise.

    Raises:
      BadOptionError: the target holds something, which could be mistaken for a result.
      BadFileError: the folder cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        if target.exists() and any(target.iterdir()):
            raise BadOptionError(f"{target}: the folder is not empty; empty it or name another one")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
    except OSError as error:
        raise BadFileError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        yield partial
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
