"""Rows that wait on disk while the database does not answer.

A file is named after its first batch and the number of its rows. It has a line of JSON for each batch, and is written
under another name and renamed, so that it is there as a whole or not at all. It holds hashes of identifiers, like the
table.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson

from campaigns.request_log.rows import Batch, Row

FOLDER = "spool"
MOST_BYTES = 256 << 20
"""Of all files; about a million rows without inputs."""
FILE_BYTES = 1 << 20
"""A batch joins the newest file up to this size, so that a long wait does not make a file for each batch."""
_SUFFIX, _PART, _LOCK = ".jsonl", ".part", "lock"
_NAME = re.compile(rf"\d{{19}}-\d+{re.escape(_SUFFIX)}", re.ASCII)


class Spool:
    """A folder of waiting rows, the oldest first.

    Processes take turns by a lock on a file: the writer, and `campaigns.forget`.

    Args:
      folder: it is made if it is not there.
      most: bytes of all files.
    """

    def __init__(self, folder: Path, most: int = MOST_BYTES):
        self._folder, self._most = folder, most
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds other processes off; what changes the spool is to be called inside."""
        with (self._folder / _LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def files(self) -> list[Path]:
        """All files, the oldest first."""
        return sorted(file for file in self._folder.iterdir() if _NAME.fullmatch(file.name))

    def size(self) -> int:
        """Bytes of all files."""
        size = 0
        for file in self.files():
            with suppress(FileNotFoundError):  # written and removed meanwhile
                size += file.stat().st_size
        return size

    def last(self) -> int | None:
        """The number of the batch that was added last; None where the spool is empty."""
        files = self.files()
        batches = self.read(files[-1])[0] if files else []
        return batches[-1].number if batches else None

    def add(self, batch: Batch) -> None:
        """Adds a batch.

        Raises:
          OSError: there is no room on the disk or in the spool. Nothing was added then.
        """
        line = orjson.dumps([batch.number, batch.rows]) + b"\n"
        files = self.files()
        newest = files[-1] if files else None
        before = newest.read_bytes() if newest and newest.stat().st_size < FILE_BYTES else b""
        if self.size() + len(line) > self._most:
            raise OSError(f"{self._folder} is full: {self._most >> 20} MiB")
        if newest and before:
            self._replace(newest, before + line, _first(newest), _rows(newest) + len(batch.rows))
        else:
            self._replace(None, line, batch.number, len(batch.rows))

    def read(self, file: Path) -> tuple[list[Batch], int]:
        """The batches of a file, and the number of rows that cannot be read because the file was damaged."""
        found: list[Batch] = []
        for line in file.read_bytes().splitlines():
            try:
                number, rows = orjson.loads(line)
                found.append(Batch(number, rows))
            except (ValueError, TypeError):
                continue
        return found, max(0, _rows(file) - sum(len(batch.rows) for batch in found))

    def remove(self, file: Path) -> None:
        """Removes a file whose rows are in the database."""
        file.unlink(missing_ok=True)

    def remove_broken_off(self) -> None:
        """Removes what a killed writer has begun."""
        for part in self._folder.glob(f"*{_PART}"):
            part.unlink(missing_ok=True)

    def filter(self, keeps: Callable[[Row], bool]) -> int:
        """Removes rows, and returns how many.

        Args:
          keeps: whether a row stays.
        """
        removed = 0
        for file in self.files():
            batches, _ = self.read(file)
            kept = [Batch(batch.number, [row for row in batch.rows if keeps(row)]) for batch in batches]
            before, after = (sum(len(batch.rows) for batch in some) for some in (batches, kept))
            if before > after:
                removed += before - after
                lines = b"".join(orjson.dumps([batch.number, batch.rows]) + b"\n" for batch in kept)
                self._replace(file, lines, _first(file), after)
        return removed

    def _replace(self, old: Path | None, lines: bytes, first: int, rows: int) -> None:
        new = self._folder / f"{first:019d}-{rows}{_SUFFIX}"
        part = new.with_suffix(_PART)
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
                output.write(lines)
                output.flush()
                os.fsync(output.fileno())
            part.rename(new)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        if old and old != new:
            old.unlink(missing_ok=True)


def _first(file: Path) -> int:
    return int(file.name.partition("-")[0])


def _rows(file: Path) -> int:
    return int(file.stem.partition("-")[2])
