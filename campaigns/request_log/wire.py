"""What the desk and the writer say to each other over a socket pair: marshalled values with their length in front."""

from __future__ import annotations

import marshal
import socket
import struct
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
    """What the writer says after each step.

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


def send(connection: socket.socket, message: Config | Status | tuple[Any, ...]) -> None:
    """Sends one message; a batch is a tuple.

    Raises:
      OSError: the other side is gone.
      ValueError: the message holds more than plain values.
    """
    plain = message if isinstance(message, tuple) else astuple(message)
    data = marshal.dumps(plain)
    connection.sendall(_LENGTH.pack(len(data)) + data)


def pack(scored: Scored) -> bytes:
    """An entry as it is queued and sent.

    Raises:
      ValueError: it holds more than plain values.
    """
    plain: tuple[Any, ...] = scored
    return marshal.dumps(tuple(plain))  # only a real tuple can be marshalled


def unpack(data: bytes) -> Scored:
    """The entry again.

    Raises:
      ValueError: it is not what `Scored` says.
    """
    try:
        time, request, caller, campaign_id, identifiers, model, version, probabilities, purchases, seconds, inputs = (
            marshal.loads(data)
        )
        rows = len(probabilities)
        columns = identifiers, probabilities, purchases, *([] if inputs is None else [inputs])
        for column in columns:
            if type(column) not in (list, tuple) or len(column) != rows:
                raise ValueError("its columns do not fit together")
        for text in (request, caller, model, version):
            if type(text) is not str:
                raise ValueError("a name is no text")
        chances, decisions = [float(one) for one in probabilities], [int(one) for one in purchases]
        about = time, request, caller, campaign_id, identifiers, model, version
        return Scored(*about, chances, decisions, float(seconds), inputs)
    except (TypeError, EOFError) as error:
        raise ValueError(str(error)) from error


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
