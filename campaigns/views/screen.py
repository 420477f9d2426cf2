"""The frame of every page of the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from campaigns import context, languages
from campaigns.records import Campaign, State
from pages import html
from pages.blocks import Link, Notice, Section, Tile
from pages.formatting import moment as moment
from pages.language import tr
from runs.summary import PurchaseSummary

TEMPLATE = Path(__file__).parent.parent / "templates" / "desk.html.j2"
NEW = "/campaigns/new"
"""Where a campaign is started."""
PERFORMANCE = "/performance"
"""Where it is said what the calls of all campaigns brought."""
API = "/api"
"""What programs can ask."""


def home() -> Link:
    """To the first page."""
    return Link(tr("Campaign desk"), "/")


def desk_trail() -> list[Link]:
    """The links above a page that belongs to no campaign."""
    return [
        home(),
        Link(tr("New campaign"), NEW),
        Link(tr("Performance"), PERFORMANCE),
        Link(tr("API"), API),
    ]


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
      reload: seconds after which a browser without scripts loads the page again; None for never.
    """

    title: str
    sections: Sequence[Section]
    notices: Sequence[Notice] = ()
    tiles: Sequence[Tile] = ()
    trail: Sequence[Link] = field(default_factory=desk_trail)
    here: str = ""
    reload: int | None = None

    def html(self) -> str:
        """The page as text."""
        leave = tr("Log out {name}", name=context.caller.get()) if context.signed_in.get() else ""
        return html.render(
            TEMPLATE,
            title=self.title,
            screen=self,
            sections=self.sections,
            languages=languages.choices(),
            leave=leave,
        )


def trail(campaign: Campaign) -> list[Link]:
    """The links above a page of a campaign: to the desk and to the campaign's pages."""
    links = [home(), Link(campaign.terms.name, path(campaign.id))]
    if campaign.state in ("ranked", "frozen"):
        links += [Link(tr("Budget"), path(campaign.id, "budget")), Link(tr("Outcomes"), path(campaign.id, "outcomes"))]
    return links


def path(campaign_id: int, rest: str = "") -> str:
    """The address of a campaign, or of something in it."""
    return f"/campaigns/{campaign_id}" + (f"/{rest}" if rest else "")


def state_name(state: State) -> str:
    """A campaign's state in words."""
    return {
        "waiting": tr("waiting"),
        "scoring": tr("scoring"),
        "ranked": tr("ranked"),
        "frozen": tr("call list frozen"),
        "cancelled": tr("cancelled"),
        "failed": tr("failed"),
    }[state]


def synthetic(run: PurchaseSummary | None) -> list[Notice]:
    """Says that the model learned from made-up customers, where it did."""
    if run is None or not run.dataset.synthetic:
        return []
    text = tr("The model learned from made-up customers. Its probabilities show that the desk works, not who will buy.")
    return [Notice("synthetic", tr("Synthetic data."), [text])]


def problem_notice(title: str, text: str, *advice: str) -> Notice:
    """Says what did not work.

    Args:
      title: in the page's language.
      text: why, as an error says it; may have several lines.
      advice: lines in the page's language.
    """
    return Notice("problem", title, advice, "bad", text.splitlines())


def failure(status: int, text: str) -> str:
    """The page of an error; its text may have several lines."""
    titles = {
        403: tr("Not accepted"),
        404: tr("There is no such page"),
        409: tr("Not now"),
        413: tr("Too large"),
        503: tr("Not available"),
    }
    return Screen(titles.get(status, tr("That did not work")), (), [problem_notice(tr("Error"), text)]).html()
