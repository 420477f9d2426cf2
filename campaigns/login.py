"""How a person begins and ends a session with a key; off loopback the desk's pages need one."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from campaigns import context, security
from campaigns.addresses import SentByAPage, TheDesk
from campaigns.callers import SESSION_SECONDS, Callers
from campaigns.store import audit
from campaigns.views import login

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def _callers(request: Request) -> Callers:
    return request.app.state.callers


@router.get("/login")
def login_page(request: Request) -> Response:
    return HTMLResponse(login.screen(request.state.token).html())


@router.post("/login")
async def log_in(request: Request, desk: TheDesk, answers: SentByAPage) -> Response:
    text = answers.texts.get("key", "").strip()
    key = await _callers(request).of_key(text)
    if key is None:
        return HTMLResponse(login.screen(request.state.token, wrong=True).html(), 401)
    context.caller.set(key.name)
    await run_in_threadpool(audit.add, desk.engine, "login", f"with the role {key.role}")
    token = _callers(request).begin(text)
    return _to("/", security.cookie(desk.settings, security.SESSION, token, SESSION_SECONDS))


@router.get("/logout")
def logout_page(request: Request) -> Response:
    return HTMLResponse(login.leave(request.state.token).html())


@router.post("/logout")
async def log_out(request: Request, desk: TheDesk, answers: SentByAPage) -> Response:
    if context.signed_in.get():
        await run_in_threadpool(audit.add, desk.engine, "logout", "")
    _callers(request).end(request.cookies.get(security.SESSION, ""))
    return _to("/login", security.cookie(desk.settings, security.SESSION, "", 0))


def _to(address: str, cookie: str) -> Response:
    response = RedirectResponse(address, 303)
    response.headers.append("Set-Cookie", cookie)
    return response
