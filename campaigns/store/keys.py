"""Keys of people and programs that use the desk.

A key is 256 random bits, so what is stored is its SHA-256: nobody can guess the key from it. A slow hash, as passwords
need it, would only make each request slow.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from campaigns.roles import Role
from campaigns.store import audit, tables
from data.errors import BadOptionError, did_you_mean

PREFIX = "desk_"
"""Stands before each key, so that a key that lies where it should not is recognised."""
_TABLE = tables.keys
_NAME = re.compile(r"[\w.@-]{1,60}", re.ASCII)


@dataclass(frozen=True)
class Key:
    """A key without its secret.

    Attributes:
      name: of the person or the program that has it.
      role: what it allows.
      created: when it was made.
      revoked: when it ended; None while it is valid.
    """

    name: str
    role: Role
    created: datetime
    revoked: datetime | None = None


def add(engine: Engine, name: str, role: Role) -> str:
    """Makes a key and returns its text, which cannot be read again later.

    Raises:
      BadOptionError: the name is no name, or there is or was a key of that name, which the audit log knows.
    """
    if not _NAME.fullmatch(name):
        raise BadOptionError(f"name: got {name[:80]!r}, expected 1 to 60 letters, digits, or . _ - @")
    text = PREFIX + secrets.token_urlsafe(32)
    values = {"name": name, "role": role, "hash": hashed(text), "created": datetime.now(timezone.utc)}
    try:
        with engine.begin() as connection:
            connection.execute(insert(_TABLE).values(values))
            audit.note(connection, "key added", f"{name} ({role})")
    except IntegrityError as error:
        raise BadOptionError(f"name: {name!r} is or was the name of a key; choose another one") from error
    return text


def revoke(engine: Engine, name: str) -> None:
    """Ends a key.

    Raises:
      BadOptionError: there is no valid key of that name.
    """
    valid = (_TABLE.c.name == name, _TABLE.c.revoked.is_(None))
    with engine.begin() as connection:
        ended = connection.execute(update(_TABLE).where(*valid).values(revoked=datetime.now(timezone.utc)))
        if not ended.rowcount:
            names = connection.scalars(select(_TABLE.c.name).where(_TABLE.c.revoked.is_(None))).all()
            raise BadOptionError(f"name: there is no valid key {name!r}{did_you_mean(name, names)}")
        audit.note(connection, "key revoked", name)


def all_keys(engine: Engine) -> list[Key]:
    """Every key, the oldest first, also those that were revoked."""
    columns = (_TABLE.c.name, _TABLE.c.role, _TABLE.c.created, _TABLE.c.revoked)
    with engine.connect() as connection:
        return [Key(*row) for row in connection.execute(select(*columns).order_by(_TABLE.c.id))]


def valid(engine: Engine) -> Mapping[str, Key]:
    """The keys that are not revoked, by their hashes."""
    columns = (_TABLE.c.hash, _TABLE.c.name, _TABLE.c.role, _TABLE.c.created)
    with engine.connect() as connection:
        rows = connection.execute(select(*columns).where(_TABLE.c.revoked.is_(None)))
        return {hash: Key(*rest) for hash, *rest in rows}


def hashed(text: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
