"""The secret that turns identifiers into hashes, so that the request log names no customer.

The same customer has the same hash in every row, and nobody without the secret can tell whose it is, not even by
hashing all identifiers of the bank. Without the secret the hashes can be tied to no customer any more.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from data.errors import NotReadyError

FILE = "log.key"
VARIABLE = "CAMPAIGNS_LOG_KEY"
"""Gives the secret instead of the file, where several desks share a database."""
SHORTEST = 32
"""Characters of a secret."""
_HASH_BYTES = 16
"""So many that two customers never share a hash."""


def load(folder: Path) -> bytes:
    """The secret from the environment or from the desk's folder, where it is made if it is not there.

    Raises:
      NotReadyError: it is too short.
    """
    if (given := os.environ.get(VARIABLE)) is not None:
        return _checked(given, VARIABLE)
    file = folder / FILE
    if not file.exists():
        _make(file)
    return _checked(file.read_text(encoding="utf-8"), str(file))


def exists(folder: Path) -> bool:
    """Whether there is a secret, so that rows may have been hashed with it."""
    return VARIABLE in os.environ or (folder / FILE).exists()


def hasher(key: bytes) -> Callable[[str], str]:
    """The keyed hash of identifiers: BLAKE2b with 128 bits, in hexadecimal digits.

    Its key is the secret's hash, since it takes 64 bytes at most. HMAC-SHA256 takes four times as long.
    """
    begun = hashlib.blake2b(key=hashlib.blake2b(key).digest(), digest_size=_HASH_BYTES)

    def hashed(identifier: str) -> str:
        hash = begun.copy()
        hash.update(identifier.encode("utf-8", "surrogatepass"))
        return hash.hexdigest()

    return hashed


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
            output.write(f"{secrets.token_hex(32)}\n")
            output.flush()
            os.fsync(output.fileno())
        with suppress(FileExistsError):  # another desk was faster
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def _checked(text: str, source: str) -> bytes:
    secret = text.strip()
    if len(secret) < SHORTEST:
        raise NotReadyError(f"{source}: got a secret of {len(secret)} characters, expected at least {SHORTEST}")
    return secret.encode("utf-8", "surrogatepass")
