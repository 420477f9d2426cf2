"""Reads JSON exactly as TensorFlow Serving's parser does (rapidjson 1.1.0, iterative, NaN and Inf allowed).

`orjson` reads nearly every request; this module is for the rest: bodies with NaN or Infinity tokens, keys given twice,
bytes that are not UTF-8, deep nesting, and broken JSON, for which it finds rapidjson's message and byte offset.

A parsed value is None, True, False, int (an integer token within 64 bits), float (any other number), str or list; an
object is `Members`, which keeps every member in order, keys given twice included. Bytes that are not UTF-8 are kept in
texts as lone surrogates (`surrogateescape`).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from serving.errors import ServingError, invalid_argument


class Members(list):
    """A JSON object: a list of (key, value)."""

    def find(self, key: str) -> Any:
        """The value of the first member with this key, or `ABSENT`."""
        for name, value in self:
            if name == key:
                return value
        return ABSENT


ABSENT = object()

MAY_MISREAD = re.compile(rb"\\u[dD][89a-fA-F]|[eE]\+?[0-9]{3}|[0-9]{20}|\x00")
"""Text that the standard library may read differently: lone surrogates, numbers beyond 64 bits or a double, NUL."""

_WHITESPACE = re.compile(r"[ \n\r\t]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?(?:[eE]([+-]?[0-9]+))?")
_LITERALS = {"n": ("null", None), "t": ("true", True), "f": ("false", False)}
_ESCAPES = dict(zip('"/\\bfnrt', '"/\\\b\f\n\r\t', strict=True))
_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")

_INVALID_VALUE = "Invalid value."
_INVALID_ESCAPE = "Invalid escape character in string."
_INVALID_SURROGATE = "The surrogate pair in string is invalid."

# What the parser expects next. The texts are rapidjson's, for anything else it meets there.
_START, _FIRST_KEY, _KEY, _COLON, _VALUE, _AFTER_VALUE, _FIRST_ELEMENT, _ELEMENT, _AFTER_ELEMENT = range(9)
_UNEXPECTED = {
    _START: "The document is empty.",
    _FIRST_KEY: "Missing a name for object member.",
    _KEY: "Missing a name for object member.",
    _COLON: "Missing a colon after a name of object member.",
    _VALUE: _INVALID_VALUE,
    _AFTER_VALUE: "Missing a comma or '}' after an object member.",
    _FIRST_ELEMENT: _INVALID_VALUE,
    _ELEMENT: _INVALID_VALUE,
    _AFTER_ELEMENT: "Missing a comma or ']' after an array element.",
}
_TAKES_VALUE = {_START, _VALUE, _FIRST_ELEMENT, _ELEMENT}
_MAY_END = {"}": (_FIRST_KEY, _AFTER_VALUE), "]": (_FIRST_ELEMENT, _AFTER_ELEMENT)}


def parse(body: bytes) -> Any:
    """The first JSON value of a request body; bytes after it are ignored, as TensorFlow Serving does from 2.18 on.

    Raises:
      ServingError: INVALID_ARGUMENT with rapidjson's text and the byte offset of the error.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    mark = 0
    for byte in b"\xef\xbb\xbf":
        mark += body[mark : mark + 1] == bytes([byte])
    # rapidjson takes a NUL byte for the end of the text.
    text = body[mark:].partition(b"\0")[0].decode("utf-8", "surrogateescape")
    start = len(_matched(_WHITESPACE, text, 0))
    if text[start : start + 1] in ("{", "[") and not MAY_MISREAD.search(body):
        try:
            return _scan(text, start)[0]
        except (StopIteration, ValueError, RecursionError):
            pass  # broken or unusual; the slow way knows
    return _Parser(text, mark).parse()


_scan = json.JSONDecoder(object_pairs_hook=Members).scan_once  # type: ignore[attr-defined]  # typeshed lacks it


def _matched(pattern: re.Pattern[str], text: str, at: int) -> str:
    """The text that a pattern matches at a position; the pattern also matches the empty text."""
    match = pattern.match(text, at)
    return match.group() if match else ""


class _Parser:
    """The parser's automaton.

    Args:
      text: what to parse.
      mark: bytes of the byte order mark in front of it.
    """

    def __init__(self, text: str, mark: int):
        self.text = text
        self.mark = mark
        self.at = 0

    def parse(self) -> Any:
        text = self.text
        end = len(text)
        state = _START
        stack: list[tuple[Any, int, str]] = []
        container: Any = None
        key = ""
        while True:
            self.at += len(_matched(_WHITESPACE, text, self.at))
            char = text[self.at] if self.at < end else ""
            if state in _TAKES_VALUE and char not in "]},:":
                if char in "[{":
                    stack.append((container, state, key))
                    container, state = ([], _FIRST_ELEMENT) if char == "[" else (Members(), _FIRST_KEY)
                    self.at += 1
                    continue
                value = self.scalar(char)
            elif char == '"' and state in (_FIRST_KEY, _KEY):
                key = self.string()
                state = _COLON
                continue
            elif char == ":" and state == _COLON:
                self.at += 1
                state = _VALUE
                continue
            elif char == "," and state in (_AFTER_VALUE, _AFTER_ELEMENT):
                self.at += 1
                state = _KEY if state == _AFTER_VALUE else _ELEMENT
                continue
            elif state in _MAY_END.get(char, ()):
                self.at += 1
                value = container
                container, state, key = stack.pop()
            else:
                raise self.error(_UNEXPECTED[state], self.at)
            if state == _START:
                return value
            if state == _VALUE:
                container.append((key, value))
                state = _AFTER_VALUE
            else:
                container.append(value)
                state = _AFTER_ELEMENT

    def error(self, text: str, at: int) -> ServingError:
        offset = self.mark + len(self.text[:at].encode("utf-8", "surrogateescape"))
        return invalid_argument(f"JSON Parse error: {text} at offset: {offset}")

    def take(self, wanted: str) -> bool:
        """Consumes the wanted characters as far as they are there, and returns whether all were."""
        for char in wanted:
            if self.text[self.at : self.at + 1] != char:
                return False
            self.at += 1
        return True

    def scalar(self, char: str) -> Any:
        if char == '"':
            return self.string()
        if char in _LITERALS:
            word, value = _LITERALS[char]
            if not self.take(word):
                raise self.error(_INVALID_VALUE, self.at)
            return value
        return self.number()

    def number(self) -> int | float:
        text = self.text
        start = self.at
        match = _NUMBER.match(text, start)
        if match is None:
            return self.not_finite()
        self.at = match.end()
        fraction, exponent = match.groups()
        follow = text[self.at : self.at + 1]
        if exponent is None and follow == "." and fraction is None:
            raise self.error("Miss fraction part in number.", self.at + 1)
        if exponent is None and follow in ("e", "E"):
            sign = text[self.at + 1 : self.at + 2] in ("+", "-")
            raise self.error("Miss exponent in number.", self.at + 1 + sign)
        token = match.group()
        if fraction is None and exponent is None:
            integer = int(token) if len(token) < 21 else None
            if integer is not None and -(2**63) <= integer < 2**64:
                return integer
        number = float(token)
        # rapidjson judges by the exponent; a mantissa may still carry the number to infinity.
        if exponent is None:
            too_big = math.isinf(number)
        else:
            digits = len(fraction) - 1 if fraction else 0
            too_big = exponent[0] != "-" and int(exponent.lstrip("+0")[:12] or "0") > 308 + digits
        if too_big:
            raise self.error("Number too big to be stored in double.", start)
        return number

    def not_finite(self) -> float:
        sign = -1.0 if self.take("-") else 1.0
        char = self.text[self.at : self.at + 1]
        if char == "N" and self.take("NaN"):
            return math.nan
        if char == "I" and self.take("Inf") and (self.text[self.at : self.at + 1] != "i" or self.take("inity")):
            return sign * math.inf
        raise self.error(_INVALID_VALUE, self.at)

    def string(self) -> str:
        text = self.text
        parts = [_matched(_PLAIN, text, self.at + 1)]
        at = self.at + 1 + len(parts[0])
        while True:
            char = text[at : at + 1]
            if char == '"':
                self.at = at + 1
                return "".join(parts)
            if char == "":
                raise self.error("Missing a closing quotation mark in string.", at)
            if char != "\\":
                raise self.error(_INVALID_ESCAPE, at)
            escape = text[at + 1 : at + 2]
            if escape in _ESCAPES:
                parts.append(_ESCAPES[escape])
                at += 2
            elif escape == "u":
                decoded, at = self.unicode(at)
                parts.append(decoded)
            else:
                raise self.error(_INVALID_ESCAPE, at)
            parts.append(_matched(_PLAIN, text, at))
            at += len(parts[-1])

    def unicode(self, start: int) -> tuple[str, int]:
        """The character of a `\\u` escape, and the position behind it."""
        code = self.hex4(start + 2, start)
        at = start + 6
        if 0xD800 <= code <= 0xDBFF:
            if self.text[at : at + 2] != "\\u":
                raise self.error(_INVALID_SURROGATE, start)
            low = self.hex4(at + 2, start)
            if not 0xDC00 <= low <= 0xDFFF:
                raise self.error(_INVALID_SURROGATE, start)
            code = (((code - 0xD800) << 10) | (low - 0xDC00)) + 0x10000
            at += 6
        # A low surrogate alone passes, as three bytes that are not UTF-8.
        return chr(code).encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"), at

    def hex4(self, at: int, escape_at: int) -> int:
        match = _HEX4.match(self.text, at)
        if match is None:
            raise self.error("Incorrect hex digit after \\u escape in string.", escape_at)
        return int(match.group(), 16)
