"""The frame of every page of the desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from campaigns.records import Campaign, State
from pages import html
from pages.blocks import Link, Notice, Section, Tile
from runs.summary import PurchaseSummary

TEMPLATE = Path(__file__).parent.parent / "templates" / "desk.html.j2"
HOME = Link("Campaign desk", "/")
NEW = Link("New campaign", "/campaigns/new")
STATES: Mapping[State, str] = {
    "waiting": "waiting",
    "scoring": "scoring",
    "ranked": "ranked",
    "frozen": "call list frozen",
    "cancelled": "cancelled",
    "failed": "failed",
}


@dataclass(frozen=True)
class Screen:
    """A page.

    Attributes:
      title: its heading.
      sections: its parts.
      notices: what a person has to know first.
      tiles: the most important figures.
      trail: where a person can go from here.
      here: address of the page in the trail; empty where it is not in it.
    """

    title: str
    sections: Sequence[Section]
    notices: Sequence[Notice] = ()
    tiles: Sequence[Tile] = ()
    trail: Sequence[Link] = (HOME, NEW)
    here: str = ""

    def html(self) -> str:
        """The page as text."""
        return html.render(TEMPLATE, title=self.title, screen=self, sections=self.sections)


def trail(campaign: Campaign) -> list[Link]:
    """The links above a page of a campaign: to the desk and to the campaign's pages."""
    links = [HOME, Link(campaign.terms.name, path(campaign.id))]
    if campaign.state in ("ranked", "frozen"):
        links += [Link("Budget", path(campaign.id, "budget")), Link("Outcomes", path(campaign.id, "outcomes"))]
    return links


def path(campaign_id: int, rest: str = "") -> str:
    """The address of a campaign, or of something in it."""
    return f"/campaigns/{campaign_id}" + (f"/{rest}" if rest else "")


def moment(time: datetime) -> str:
    """`2026-11-24 21:05 UTC`; a time without a zone is UTC."""
    known = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    return f"{known.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def synthetic(run: PurchaseSummary | None) -> list[Notice]:
    """Says that the model learned from made-up customers, where it did."""
    if run is None or not run.dataset.synthetic:
        return []
    text = "The model learned from made-up customers. Its probabilities show that the desk works, not who will buy."
    return [Notice("synthetic", "Synthetic data.", [text])]


def failure(status: int, text: str) -> str:
    """The page of an error; its text may have several lines."""
    titles = {403: "Not accepted", 404: "There is no such page", 409: "Not now", 413: "Too large", 503: "Not available"}
    notice = Notice("problem", "Error", text.splitlines(), "bad")
    return Screen(titles.get(status, "That did not work"), (), [notice]).html()
