"""The language of a page: what the browser asks for, unless the person has chosen one by a link of the page."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pages.language import ENGLISH, language, languages, own_name

CHOICE = "language"
"""The cookie with the chosen language, and the name that chooses one in an address."""
_YEAR = 365 * 24 * 3600
_query: ContextVar[str | None] = ContextVar("query", default=None)
"""Of the page's address; None for a page that answers a form, since its address alone does not lead to it again."""


class Choice(NamedTuple):
    """A language that a page can be in: its code, its own name, and the address of the page in it."""

    code: str
    name: str
    address: str


class Languages:
    """An ASGI middleware that sets the language of pages; what is for programs, under `/api`, stays English.

    Args:
      app: the application behind it.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        headers, query = Headers(scope=scope), scope["query_string"].decode("latin-1")
        chosen = dict(parse_qsl(query)).get(CHOICE)
        wanted = chosen if chosen in languages() else _cookie(headers)
        code = wanted or negotiated(headers.get("accept-language", ""), languages())
        # They are not reset: each request has its own context, and the page of an unexpected error is made later.
        language.set(code)
        _query.set(query if scope["method"] in ("GET", "HEAD") else None)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                if sent.get("content-type", "").startswith("text/html"):
                    sent["Content-Language"] = code
                    sent.add_vary_header("Accept-Language, Cookie")
                    if chosen == code:
                        sent.append("Set-Cookie", f"{CHOICE}={code}; Max-Age={_YEAR}; HttpOnly; SameSite=Lax; Path=/")
            await send(message)

        await self._app(scope, receive, answer)


def negotiated(header: str, available: Sequence[str]) -> str:
    """The language that a browser likes best, English where it likes none of those there are.

    Args:
      header: `Accept-Language`, such as `id-ID,id;q=0.9,en;q=0.8`.
      available: codes of languages, such as `id` or `pt_BR`.
    """
    codes = {code.lower().replace("_", "-"): code for code in available}
    for tag in sorted(liked := _liked(header), key=lambda tag: -liked[tag]):
        wanted = tag
        while wanted:
            if wanted in codes:
                return codes[wanted]
            wanted = wanted.rpartition("-")[0]
        if tag == "*":
            return ENGLISH
    return ENGLISH


def choices() -> list[Choice]:
    """The languages that the page can be read in instead."""
    query = _query.get()
    if query is None or len(languages()) == 1:
        return []
    rest = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != CHOICE]
    return [Choice(code, own_name(code), f"?{urlencode([*rest, (CHOICE, code)])}") for code in languages()]


def _liked(header: str) -> dict[str, float]:
    """Language tags in lower case with their weights; those with weight 0 are not acceptable and left out."""
    found: dict[str, float] = {}
    for part in header.lower().split(","):
        tag, _, parameter = (text.strip() for text in part.partition(";"))
        name, _, weight = parameter.replace(" ", "").partition("=")
        try:
            value = float(weight) if name == "q" else 1.0
        except ValueError:
            continue
        if tag and 0 < value <= 1:
            found[tag] = max(value, found.get(tag, 0.0))
    return found


def _cookie(headers: Headers) -> str | None:
    """The language that was chosen earlier."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(CHOICE)
    except CookieError:
        return None
    return cookie.value if cookie is not None and cookie.value in languages() else None
