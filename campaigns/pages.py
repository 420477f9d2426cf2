"""The addresses of the desk's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from campaigns import performance, terms, training
from campaigns.addresses import LARGEST, Id, Row, SegmentName, SentByAPage, TheDesk
from campaigns.desk import Desk
from campaigns.records import Campaign, Terms
from campaigns.served import ServedModel
from campaigns.store import campaigns, customers, standings
from campaigns.store.customers import Sort
from campaigns.store.outcomes import Recorded
from campaigns.store.overview import overview
from campaigns.views import api, budget, campaign, campaign_table, customer, deletion, home, outcomes, start
from campaigns.views import performance as performance_view
from campaigns.views.campaign import PAGE, Choice
from campaigns.views.screen import Screen, path
from data.errors import BadFileError, BadOptionError, ServiceError, UserError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def _page(screen: Screen, status: int = 200) -> HTMLResponse:
    return HTMLResponse(screen.html(), status)


def _to(campaign_id: Id, rest: str = "") -> RedirectResponse:
    return RedirectResponse(path(campaign_id, rest), 303)


@router.get("/")
def first_page(desk: TheDesk, page: Annotated[str, Query()] = "1") -> HTMLResponse:
    number = _whole("page", page or "1", LARGEST // campaign_table.PAGE)
    served: ServedModel | str
    try:
        served = desk.served()
        run = desk.run(served.version)
    except ServiceError as error:
        served, run = str(error), None
    shown = campaigns.page(desk.engine, (number - 1) * campaign_table.PAGE, campaign_table.PAGE)
    noted = standings.of(desk.engine, [one.id for one in shown])
    return _page(home.screen(served, run, campaign_table.Part(number, shown, noted, campaigns.count(desk.engine))))


@router.get("/performance")
def live_performance(desk: TheDesk) -> HTMLResponse:
    waits_since = overview(desk.engine).waits_since
    return _page(performance_view.screen(performance.all_months(desk.engine), waits_since))


@router.get("/api")
def api_page(request: Request, desk: TheDesk) -> HTMLResponse:
    try:
        contract = desk.served().contract
    except ServiceError:
        contract = None
    return _page(api.screen(request.app.openapi(), desk.settings.address, contract))


@router.get("/campaigns/new")
def new_campaign(request: Request, desk: TheDesk) -> HTMLResponse:
    return _page(start.screen(desk.served(), {}, None, request.state.token))


@router.post("/campaigns", response_model=None)
def start_campaign(request: Request, desk: TheDesk, answers: SentByAPage) -> HTMLResponse | RedirectResponse:
    try:
        if answers.texts.get(start.SAMPLE):
            return _to(desk.start_with_sample(answers.texts).id)
        upload = answers.file()
        return _to(desk.start(answers.texts, upload.file, upload.filename).id)
    except UserError as error:
        return _page(start.screen(desk.served(), answers.texts, str(error), request.state.token), 400)


@router.get("/campaigns/{campaign_id}")
def one_campaign(
    request: Request,
    desk: TheDesk,
    campaign_id: Id,
    page: Annotated[str, Query()] = "1",
    sort: Sort = "rank",
    segment: SegmentName = None,
    decile: str = "",
    follow: str = "yes",
) -> HTMLResponse:
    found = desk.campaign(campaign_id)
    if found.state not in ("ranked", "frozen"):
        return _page(campaign.unfinished(found, request.state.token, follow != "no"))
    tenth = _whole("decile", decile, customers.DECILES) if decile else None
    choice = Choice(_whole("page", page or "1", LARGEST), sort, segment or None, tenth)
    count = customers.count(desk.engine, campaign_id, choice.segment, choice.decile)
    shown = customers.page(
        desk.engine,
        campaign_id,
        offset=(choice.page - 1) * PAGE,
        limit=PAGE,
        sort=choice.sort,
        segment=choice.segment,
        decile=choice.decile,
    )
    segments = customers.segments(desk.engine, campaign_id)
    noted = standings.of(desk.engine, [campaign_id]).get(campaign_id)
    repeated = noted.repeated if noted else 0
    part = campaign.Part(choice, shown, desk.explained(found, shown), count, segments, repeated)
    return _page(campaign.ranked(found, desk.run(found.version), part))


@router.get("/campaigns/{campaign_id}/customers/{row}")
def one_customer(desk: TheDesk, campaign_id: Id, row: Row) -> HTMLResponse:
    found, who = desk.campaign(campaign_id), desk.customer(campaign_id, row)
    explained = desk.explained(found, [who])
    choices, nearest = desk.choices(found, who), desk.typical(found, who)
    return _page(customer.screen(found, who, explained[0] if explained else None, choices, nearest))


@router.get("/campaigns/{campaign_id}/budget")
def budget_page(request: Request, desk: TheDesk, campaign_id: Id) -> HTMLResponse:
    """The budget by the campaign's terms, or by those of the address, which are not kept."""
    found = desk.ranked(campaign_id)
    answers = terms.answers(found.terms)
    answers.update((name, value) for name, value in request.query_params.items() if name in answers)
    try:
        tried = desk.tried_terms(found, answers)
    except BadOptionError as error:
        return _budget(desk, found, found.terms, answers, str(error), request.state.token)
    return _budget(desk, found, tried, answers, None, request.state.token)


@router.post("/campaigns/{campaign_id}/budget", response_model=None)
def change_budget(
    request: Request, desk: TheDesk, campaign_id: Id, answers: SentByAPage
) -> HTMLResponse | RedirectResponse:
    try:
        desk.change_terms(campaign_id, answers.texts)
    except BadOptionError as error:
        found = desk.ranked(campaign_id)
        return _budget(desk, found, found.terms, answers.texts, str(error), request.state.token)
    return _to(campaign_id, "budget")


def _budget(
    desk: Desk, found: Campaign, tried: Terms, answers: Mapping[str, str], problem: str | None, token: str
) -> HTMLResponse:
    expected = budget.Expected(tried, desk.plan(found, tried), desk.groups(found, tried), desk.run(found.version))
    return _page(budget.screen(found, expected, answers, problem, token), 400 if problem else 200)


@router.get("/campaigns/{campaign_id}/outcomes")
def outcomes_page(request: Request, desk: TheDesk, campaign_id: Id) -> HTMLResponse:
    return _outcomes(desk, campaign_id, None, None, request.state.token)


@router.post("/campaigns/{campaign_id}/outcomes")
def record_outcomes(request: Request, desk: TheDesk, campaign_id: Id, answers: SentByAPage) -> HTMLResponse:
    try:
        upload = answers.file()
        recorded = desk.record(campaign_id, upload.file, upload.filename)
    except (BadFileError, BadOptionError) as error:
        return _outcomes(desk, campaign_id, None, str(error), request.state.token)
    return _outcomes(desk, campaign_id, recorded, None, request.state.token)


def _outcomes(desk: Desk, campaign_id: int, recorded: Recorded | None, problem: str | None, token: str) -> HTMLResponse:
    found = desk.ranked(campaign_id)
    results = desk.results(found)
    rows = training.manifest(desk.settings.folder, campaign_id)
    return _page(outcomes.screen(found, results, recorded, problem, token, rows), 400 if problem else 200)


@router.post("/campaigns/{campaign_id}/freeze")
def freeze(desk: TheDesk, campaign_id: Id, answers: SentByAPage) -> RedirectResponse:
    desk.freeze(campaign_id)
    return _to(campaign_id)


@router.post("/campaigns/{campaign_id}/cancel")
def cancel(desk: TheDesk, campaign_id: Id, answers: SentByAPage) -> RedirectResponse:
    desk.cancel(campaign_id)
    return _to(campaign_id)


@router.get("/campaigns/{campaign_id}/delete")
def ask_to_delete(request: Request, desk: TheDesk, campaign_id: Id) -> HTMLResponse:
    return _page(deletion.screen(desk.campaign(campaign_id), request.state.token))


@router.post("/campaigns/{campaign_id}/delete")
def delete(desk: TheDesk, campaign_id: Id, answers: SentByAPage) -> RedirectResponse:
    desk.remove(campaign_id)
    return RedirectResponse("/", 303)


def _whole(name: str, text: str, most: int) -> int:
    """A whole number of an address, from 1.

    Raises:
      BadOptionError: it is not.
    """
    if text.isascii() and text.isdecimal() and 1 <= int(text[:12]) <= most:
        return int(text[:12])
    raise BadOptionError(f"{name}: got {text[:40]!r}, expected a whole number from 1 to {most:,}")
