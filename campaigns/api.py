"""The JSON API: all that the pages do, under `/api`; `/api/openapi.json` describes it. `score_route` has `/api/score`.

`security.Guard` lies before it: it refuses what a page of another site sends, and asks for keys where others than the
people of this machine can reach the desk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from campaigns import performance
from campaigns.addresses import LARGEST, Id, Row, SegmentName, Sent, TheDesk
from campaigns.records import Campaign
from campaigns.results import verdict
from campaigns.store import audit, campaigns, customers
from campaigns.store.customers import DECILES, Sort
from data.errors import ServiceError

router = APIRouter(prefix="/api", tags=["desk"])
MOST_CUSTOMERS = 1_000
"""Customers of one answer."""
MOST_ENTRIES = 1_000
"""Actions of one answer."""

_TEXT = {"type": "string"}
_FILE = {"type": "string", "format": "binary"}


def _takes(required: list[str], **properties: Mapping[str, str]) -> dict[str, Any]:
    """How OpenAPI describes a form that is read by hand, so that an upload is streamed."""
    schema = {"type": "object", "required": required, "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


_MONEY = dict.fromkeys(("cost", "margin", "calls", "control_share"), _TEXT)


@router.get("/model")
def model(desk: TheDesk) -> dict[str, Any]:
    """The model that serves, the columns that a list must have, and those that a plan may give for all customers."""
    served = desk.served()
    run = desk.run(served.version)
    contract = served.contract
    return {
        "name": served.name,
        "version": served.version,
        "columns": list(contract.features()),
        "at_call": list(contract.planned),
        "assumed": served.assumed.values(contract.derived_columns) if served.assumed else {},
        "synthetic": run.dataset.synthetic if run else None,
        "test": asdict(run.metrics["test"]) if run else None,
    }


@router.get("/performance")
def live_performance(desk: TheDesk) -> list[dict[str, Any]]:
    """What calls brought by model version and month of the freeze, the newest month first."""
    return [asdict(one) for one in performance.all_months(desk.engine)]


@router.get("/campaigns")
def all_campaigns(desk: TheDesk) -> list[dict[str, Any]]:
    """Every campaign, the newest first."""
    return [_json(campaign) for campaign in campaigns.all_campaigns(desk.engine)]


@router.post(
    "/campaigns",
    status_code=201,
    openapi_extra=_takes(["name", "cost", "margin", "file"], name=_TEXT, **_MONEY, quarantine=_TEXT, file=_FILE),
)
def start(desk: TheDesk, answers: Sent) -> dict[str, Any]:
    """Uploads a list and starts scoring it; `plan.<column>` gives a column for all customers."""
    upload = answers.file()
    return _json(desk.start(answers.texts, upload.file, upload.filename))


@router.get("/campaigns/{campaign_id}")
def campaign(desk: TheDesk, campaign_id: Id) -> dict[str, Any]:
    """One campaign and how far it is."""
    return _json(desk.campaign(campaign_id))


@router.delete("/campaigns/{campaign_id}", status_code=204)
def remove(desk: TheDesk, campaign_id: Id) -> None:
    """Removes a campaign with its customers and outcomes."""
    desk.remove(campaign_id)


@router.post("/campaigns/{campaign_id}/cancel")
def cancel(desk: TheDesk, campaign_id: Id) -> dict[str, Any]:
    """Cancels the scoring."""
    desk.cancel(campaign_id)
    return _json(desk.campaign(campaign_id))


@router.get("/campaigns/{campaign_id}/customers")
def ranked(
    desk: TheDesk,
    campaign_id: Id,
    offset: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_CUSTOMERS)] = 100,
    sort: Sort = "rank",
    segment: SegmentName = None,
    decile: Annotated[int | None, Query(ge=1, le=DECILES)] = None,
) -> dict[str, Any]:
    """A part of the ranked list."""
    desk.ranked(campaign_id)
    engine = desk.engine
    found = customers.page(engine, campaign_id, offset=offset, limit=limit, sort=sort, segment=segment, decile=decile)
    return {
        "count": customers.count(engine, campaign_id, segment, decile),
        "customers": [asdict(customer) for customer in found],
    }


@router.get("/campaigns/{campaign_id}/customers/{row}")
def customer(desk: TheDesk, campaign_id: Id, row: Row) -> dict[str, Any]:
    """One customer by its row in the file."""
    return asdict(desk.customer(campaign_id, row))


@router.get("/campaigns/{campaign_id}/customers/{row}/explanation")
def explanation(desk: TheDesk, campaign_id: Id, row: Row) -> dict[str, Any]:
    """What each column adds to the mean logit of training rows, and the strongest reasons in words."""
    found = desk.explained(desk.campaign(campaign_id), [desk.customer(campaign_id, row)])
    if found is None:
        raise ServiceError("the version of the model that scored the list does not give reasons now")
    return {**asdict(found[0].explanation), **found[0].reasons._asdict()}


@router.get("/campaigns/{campaign_id}/customers/{row}/what-if")
def what_if(desk: TheDesk, campaign_id: Id, row: Row) -> dict[str, Any]:
    """The probability with other values of the columns that describe the call: what the model expects, no promise."""
    found = desk.choices(desk.campaign(campaign_id), desk.customer(campaign_id, row))
    if found is None:
        raise ServiceError("the version of the model that scored the list does not answer now")
    return {name: [asdict(one) for one in values] for name, values in found.items()}


@router.get("/campaigns/{campaign_id}/plan")
def plan(
    desk: TheDesk,
    campaign_id: Id,
    cost: str | None = None,
    margin: str | None = None,
    calls: str | None = None,
    control_share: str | None = None,
) -> dict[str, Any]:
    """What the calls will bring by the campaign's terms, or by terms that are tried and not kept."""
    found = desk.ranked(campaign_id)
    tried = {"cost": cost, "margin": margin, "calls": calls, "control_share": control_share}
    terms = desk.tried_terms(found, {name: text for name, text in tried.items() if text is not None})
    return {name: _plain(value) for name, value in asdict(desk.plan(found, terms)).items()}


@router.post("/campaigns/{campaign_id}/terms", openapi_extra=_takes(["cost", "margin"], **_MONEY))
def change_terms(desk: TheDesk, campaign_id: Id, answers: Sent) -> dict[str, Any]:
    """Changes cost, margin, calls and control group; the call list must not be frozen."""
    desk.change_terms(campaign_id, answers.texts)
    return _json(desk.campaign(campaign_id))


@router.post("/campaigns/{campaign_id}/freeze")
def freeze(desk: TheDesk, campaign_id: Id) -> dict[str, Any]:
    """Marks the call list and freezes it."""
    desk.freeze(campaign_id)
    return _json(desk.campaign(campaign_id))


@router.post("/campaigns/{campaign_id}/outcomes", openapi_extra=_takes(["file"], file=_FILE))
def record(desk: TheDesk, campaign_id: Id, answers: Sent) -> dict[str, Any]:
    """Uploads who was called and who bought; a later upload corrects an earlier one."""
    upload = answers.file()
    return asdict(desk.record(campaign_id, upload.file, upload.filename))


@router.get("/campaigns/{campaign_id}/results")
def results(desk: TheDesk, campaign_id: Id) -> dict[str, Any]:
    """What the calls brought so far, and the verdict; both are null where no outcome of a call is known."""
    found = desk.results(desk.ranked(campaign_id))
    return {"verdict": found and verdict(found), "results": found and asdict(found)}


@router.get("/audit")
def audited(
    desk: TheDesk,
    limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 100,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> list[dict[str, Any]]:
    """Who changed what and who took files, the newest first; `before` is the id of the last one on the page before."""
    return [asdict(entry) for entry in audit.latest(desk.engine, limit, before)]


def _json(campaign: Campaign) -> dict[str, Any]:
    """A campaign without its contract, which is long and is served by `/api/model`."""
    return {name: value for name, value in asdict(campaign).items() if name != "contract"}


def _plain(value: Any) -> Any:
    """Arrays as lists."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value
