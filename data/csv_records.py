"""Splits lines of text into CSV records by way of Python's csv module, and names what is wrong with a record."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from data.contract import BLANKS

_CLOSING = re.compile(r'[^"]*(?:""[^"]*)*"(?!")')
"""The rest of a quoted cell."""


class Dialect(NamedTuple):
    """How cells are separated."""

    delimiter: str
    quoted: bool
    """Whether a cell may stand in quotes; if not, a quote is an ordinary character."""
    trim: bool
    """Whether blanks around cells are dropped, also between a quote and the delimiter."""


class Record(NamedTuple):
    """Lines [start, end) as one CSV record; `cells` is None where they cannot be read, and `fault` says why."""

    start: int
    end: int
    cells: list[str] | None
    fault: str = ""


def split_lines(block: bytes, final: bool) -> list[bytes]:
    """The lines of a block with their line ends; a last line without one only if nothing follows (`final`)."""
    lines = block.split(b"\n")
    rest = lines.pop()
    lines = [line + b"\n" for line in lines]
    return [*lines, rest] if final and rest else lines


def decode(lines: list[bytes]) -> list[str]:
    """Lines as text; bytes that are not UTF-8 become lone surrogates."""
    return [line.decode(errors="surrogateescape") for line in lines]


def garbled(text: str) -> bool:
    """Whether a text was not UTF-8 in the file."""
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)


def printable(text: str) -> str:
    """Text for a message; bytes that are not UTF-8 are read as Latin-1, which they mostly are."""
    return text.encode(errors="surrogateescape").decode("latin-1") if garbled(text) else text


def records(lines: list[str], dialect: Dialect, final: bool) -> Iterator[Record]:
    """Splits lines into CSV records.

    After a fault only the line at which the record began is given up, so that a quote left open costs one row.
    A record that goes on after the last line is left out unless `final`.
    """
    start = 0
    while start < len(lines):
        first = start
        rest: Iterable[str] = (lines[index] for index in range(first, len(lines)))
        if dialect.trim and dialect.quoted:
            rest = _without_blanks_at_quotes(rest, dialect.delimiter)
        reader = csv.reader(
            rest,
            delimiter=dialect.delimiter,
            quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            for cells in reader:
                end = first + reader.line_num
                yield Record(start, end, [cell.strip(BLANKS) for cell in cells] if dialect.trim else cells)
                start = end
        except csv.Error as error:
            fault = str(error)
            if fault == "unexpected end of data" and not final:
                return
            yield Record(start, start + 1, None, _expected(fault, dialect.delimiter))
            start += 1


def _without_blanks_at_quotes(lines: Iterable[str], delimiter: str) -> Iterator[str]:
    """Drops blanks between a quoted cell and the delimiters beside it, which the csv module does not allow."""
    blanks = BLANKS.replace(delimiter, "")
    before = re.compile(rf'[{blanks}]*"')
    after = re.compile(rf"[{blanks}]*(?=[{re.escape(delimiter)}\r\n]|\Z)")
    inside = False
    for line in lines:
        if '"' not in line:
            yield line
            continue
        parts: list[str] = []
        position = 0
        while position < len(line):
            opening = None if inside else before.match(line, position)
            if inside or opening:
                content = opening.end() if opening else position
                closing = _CLOSING.match(line, content)
                inside = closing is None
                parts += ['"'] if opening else []
                if closing is None:
                    parts.append(line[content:])
                    break
                parts.append(closing.group())
                skipped = after.match(line, closing.end())
                position = skipped.end() if skipped else closing.end()
            end = line.find(delimiter, position) + 1 or len(line)
            parts.append(line[position:end])
            position = end
        yield "".join(parts)


def first_bad_cell(line: str, delimiter: str) -> tuple[int, str]:
    """Index and text of the first cell of a line that is not well quoted."""
    text = line.rstrip("\r\n")
    split = re.escape(delimiter)
    good = re.compile(rf'(?:"(?:[^"]|"")*"|[^"{split}\r\0][^{split}\r\0]*|){split}')
    index = position = 0
    while match := good.match(text, position):
        index, position = index + 1, match.end()
    return index, text[position:].split(delimiter)[0]


def _expected(fault: str, delimiter: str) -> str:
    """What a record would need, for an error message of Python's csv module."""
    if fault == "unexpected end of data":
        return "a closing quote"
    if "expected after" in fault:
        return f"{delimiter!r} or the line's end after the closing quote; a quote inside is doubled"
    if fault.startswith("field larger"):
        return f"at most {csv.field_size_limit()} characters; is a quote left open?"
    if "NUL" in fault:
        return "text without NUL characters"
    return "LF or CRLF line ends, not a lone carriage return"


def last_row_end(buffer: bytes, quoted: bool) -> int:
    """Where the last line ends that ends outside quotes; 0 where there is none. The buffer begins where a row does."""
    end = buffer.rfind(b"\n")
    if not quoted:
        return end + 1
    quotes, after = buffer.count(b'"'), len(buffer)
    while end >= 0:
        quotes -= buffer.count(b'"', end, after)
        if quotes % 2 == 0:
            return end + 1
        after, end = end, buffer.rfind(b"\n", 0, end)
    return 0
