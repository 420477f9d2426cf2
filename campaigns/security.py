"""What the desk lets in: requests to its own name, from its own pages, up to a size; and what its pages may load.

A page of another site can make a browser send requests to a loopback address. Three checks keep them out: the request
names the desk as its host, a request that changes something does not come from another origin, and a form carries the
token of the browser's cookie.
"""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campaigns.settings import LOOPBACK
from data.errors import UserError

COOKIE = "desk"
TOKEN = "token"
"""The name of a form's hidden answer."""
SMALL = 4 << 20
"""Bytes of a request's body, unless it is an upload."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE = ("GET", "HEAD", "OPTIONS")


class StaleFormError(UserError):
    """A form lacks the token of the browser's cookie."""


class TooLargeError(UserError):
    """A request's body is too large."""


class Guard:
    """An ASGI middleware that refuses foreign and too large requests and sets headers and the cookie.

    Args:
      app: the application behind it.
      most: bytes of the body of an upload.
    """

    def __init__(self, app: ASGIApp, most: int):
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._most if headers.get("content-type", "").startswith("multipart/form-data") else SMALL
        token, known = _token(headers)
        scope.setdefault("state", {})[TOKEN] = token

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                set_headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    set_headers.setdefault(name, value)
                if not known and not scope["path"].startswith("/api/"):
                    set_headers.append("Set-Cookie", f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/")
            await send(message)

        refusal = _refusal(scope["method"], headers, limit)
        if refusal is not None:
            status, text = refusal
            await JSONResponse({"error": text}, status)(scope, receive, answer)
            return
        await self._app(scope, _limited(receive, limit), answer)


def check_form(request: Request, token: object) -> None:
    """Raises StaleFormError where a form does not carry the token of the browser's cookie."""
    if not isinstance(token, str) or not hmac.compare_digest(token.encode(), request.state.token.encode()):
        raise StaleFormError("this form is too old, or cookies are off: go back, load the page again and resend it")


def _token(headers: Headers) -> tuple[str, bool]:
    """The token of the browser's cookie, or a new one, and whether the browser has it."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        cookie = None
    if cookie is not None and len(cookie.value) == 43:
        return cookie.value, True
    return secrets.token_urlsafe(32), False


def _refusal(method: str, headers: Headers, limit: int) -> tuple[int, str] | None:
    """Status and text where a request is not let in."""
    host = headers.get("host", "")
    if _name(host) not in LOOPBACK:
        return 421, f"host: got {host!r}, expected one of {', '.join(LOOPBACK)}"
    if method not in _SAFE:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if (origin is not None and origin != f"http://{host}") or site not in ("none", "same-origin"):
            return 403, f"origin: got {origin!r}, expected the desk's own pages, http://{host}"
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) > limit:
        return 413, _too_large(limit)
    return None


def _name(host: str) -> str:
    """`localhost:8600` -> `localhost`, `[::1]:8600` -> `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _limited(receive: Receive, limit: int) -> Receive:
    """Receives a body up to a size, whatever length its header says."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLargeError(_too_large(limit))
        return message

    return limited


def _too_large(limit: int) -> str:
    return f"the request is larger than {limit >> 20} MiB"
