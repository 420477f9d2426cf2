"""The progress of scoring as server-sent events, which the script of the page listens to."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from threading import Event

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from campaigns.addresses import Id, TheDesk
from campaigns.desk import Desk
from campaigns.records import Campaign
from campaigns.store import campaigns
from campaigns.views.campaign import face, progress, running

LOOK_SECONDS = 0.5
"""From one look at the store to the next."""
QUIET_SECONDS = 15.0
"""After this time without news a comment is sent, lest something between browser and desk takes the stream for dead."""

router = APIRouter(include_in_schema=False)


@router.get("/campaigns/{campaign_id}/events")
async def events(request: Request, desk: TheDesk, campaign_id: Id, face: str = "") -> StreamingResponse:
    """Sends `progress` with each change, and at last `turn`, when the page is another one than that with this face."""
    first = await run_in_threadpool(desk.campaign, campaign_id)
    news = _news(desk, first, face, request.app.state.stopping)
    return StreamingResponse(news, media_type="text/event-stream")


async def _news(desk: Desk, campaign: Campaign, shown: str, stopping: Event) -> AsyncIterator[str]:
    told, when = "", time.monotonic()
    while running(campaign) and face(campaign) == shown and not stopping.is_set():
        if (news := _progress(campaign)) != told:
            told, when = news, time.monotonic()
            yield news
        elif time.monotonic() - when > QUIET_SECONDS:
            when = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_SECONDS)
        found = await run_in_threadpool(campaigns.get, desk.engine, campaign.id)
        if found is None:  # deleted meanwhile
            break
        campaign = found
    if not stopping.is_set():
        yield "event: turn\ndata:\n\n"


def _progress(campaign: Campaign) -> str:
    bar = progress(campaign)
    data = json.dumps({"label": bar.label, "done": bar.done, "total": bar.total})
    return f"event: progress\ndata: {data}\n\n"
