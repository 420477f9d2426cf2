"""What lies in a folder of spans: the labelled calls of each month, in versions, and what was judged of them.

<spans>/span-200903/version-2/rows.csv            the calls of March 2009 in the order of their days
<spans>/span-200903/version-2/sources/<name>.csv  the rows that each file or campaign gave
<spans>/span-200903/version-2/manifest.json       what is in rows.csv: a Manifest
<spans>/span-200903/judgements.json               by version why it is not to be believed, or null where a person
                                                  said that it is

`rows.csv` has all rows of all sources. A correction is a new version; earlier ones stay as they are. Rows of a contract
without dates have no months: the spans are numbered in the order in which their files came, `000001` and so on, and
the number stands for the name of the month.

`data.spans` writes such a folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from data.errors import BadFileError

PATTERN = "span-{SPAN}/version-{VERSION}/rows.csv"
"""The same for TFX's ExampleGen components, which take the newest version of the newest span."""
ROWS, SOURCES, MANIFEST, JUDGEMENTS = "rows.csv", "sources", "manifest.json", "judgements.json"
_SPAN = re.compile(r"span-(\d{6})", re.ASCII)
_VERSION = re.compile(r"version-([1-9]\d*)", re.ASCII)
EPOCH = date(1970, 1, 1)
_FIRST_MONTH = 190001
"""A lower number is not that of a month."""


@dataclass(frozen=True)
class SpanSource:
    """The rows of a span that came from one file or one campaign.

    Attributes:
      name: of the source; rows that come under the same name later replace these.
      file: the name of the file that was read.
      file_sha256: of that file, which may have rows of other months too.
      sha256: of these rows, as they lie in `sources`.
      rows: how many.
      after: the day of the last call before these rows where they continue those of an earlier file in the same month
        and their dates follow from weekdays; else None.
      added: when.
    """

    name: str
    file: str
    file_sha256: str
    sha256: str
    rows: int
    after: date | None
    added: datetime


@dataclass(frozen=True)
class Manifest:
    """What is in a version of a span.

    Attributes:
      contract: name of the data contract.
      rows: in `rows.csv`; 0 where all sources were withdrawn.
      positives: rows with the label's positive value; 0 where the contract has no label.
      first_day, last_day: of the calls; None where rows have no dates.
      calls: on each day with calls, oldest first.
      sha256: of `rows.csv`.
      sources: in the order in which they came.
      written: when.
    """

    contract: str
    rows: int
    positives: int
    first_day: date | None
    last_day: date | None
    calls: tuple[tuple[date, int], ...]
    sha256: str
    sources: tuple[SpanSource, ...]
    written: datetime

    def to_json(self) -> bytes:
        return _MANIFEST.dump_json(self, indent=1)


_MANIFEST = TypeAdapter(Manifest)


@dataclass(frozen=True)
class Span:
    """A version of a month of labelled calls.

    Attributes:
      month: such as `2009-03`; without dates the number of the span, such as `000001`.
      version: counted from 1.
      folder: of the version.
    """

    month: str
    version: int
    folder: Path

    @cached_property
    def manifest(self) -> Manifest:
        """Raises BadFileError where it cannot be read."""
        path = self.folder / MANIFEST
        try:
            return _MANIFEST.validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise BadFileError(f"{path}: not the manifest of a span: {error}") from error

    @property
    def file(self) -> Path:
        return self.folder / ROWS

    @property
    def number(self) -> int:
        """As TFX counts spans: 200903 for March 2009."""
        return int(self.month.replace("-", ""))

    def source(self, name: str) -> Path:
        """The file of a source's rows."""
        return self.folder / SOURCES / f"{name}.csv"


def is_folder_of_spans(path: Path) -> bool:
    """Whether a folder has spans in it."""
    return any(_SPAN.fullmatch(inside.name) for inside in path.iterdir())


def span_folder(folder: Path, month: str) -> Path:
    """The folder of all versions of a span."""
    return folder / f"span-{month.replace('-', '')}"


def version_folder(folder: Path, month: str, version: int) -> Path:
    return span_folder(folder, month) / f"version-{version}"


def versions(folder: Path, month: str) -> tuple[Span, ...]:
    """The versions of a span, oldest first; none where there is no such span."""
    inside = span_folder(folder, month)
    found = [_VERSION.fullmatch(path.name) for path in inside.iterdir()] if inside.is_dir() else []
    numbers = sorted(int(match.group(1)) for match in found if match)
    return tuple(Span(month, number, version_folder(folder, month, number)) for number in numbers)


def spans(folder: Path) -> tuple[Span, ...]:
    """The newest version of each span, the oldest span first; none where the folder is missing."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    months = [_month(match.group(1)) for match in map(_SPAN.fullmatch, names) if match]
    return tuple(found[-1] for month in months if (found := versions(folder, month)))


def believed(folder: Path) -> tuple[Span, ...]:
    """The spans to learn from: the newest version of each that has rows and is not set aside, the oldest span first."""
    return tuple(span for span in spans(folder) if reason_set_aside(span) is None and span.manifest.rows)


def month_of(file: Path) -> str | None:
    """The month of all rows in a file that is the `rows.csv` of a span; None for any other file."""
    version, span = file.parent, _SPAN.fullmatch(file.parent.parent.name)
    if file.name != ROWS or not _VERSION.fullmatch(version.name) or not span or int(span.group(1)) < _FIRST_MONTH:
        return None
    return _month(span.group(1))


def calls_elsewhere(files: Sequence[Path]) -> dict[int, int]:
    """The calls by day, since 1970-01-01, of spans that lie beside those in a list of files and are not in the list.

    Their outcomes are not to be learned from, but the calls were made, so they count in the size of the lists.
    """
    folders = {file.parent.parent.parent for file in files if month_of(file)}
    months = {month_of(file) for file in files}
    counts: dict[int, int] = {}
    for folder in folders:
        for span in spans(folder):
            if span.month not in months:
                for day, calls in calls_by_day(span).items():
                    counts[day] = counts.get(day, 0) + calls
    return counts


def calls_by_day(span: Span) -> dict[int, int]:
    """The number of calls by day since 1970-01-01."""
    return {day_number(day): calls for day, calls in span.manifest.calls}


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def judgements(span: Span) -> dict[str, str | None]:
    """What was judged of the versions of a span: by version the reason why it is set aside, None where it is accepted.

    Raises:
      BadFileError: the file cannot be read.
    """
    path = span.folder.parent / JUDGEMENTS
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadFileError(f"{path}: not the judgements of a span: {error}") from error
    return found


def reason_set_aside(span: Span) -> str | None:
    """Why a version of a span is not to be believed; None where it is."""
    return judgements(span).get(str(span.version))


def is_accepted(span: Span) -> bool:
    """Whether a person said that this version is to be believed."""
    return judgements(span).get(str(span.version), "") is None


def _month(digits: str) -> str:
    return digits if int(digits) < _FIRST_MONTH else f"{digits[:4]}-{digits[4:]}"
