"""The files of a campaign, beside its pages and in the API."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from campaigns import export, sample_list, training
from campaigns.addresses import Id, TheDesk
from campaigns.desk import Desk
from campaigns.records import Bad, Campaign
from campaigns.store import audit, campaigns
from campaigns.store.errors import StateError
from serving.client.output_files import neutral

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

router = APIRouter(tags=["files"])


@router.get("/campaigns/{campaign_id}/calls.csv", response_class=StreamingResponse)
def calls_csv(desk: TheDesk, campaign_id: Id) -> StreamingResponse:
    """The frozen call list as CSV."""
    campaign = _frozen(desk.campaign(campaign_id))
    rows = export.csv_rows(campaign, desk.calls(campaign))
    return StreamingResponse(rows, media_type=CSV, headers=_saved(desk, campaign, "calls.csv"))


@router.get("/campaigns/{campaign_id}/calls.xlsx", response_class=FileResponse)
def calls_xlsx(desk: TheDesk, campaign_id: Id) -> FileResponse:
    """The frozen call list as a workbook."""
    campaign = _frozen(desk.campaign(campaign_id))
    with tempfile.NamedTemporaryFile(dir=desk.settings.folder, suffix=".xlsx", delete=False) as output:
        file = Path(output.name)
    try:
        export.xlsx(campaign, desk.calls(campaign), file)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return FileResponse(
        file, media_type=XLSX, headers=_saved(desk, campaign, "calls.xlsx"), background=BackgroundTask(file.unlink)
    )


@router.get("/campaigns/{campaign_id}/bad.csv", response_class=StreamingResponse)
def bad_csv(desk: TheDesk, campaign_id: Id) -> StreamingResponse:
    """The bad rows of the list with their lines and faults."""
    campaign = desk.campaign(campaign_id)
    rows = _bad_rows(campaigns.bad(desk.engine, campaign_id))
    return StreamingResponse(rows, media_type=CSV, headers=_saved(desk, campaign, "bad.csv"))


@router.get("/campaigns/{campaign_id}/training.csv", response_class=FileResponse)
def training_csv(desk: TheDesk, campaign_id: Id) -> FileResponse:
    """The calls with a known result as training rows of the data contract."""
    campaign = desk.campaign(campaign_id)
    file = training.file(desk.settings.folder, campaign_id)
    if not file.is_file():
        raise StateError(f"campaign {campaign_id} has no training rows: no result of a call is known")
    return FileResponse(file, media_type=CSV, headers=_saved(desk, campaign, "training.csv"))


@router.get("/sample.csv", response_class=Response)
def sample_csv(desk: TheDesk) -> Response:
    """A list of made-up customers with the columns that the served model takes, as a template."""
    name = {"Content-Disposition": f'attachment; filename="{sample_list.NAME}"'}
    return Response(sample_list.text(desk.served()), media_type=CSV, headers=name)


def _frozen(campaign: Campaign) -> Campaign:
    if campaign.state != "frozen":
        raise StateError(f"campaign {campaign.id} is {campaign.state}: its call list is not frozen")
    return campaign


def _saved(desk: Desk, campaign: Campaign, name: str) -> dict[str, str]:
    """Lets a browser save an answer as a file; the audit log gets a line."""
    audit.add(desk.engine, "download", f"campaign {campaign.id}: {name}")
    return {"Content-Disposition": f'attachment; filename="campaign-{campaign.id}-{name}"'}


def _bad_rows(bad: Iterable[Bad]) -> Iterator[str]:
    yield export.MARK
    for row in [("line", "problem", "row"), *((str(one.line), neutral(one.problem), neutral(one.text)) for one in bad)]:
        text = io.StringIO()
        csv.writer(text).writerow(row)
        yield text.getvalue()
