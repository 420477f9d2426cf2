"""Spans: the labelled calls of a contract, month by month, in versions: `python -m data.spans add calls.csv`.

A file is read strictly, its rows are dated, and its rows of each month become a source of that month's span. The rows
of a span are those of all its sources in the order of their days, those of one day in the order in which the sources
came. So the spans, read one after the other, are one file in the order of the calls. Rows that come late or are
corrected make a new version; the same rows again change nothing.

A version appears whole, or not at all. Two who add at the same time wait for each other. `data.span_folder` says what
lies where.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa

from data import contract as contracts
from data import reader, span_folder, span_rows, store_data
from data.call_dates import START, Calendar, Place
from data.command import DONE, guarded
from data.contract import Contract
from data.errors import BadOptionError, NotReadyError, did_you_mean
from data.files import sha256, sync
from data.list_size import Volume
from data.paths import ARTIFACTS
from data.paths import spans_folder as folder
from data.span_folder import (
    EPOCH,
    PATTERN,
    Manifest,
    Span,
    SpanSource,
    believed,
    calls_by_day,
    is_accepted,
    judgements,
    reason_set_aside,
    spans,
    versions,
)

__all__ = [
    "PATTERN",
    "Manifest",
    "Span",
    "SpanSource",
    "accept",
    "add",
    "believed",
    "folder",
    "is_accepted",
    "reason_set_aside",
    "set_aside",
    "spans",
    "versions",
    "volume",
    "withdraw",
]

EPILOG = """\
examples:
  python -m data.spans add calls.csv                                the months of a file
  python -m data.spans add late.csv --month 2009-03                 calls of one month that came late
  python -m data.spans add new.csv --month 2009-03 --source late    rows that replace those of late.csv
  python -m data.spans list
  python -m data.spans set-aside 2009-03 --because "outcomes of another list"
  python -m data.spans accept 2009-03
  python -m pipeline.run --data artifacts/spans/bank-full           learns from the months that are not set aside

exit codes: 0 done, also where nothing is new; 2 a wrong file or option; 1 anything else
"""
_WORK = ".adding"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
_MONTH = re.compile(r"(?:19|20|21)\d\d-(?:0[1-9]|1[0-2])", re.ASCII)


def add(
    folder: Path, file: Path, contract: Contract, source: str | None = None, month: str | None = None
) -> tuple[Span, ...]:
    """Adds the rows of a file to the spans.

    Where the contract infers the year, the file goes on after the newest span, and the first file of all begins in the
    year `begins`. A file that was added before begins where it did then. Without dates each file is a span.

    Args:
      folder: of the spans; created if it does not exist.
      file: a CSV file of TRAINING rows.
      contract: what a row must be.
      source: the name under which the rows are kept; by default that of the file. Rows that the month has under the
        same name are replaced. Without a name, rows that the month has under another name are not taken again.
      month: such as `2009-03`, in which all rows lie; for a file that does not go on after the newest span.

    Returns:
      The spans that are new or have a new version, the oldest first; empty where nothing is new.

    Raises:
      BadFileError: the file cannot be read, or rows are bad or cannot be dated; nothing is added.
      BadOptionError: a wrong month or name, or it cannot be told in which year the file begins; nothing is added.
    """
    _check_month(contract, month)
    name = _source_name(file, source)
    reader.check(file, contract)
    with _locked(folder) as work:
        parts = _parts(folder, work, file, contract, name, month)
        found = [_take(folder, work, contract, part, named=source is not None) for part in parts]
    return tuple(span for span in found if span)


def withdraw(folder: Path, contract: Contract, source: str) -> tuple[Span, ...]:
    """Takes the rows of a source out of the spans; the new versions, the oldest month first."""
    found = []
    with _locked(folder) as work:
        for span in spans(folder):
            left = {one: span.source(one.name) for one in span.manifest.sources if one.name != source}
            if len(left) < len(span.manifest.sources):
                found.append(_publish(folder, work, contract, span.month, left))
    return tuple(found)


def set_aside(span: Span, reason: str) -> None:
    """Marks a version as not to be believed, so that nothing is learned from it; a later version is believed again."""
    _judge(span, reason)


def accept(span: Span) -> None:
    """Marks a version as one that a person believes."""
    _judge(span, None)


def volume(folder: Path) -> Volume:
    """The calls by day in all spans, also in those that are set aside, since these calls were made too."""
    counts: dict[int, int] = {}
    for span in spans(folder):
        for day, calls in calls_by_day(span).items():
            counts[day] = counts.get(day, 0) + calls
    return Volume.counted(counts)


@dataclass(frozen=True)
class _Part:
    """The rows of a file in one month."""

    month: str
    source: SpanSource
    path: Path


def _parts(folder: Path, work: Path, file: Path, contract: Contract, name: str, month: str | None) -> list[_Part]:
    """Reads a file and writes its rows of each month into a file of their own; see :func:`add`."""
    file_sha256 = sha256(file)
    known = _known(folder, file_sha256)
    rows: dict[str, int] = {}
    start, after = None, None
    found: Iterator[tuple[str, pa.Array]]
    if contract.call_date is None:
        number = known[0] if known else _number(folder, name)
        found = ((number, span_rows.lines(block, contract, file)) for block in span_rows.blocks(file, contract))
    else:
        if month or contract.call_date.year is None:
            start = month
        else:
            start, after = known or _end(folder, contract)
        place = START if start is None else Place.in_month(start, after)
        found = span_rows.by_month(file, contract, Calendar(file, contract, place, month))
    for one, lines in found:
        with (work / f"{one}.csv").open("ab") as output:
            if one not in rows:
                span_rows.begin(output, contract)
            span_rows.write(output, lines)
        rows[one] = rows.get(one, 0) + len(lines)
    if contract.call_date and contract.call_date.year and not month and not known:
        _refuse_unclear_year(folder, file, name, next(iter(rows)))
    now = datetime.now(timezone.utc)
    return [
        _Part(
            one,
            SpanSource(
                name, file.name, file_sha256, sha256(work / f"{one}.csv"), count, after if one == start else None, now
            ),
            work / f"{one}.csv",
        )
        for one, count in rows.items()
    ]


def _known(folder: Path, file_sha256: str) -> tuple[str, date | None] | None:
    """The month in which a file begins that was added before, and the last day of the calls before it in that month."""
    for span in spans(folder):
        for version in versions(folder, span.month):
            for source in version.manifest.sources:
                if source.file_sha256 == file_sha256:
                    return span.month, source.after
    return None


def _end(folder: Path, contract: Contract) -> tuple[str | None, date | None]:
    """The month of the newest span, and its last day where dates follow from weekdays; None where there is no span."""
    found = spans(folder)
    if not found:
        return None, None
    assert contract.call_date is not None
    return found[-1].month, found[-1].manifest.last_day if contract.call_date.day_of_week else None


def _number(folder: Path, name: str) -> str:
    """The number of the span whose source has a name, or the next one; for rows without dates."""
    found = spans(folder)
    for span in found:
        if any(source.name == name for source in span.manifest.sources):
            return span.month
    return f"{found[-1].number + 1 if found else 1:06d}"


def _refuse_unclear_year(folder: Path, file: Path, name: str, month: str) -> None:
    """Refuses a file that may be a correction of an earlier one or the same month of a later year."""
    for span in spans(folder):
        named = any(source.name == name for source in span.manifest.sources)
        if named and span.month != month and span.month[5:] == month[5:]:
            raise BadOptionError(
                f"{file}: {name!r} was added before, with calls of {span.month}; does the file begin in {span.month} "
                f"or in {month}? If it corrects these calls, add each month from a file of its own, this one with "
                f"--month {span.month}; else give it another --source"
            )


def _take(folder: Path, work: Path, contract: Contract, part: _Part, named: bool) -> Span | None:
    """A new version of a month with the rows of a part; None where the month has them."""
    before = versions(folder, part.month)
    sources = {one: before[-1].source(one.name) for one in before[-1].manifest.sources} if before else {}
    for one in sources:
        if one.sha256 == part.source.sha256 and (one.name == part.source.name or not named):
            return None
    replaced = {
        **{(part.source if one.name == part.source.name else one): path for one, path in sources.items()},
        part.source: part.path,
    }
    return _publish(folder, work, contract, part.month, replaced)


def _publish(folder: Path, work: Path, contract: Contract, month: str, sources: Mapping[SpanSource, Path]) -> Span:
    """Writes the next version of a span from its sources and the files of their rows."""
    before = versions(folder, month)
    span = Span(month, before[-1].version + 1 if before else 1, work / "version")
    dated = contract.call_date is not None
    (span.folder / span_folder.SOURCES).mkdir(parents=True)
    for source, path in sources.items():
        shutil.copyfile(path, span.source(source.name))
    if dated or not sources:
        calendars = [
            (path, Calendar(path, contract, Place.in_month(month, source.after), month))
            for source, path in sources.items()
        ]
        span_rows.merge(calendars, contract, span.file)
    else:
        (only,) = sources.values()
        shutil.copyfile(only, span.file)
    calendar = Calendar(span.file, contract, Place.in_month(month), month) if dated else None
    counts = span_rows.count(span.file, contract, calendar) if sources else span_rows.Counts(0, 0, {})
    calls = tuple((EPOCH + timedelta(day), number) for day, number in sorted(counts.calls.items()))
    manifest = Manifest(
        contract=contract.name,
        rows=counts.rows,
        positives=counts.positives,
        first_day=calls[0][0] if calls else None,
        last_day=calls[-1][0] if calls else None,
        calls=calls,
        sha256=sha256(span.file),
        sources=tuple(sources),
        written=datetime.now(timezone.utc),
    )
    (span.folder / span_folder.MANIFEST).write_bytes(manifest.to_json())
    final = span_folder.version_folder(folder, month, span.version)
    final.parent.mkdir(exist_ok=True)
    for path in (*span.folder.rglob("*"), span.folder, folder):
        sync(path)
    os.rename(span.folder, final)
    sync(final.parent)
    return Span(month, span.version, final)


def _judge(span: Span, reason: str | None) -> None:
    with _locked(span.folder.parent.parent) as work:
        part = work / span_folder.JUDGEMENTS
        part.write_text(json.dumps({**judgements(span), str(span.version): reason}, indent=1), encoding="utf-8")
        sync(part)
        os.rename(part, span.folder.parent / span_folder.JUDGEMENTS)
        sync(span.folder.parent)


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Holds off others who write spans, also in other processes; yields an empty folder for unfinished files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the rows have identifiers where the contract names some
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        work = folder / _WORK
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _check_month(contract: Contract, month: str | None) -> None:
    if month is None:
        return
    if contract.call_date is None:
        raise BadOptionError(f"--month: the calls of contract {contract.name} have no dates; each file is a span")
    if not _MONTH.fullmatch(month):
        raise BadOptionError(f"--month: got {month!r}, expected a month such as 2009-03")


def _source_name(file: Path, source: str | None) -> str:
    """The name of a source; one that comes from a file has other characters than its name may have replaced."""
    if source is None:
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", file.stem).lstrip("-_.")[:100] or "rows"
    if not _NAME.fullmatch(source):
        raise BadOptionError(f"--source: got {source!r}, expected letters A to Z, digits, '-', '_' and '.'")
    return source


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: options.body(options))


def _add(options: argparse.Namespace) -> int:
    file = store_data.local(options.file, options.artifacts)
    if options.contract:
        contract = contracts.load(options.contract)
    else:
        contract = contracts.find(reader.header(file)[0], str(file))
    target = folder(options.artifacts, contract.name)
    found = add(target, file, contract, options.source, options.month)
    for span in found:
        sys.stdout.write(f"{_described(span)}: {span.folder}\n")
    if not found:
        sys.stdout.write(f"{options.file}: nothing new; {target} has these rows\n")
    return DONE


def _list(options: argparse.Namespace) -> int:
    for target in _folders(options):
        for span in spans(target):
            reason = reason_set_aside(span)
            aside = f"; set aside: {reason}" if reason else ""
            sys.stdout.write(f"{target.name} {_described(span)}{aside}\n")
    return DONE


def _set_aside(options: argparse.Namespace) -> int:
    span = _named(options)
    set_aside(span, options.because)
    sys.stdout.write(f"{_described(span)}; set aside: {options.because}\n")
    return DONE


def _accept(options: argparse.Namespace) -> int:
    span = _named(options)
    accept(span)
    sys.stdout.write(f"{_described(span)}; accepted\n")
    return DONE


def _described(span: Span) -> str:
    found = span.manifest
    days = f", {found.first_day} to {found.last_day}" if found.first_day else ""
    sources = ", ".join(source.name for source in found.sources)
    rows = f"{found.rows:,} row{'' if found.rows == 1 else 's'}"
    return (
        f"{span.month} version {span.version}: {rows}, {found.positives:,} positive{days}, from {sources or 'nowhere'}"
    )


def _folders(options: argparse.Namespace) -> list[Path]:
    """The folders of spans that the options mean."""
    found = sorted(path for path in folder(options.artifacts, "").glob(options.contract or "*") if path.is_dir())
    if not found:
        of = f" of contract {options.contract}" if options.contract else ""
        raise NotReadyError(f"{options.artifacts}: no spans{of}; `python -m data.spans add FILE` makes them")
    return found


def _named(options: argparse.Namespace) -> Span:
    """The newest version of the span that the options name."""
    found = _folders(options)
    if len(found) > 1:
        raise BadOptionError(f"--contract: there are spans of {', '.join(path.name for path in found)}; say of which")
    by_month = {span.month: span for span in spans(found[0])}
    if options.month not in by_month:
        hint = did_you_mean(options.month, by_month)
        raise BadOptionError(f"{found[0]}: no span {options.month}{hint}; `python -m data.spans list` names them")
    return by_month[options.month]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data.spans",
        description="Keeps labelled calls month by month, for training again and again.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    one = commands.add_parser("add", help="add the rows of a file", description="Adds the rows of a file to the spans.")
    one.set_defaults(body=_add)
    one.add_argument(
        "file", metavar="FILE", help="CSV file of past calls with their outcomes, also in an object store (s3://...)"
    )
    one.add_argument("--contract", metavar="NAME", help="name or file of the contract (default: by the file's header)")
    one.add_argument(
        "--month", metavar="2009-03", help="the month of all rows, where the file does not go on after the newest span"
    )
    one.add_argument("--source", metavar="NAME", help="name under which the rows are kept (default: the file's)")
    commands.add_parser("list", help="show the newest version of each span").set_defaults(body=_list)
    two = commands.add_parser("set-aside", help="learn nothing from a month until it is corrected or accepted")
    two.set_defaults(body=_set_aside)
    three = commands.add_parser("accept", help="learn from a month that was set aside")
    three.set_defaults(body=_accept)
    for command in (two, three):
        command.add_argument("month", metavar="MONTH", help="such as 2009-03")
    two.add_argument("--because", required=True, metavar="TEXT", help="the reason, which `list` shows")
    for command in commands.choices.values():
        if command is not one:
            command.add_argument("--contract", metavar="NAME", help="name of the contract (default: the only one)")
        command.add_argument(
            "--artifacts", type=Path, default=ARTIFACTS, metavar="FOLDER", help="as given to pipeline.run"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
