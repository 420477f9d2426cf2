"""Which role each address needs. A new address that reads needs `read`, one that changes something `admin`."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["read", "score", "admin"]
"""Each role may do what the one before it may: see everything, have rows scored, change everything."""
ROLES: tuple[Role, ...] = get_args(Role)

OPEN = frozenset({"/livez", "/readyz", "/login"})
"""Addresses for everyone, and below STATIC."""
STATIC = "/static/"
READS = ("GET", "HEAD", "OPTIONS")
_OTHERS: dict[tuple[str, str], Role] = {
    ("POST", "/api/score"): "score",
    ("POST", "/logout"): "read",
    ("GET", "/api/audit"): "admin",
}


def needed(method: str, path: str) -> Role | None:
    """The least role for a request; None where everyone may send it."""
    if path in OPEN or path.startswith(STATIC):
        return None
    reads = method in READS
    return _OTHERS.get(("GET" if reads else method, path), "read" if reads else "admin")


def allows(role: Role, least: Role) -> bool:
    """Whether a role may do what needs at least another one."""
    return ROLES.index(role) >= ROLES.index(least)
