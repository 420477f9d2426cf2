"""JSON read exactly as TensorFlow Serving's parser (rapidjson 1.1.0, iterative, NaN and Inf allowed) reads it.

`orjson` reads nearly every request; this parser is for the rest: bodies with NaN or Infinity tokens, keys given twice,
bytes that are not UTF-8, deep nesting, and broken JSON, for which it finds rapidjson's message and byte offset.

A parsed value is None, True, False, int (an integer token within 64 bits), float (any other number), bytes (a string,
undecoded) or list; an object is `Members`, which keeps every member in order, keys given twice included.
"""

from __future__ import annotations

import math
import re
from typing import Any

from serving.errors import ServingError, invalid_argument


class Members(list):
    """A JSON object: a list of (key, value), keys as bytes."""

    def find(self, key: bytes) -> Any:
        """The value of the first member with this key, or `ABSENT`."""
        for name, value in self:
            if name == key:
                return value
        return ABSENT


ABSENT = object()

_WHITESPACE = re.compile(rb"[ \n\r\t]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?(?:[eE]([+-]?[0-9]+))?")
_LITERALS = {ord("n"): (b"null", None), ord("t"): (b"true", True), ord("f"): (b"false", False)}
_ESCAPES = {ord(key): value for key, value in zip('"/\\bfnrt', b'"/\\\b\f\n\r\t', strict=True)}
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}")

_INVALID_VALUE = "Invalid value."
_INVALID_ESCAPE = "Invalid escape character in string."
_INVALID_SURROGATE = "The surrogate pair in string is invalid."

# What the parser expects next. The texts are rapidjson's, for anything else it meets there.
_START, _FINISH, _FIRST_KEY, _KEY, _COLON, _VALUE, _AFTER_VALUE, _FIRST_ELEMENT, _ELEMENT, _AFTER_ELEMENT = range(10)
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
_PUNCTUATION = frozenset(b"]},:")


def parse(body: bytes) -> Any:
    """The first JSON value of a request body; bytes after it are ignored, as TensorFlow Serving does from 2.18 on.

    Raises:
      ServingError: INVALID_ARGUMENT with rapidjson's text and the byte offset of the error.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    return _Parser(body).parse()


class _Parser:
    def __init__(self, body: bytes):
        # rapidjson takes a NUL byte for the end of the text.
        end = body.find(b"\0")
        self.text = body if end < 0 else body[:end]
        self.at = 0

    def parse(self) -> Any:
        for byte in b"\xef\xbb\xbf":
            if self.text[self.at : self.at + 1] == bytes([byte]):
                self.at += 1
        text = self.text
        end = len(text)
        state = _START
        stack: list[tuple[Any, int, bytes | None]] = []
        container: Any = None
        key: bytes | None = None
        result: Any = None
        while True:
            self.at = _WHITESPACE.match(text, self.at).end()
            if self.at == end:
                raise self.error(_UNEXPECTED[state], self.at)
            char = text[self.at]
            if state in _TAKES_VALUE and char not in _PUNCTUATION:
                if char == 0x7B or char == 0x5B:  # { or [
                    stack.append((container, state, key))
                    container = Members() if char == 0x7B else []
                    state = _FIRST_KEY if char == 0x7B else _FIRST_ELEMENT
                    self.at += 1
                    continue
                value = self.scalar(char)
            elif char == 0x22 and state in (_FIRST_KEY, _KEY):
                key = self.string()
                state = _COLON
                continue
            elif char == 0x3A and state == _COLON:
                self.at += 1
                state = _VALUE
                continue
            elif char == 0x2C and state == _AFTER_VALUE:
                self.at += 1
                state = _KEY
                continue
            elif char == 0x2C and state == _AFTER_ELEMENT:
                self.at += 1
                state = _ELEMENT
                continue
            elif (char == 0x7D and state in (_FIRST_KEY, _AFTER_VALUE)) or (
                char == 0x5D and state in (_FIRST_ELEMENT, _AFTER_ELEMENT)
            ):
                self.at += 1
                value = container
                container, state, key = stack.pop()
            else:
                raise self.error(_UNEXPECTED[state], self.at)
            if state == _START:
                result = value
                break
            if state == _VALUE:
                container.append((key, value))
                state = _AFTER_VALUE
            else:
                container.append(value)
                state = _AFTER_ELEMENT
        return result

    def error(self, text: str, offset: int) -> ServingError:
        return invalid_argument(f"JSON Parse error: {text} at offset: {offset}")

    def take(self, wanted: bytes) -> bool:
        """Consumes as many of the wanted bytes as are there; whether all were."""
        for byte in wanted:
            if self.at == len(self.text) or self.text[self.at] != byte:
                return False
            self.at += 1
        return True

    def scalar(self, char: int) -> Any:
        if char == 0x22:
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
        if exponent is None and follow == b"." and fraction is None:
            raise self.error("Miss fraction part in number.", self.at + 1)
        if exponent is None and follow in (b"e", b"E"):
            sign = text[self.at + 1 : self.at + 2] in (b"+", b"-")
            raise self.error("Miss exponent in number.", self.at + 1 + sign)
        token = match.group()
        if fraction is None and exponent is None:
            integer = int(token) if len(token) < 21 else None
            if integer is not None and -(2**63) <= integer < 2**64:
                return integer
        number = float(token)
        digits = len(fraction) - 1 if fraction else 0
        # rapidjson judges by the exponent; a mantissa may still carry the number to infinity.
        if exponent is None:
            too_big = math.isinf(number)
        else:
            too_big = exponent[:1] != b"-" and int(exponent.lstrip(b"+0")[:12] or b"0") > 308 + digits
        if too_big:
            raise self.error("Number too big to be stored in double.", start)
        return number

    def not_finite(self) -> float:
        sign = -1.0 if self.take(b"-") else 1.0
        char = self.text[self.at : self.at + 1]
        if char == b"N" and self.take(b"NaN"):
            return math.nan
        if char == b"I" and self.take(b"Inf") and (self.text[self.at : self.at + 1] != b"i" or self.take(b"inity")):
            return sign * math.inf
        raise self.error(_INVALID_VALUE, self.at)

    def string(self) -> bytes:
        text = self.text
        plain = _PLAIN.match(text, self.at + 1)
        end = plain.end()
        if text[end : end + 1] == b'"':
            self.at = end + 1
            return plain.group()
        parts = [plain.group()]
        while True:
            char = text[end : end + 1]
            if char == b'"':
                self.at = end + 1
                return b"".join(parts)
            if char == b"":
                raise self.error("Missing a closing quotation mark in string.", end)
            if char != b"\\":
                raise self.error(_INVALID_ESCAPE, end)
            escape = text[end + 1] if end + 1 < len(text) else -1
            if escape in _ESCAPES:
                parts.append(bytes([_ESCAPES[escape]]))
                end += 2
            elif escape == 0x75:  # u
                code = self.hex4(end + 2, end)
                after = end + 6
                if 0xD800 <= code <= 0xDBFF:
                    if text[after : after + 2] != b"\\u":
                        raise self.error(_INVALID_SURROGATE, end)
                    low = self.hex4(after + 2, end)
                    if not 0xDC00 <= low <= 0xDFFF:
                        raise self.error(_INVALID_SURROGATE, end)
                    code = (((code - 0xD800) << 10) | (low - 0xDC00)) + 0x10000
                    after += 6
                parts.append(chr(code).encode("utf-8", "surrogatepass"))
                end = after
            else:
                raise self.error(_INVALID_ESCAPE, end)
            plain = _PLAIN.match(text, end)
            parts.append(plain.group())
            end = plain.end()

    def hex4(self, at: int, escape_at: int) -> int:
        match = _HEX4.match(self.text, at)
        if match is None:
            raise self.error("Incorrect hex digit after \\u escape in string.", escape_at)
        return int(match.group(), 16)
