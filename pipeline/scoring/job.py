"""A job that scores files of customers part by part: what its workers have to know, and its files.

Each part becomes one file in the job's folder, under a temporary name until it is whole. A part whose outcome is there
is not scored again, so a job that was stopped goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from data.csv_parts import Part


@dataclass(frozen=True)
class Task:
    """A part of a file, numbered over all files."""

    number: int
    file: str
    part: Part


@dataclass(frozen=True)
class Outcome:
    """What came of a part.

    Attributes:
      rows: that were scored.
      bad: rows that cannot be read.
      messages: the first of them.
      error: why the file cannot be read at all; empty where it can.
    """

    rows: int = 0
    bad: int = 0
    messages: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Job:
    """What every worker has to know.

    Attributes:
      model: folder of the SavedModel.
      contract: as JSON; its columns are the inputs of the model.
      plan: values of columns that describe the call, as text.
      folder: for the results.
      format: of the results.
      delimiter: of results that are CSV.
      quarantine: whether bad rows are set aside.
      outputs: the model's outputs that are written.
    """

    model: str
    contract: str
    plan: Mapping[str, str]
    folder: str
    format: Literal["csv", "parquet"]
    delimiter: str
    quarantine: bool
    outputs: tuple[str, ...]

    def result(self, number: int) -> Path:
        """The file with the scored rows of a part."""
        return Path(self.folder) / f"part-{number:05d}.{self.format}"

    def set_aside(self, number: int) -> Path:
        """The file with the bad rows of a part."""
        return Path(self.folder) / f"part-{number:05d}.bad"

    def outcome(self, number: int) -> Outcome | None:
        """What came of a part; None where it is not done."""
        try:
            document = json.loads(self._outcome(number).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Outcome(**{**document, "messages": tuple(document["messages"])})

    def conclude(self, number: int, outcome: Outcome) -> None:
        """Notes what came of a part, after its other files are written. A part that fails stops the other workers."""
        if outcome.error or (outcome.bad and not self.quarantine):
            self._failed.touch()
        with new_file(self._outcome(number)) as output:
            output.write(json.dumps(asdict(outcome)).encode())

    @property
    def failed(self) -> bool:
        """Whether a part has failed, so that the others are in vain."""
        return self._failed.exists()

    @property
    def _failed(self) -> Path:
        return Path(self.folder) / "failed"

    def _outcome(self, number: int) -> Path:
        return Path(self.folder) / f"part-{number:05d}.json"


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes its name when it is whole; another worker may write the same one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as output:
            yield output
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
