"""What the desk lets in, and what its pages may load.

A page of another site can make a browser send requests to a loopback address. Three checks keep them out: the request
names the desk as its host, a request that changes something does not come from another origin, and a form carries the
token of the browser's cookie.

Who reaches the desk from elsewhere needs a key, in the `Authorization` header or as the session of a browser. Such a
desk takes any host's name, since a page of another site has neither.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from starlette.requests import Request, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campaigns import context, failures
from campaigns.callers import Callers
from campaigns.roles import READS, allows, needed
from campaigns.settings import LOOPBACK, Settings
from campaigns.store.keys import Key
from data.errors import ServiceError, UserError

COOKIE = "desk"
SESSION = "session"
"""Cookies with the token of forms and with that of a session."""
TOKEN = "token"
"""The name of a form's hidden answer."""
SMALL = 4 << 20
"""Bytes of a request's body, unless it is an upload."""
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_UPLOADS = re.compile(r"(/api)?/campaigns(/\d+/outcomes)?")
_REQUEST_ID = re.compile(rb"[\w.:/+=-]{1,64}")
_log = logging.getLogger(__name__)


class StaleFormError(UserError):
    """A form lacks the token of the browser's cookie."""


class TooLargeError(UserError):
    """A request's body is too large."""


class Guard:
    """An ASGI middleware that names each request, finds its caller, and refuses what must not come in.

    Args:
      app: the application behind it.
      settings: of the desk.
      callers: who has which key.
      most: bytes of the body of an upload.
    """

    def __init__(self, app: ASGIApp, settings: Settings, callers: Callers, most: int):
        self._app, self._settings, self._callers, self._most = app, settings, callers, most
        self._rate = RateLimitItemPerMinute(settings.rate)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(reversed(scope["headers"]))  # of two with one name the first counts, as for Starlette
        path = scope["path"]
        request_id = _request_id(headers.get(b"x-request-id", b""))
        context.request_id.set(request_id.decode())
        cookies = cookie_parser(headers[b"cookie"].decode("latin-1")) if b"cookie" in headers else {}
        added = [*_HEADERS, (b"x-request-id", request_id)]
        if not failures.for_programs(path):
            token = cookies.get(COOKIE, "")
            if len(token) != 43:
                token = secrets.token_urlsafe(32)
                added.append((b"set-cookie", cookie(self._settings, COOKIE, token).encode()))
            scope.setdefault("state", {})[TOKEN] = token
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = message.get("headers", ())
                names = {name.lower() for name, _ in own} - {b"set-cookie"}
                message["headers"] = [*own, *(header for header in added if header[0] not in names)]
            await send(message)

        limit = self._limit(path, headers)
        refusal = self._foreign(scope["method"], path, headers, limit) or await self._unknown(scope, headers, cookies)
        if refusal is not None:
            await refusal(scope, receive, answer)
            return
        try:
            await self._app(scope, _limited(receive, limit), answer)
        except Exception:
            _log.exception("%s %s failed", scope["method"], path)
            if started:
                raise
            text = f"the desk has failed; its log says more at request {context.request_id.get()}"
            await failures.answer(path, 500, text)(scope, receive, answer)

    def _limit(self, path: str, headers: dict[bytes, bytes]) -> int:
        """The most bytes that the body of a request may have."""
        uploads = headers.get(b"content-type", b"").startswith(b"multipart/form-data") and _UPLOADS.fullmatch(path)
        return self._most if uploads else SMALL

    def _foreign(self, method: str, path: str, headers: dict[bytes, bytes], limit: int) -> Response | None:
        """The answer to a request that comes from another site, or is too large."""
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._settings.needs_keys and _name(host) not in LOOPBACK:
            return failures.answer(path, 421, f"host: got {host!r}, expected one of {', '.join(LOOPBACK)}")
        if method not in READS:
            origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", b"none")
            own = [f"http://{host}", *filter(None, [self._settings.public])]
            if (origin is not None and origin.decode("latin-1") not in own) or site not in (b"none", b"same-origin"):
                got = origin and origin.decode("latin-1")
                return failures.answer(path, 403, f"origin: got {got!r}, expected the desk's own pages, {own[-1]}")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            return failures.answer(path, 413, _too_large(limit))
        return None

    async def _unknown(self, scope: Scope, headers: dict[bytes, bytes], cookies: dict[str, str]) -> Response | None:
        """The answer to a request whose caller is not known, comes too often, or may not do what it asks for."""
        method, path, given = scope["method"], scope["path"], headers.get(b"authorization")
        try:
            key = await self._key(given, cookies)
        except ServiceError as error:
            return failures.answer(path, 503, str(error))
        if key is not None:
            context.caller.set(key.name)
            context.signed_in.set(given is None)
        elif not self._settings.needs_keys and given is None:
            return None
        client = scope.get("client")
        who = f"key {key.name}" if key is not None else f"address {client[0] if client else ''}"
        if not await self._limiter.hit(self._rate, who):
            again = (await self._limiter.get_window_stats(self._rate, who)).reset_time - time.time()
            wait = {"Retry-After": str(max(1, round(again)))}
            return failures.answer(path, 429, f"more than {self._rate.amount:,} requests in a minute", wait)
        least = needed(method, path)
        if key is not None:
            if least is None or allows(key.role, least):
                return None
            return failures.answer(path, 403, f"the key {key.name!r} has the role {key.role}, this needs {least}")
        if given is None and least is None:
            return None
        if given is None and method in READS and not failures.for_programs(path):
            return RedirectResponse("/login", 303)
        text = "the key is wrong or was revoked" if given else "a key is needed: Authorization: Bearer KEY"
        return failures.answer(path, 401, text, {"WWW-Authenticate": "Bearer"})

    async def _key(self, given: bytes | None, cookies: dict[str, str]) -> Key | None:
        if given is not None:
            scheme, _, text = given.decode("latin-1").partition(" ")
            return await self._callers.of_key(text.strip()) if scheme.lower() == "bearer" else None
        return await self._callers.of_session(cookies[SESSION]) if SESSION in cookies else None


def check_form(request: Request, token: object) -> None:
    """Raises StaleFormError where a form does not carry the token of the browser's cookie."""
    if not isinstance(token, str) or not hmac.compare_digest(token.encode(), request.state.token.encode()):
        raise StaleFormError("this form is too old, or cookies are off: go back, load the page again and resend it")


def cookie(settings: Settings, name: str, value: str, seconds: float | None = None) -> str:
    """A cookie that scripts and other sites do not get, as the value of `Set-Cookie`.

    Args:
      seconds: after which the browser forgets it; by default when it is closed.
    """
    secure = "; Secure" if (settings.public or "").startswith("https:") else ""
    lasts = "" if seconds is None else f"; Max-Age={seconds:.0f}"
    return f"{name}={value}; HttpOnly; SameSite=Strict; Path=/{lasts}{secure}"


def _request_id(given: bytes) -> bytes:
    """The caller's id of a request where it is one, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()


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
