"""What the desk and the writer say to each other over a socket pair: marshalled values with their length in front."""

from __future__ import annotations

import marshal
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from campaigns.records import Scored

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Config:
    """The first message to the writer.

    Attributes:
      database: address of a PostgreSQL database; None for the SQLite file.
      file: the SQLite file.
      spool: folder of the spool.
      key: for the hashes of identifiers.
    """

    database: str | None
    file: str
    spool: str
    key: bytes


@dataclass(frozen=True)
class Status:
    """What the writer says after each step. The desk sends the number of a batch, how many rows it has, and its
    entries, see `entry`.

    Attributes:
      batch: number of the batch that the desk need keep no longer; 0 for none.
      written: rows that have come into the database since the last status.
      dropped: rows that are lost since the last status.
      spooled_bytes: in the spool.
      database_up: whether the database has taken or answered the last attempt.
    """

    batch: int
    written: int
    dropped: int
    spooled_bytes: int
    database_up: bool


def send(connection: socket.socket, message: Config | Status) -> None:
    """Sends one message.

    Raises:
      OSError: the other side is gone.
    """
    connection.sendall(packed(astuple(message)))


def packed(message: tuple[Any, ...]) -> bytes:
    """A message as it is sent.

    Raises:
      ValueError: it holds more than plain values.
    """
    data = marshal.dumps(message)
    return _LENGTH.pack(len(data)) + data


def entry(scored: Scored) -> bytes:
    """An entry as it is sent within a batch, in the version of marshal that does not look for equal values.

    Raises:
      ValueError: it holds more than plain values.
    """
    values: tuple[Any, ...] = tuple(scored)
    return marshal.dumps(values, 2)


def unpacked(entries: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
    """What `entry` has packed."""
    return map(marshal.loads, entries)


def receive(connection: socket.socket) -> tuple[Any, ...] | None:
    """The next message, or None where the other side is gone, perhaps in the middle of one."""
    head = _exactly(connection, _LENGTH.size)
    data = head and _exactly(connection, _LENGTH.unpack(head)[0])
    return marshal.loads(data) if data else None


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        try:
            chunk = connection.recv(min(size - len(data), 1 << 20))
        except ConnectionError:  # gone without having read all
            return None
        if not chunk:
            return None
        data += chunk
    return bytes(data)
