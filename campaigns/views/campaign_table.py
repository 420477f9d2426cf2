"""How the campaigns do: a part of the first page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from campaigns.records import Campaign, SoFar, Standing
from campaigns.views.screen import NEW, path, state_name
from pages.blocks import Block, Link, Links, Paragraph, Section, Table
from pages.formatting import UNKNOWN, interval, number
from pages.language import tr

PAGE = 20
"""Campaigns on one page."""


@dataclass(frozen=True)
class Part:
    """The campaigns that a page shows.

    Attributes:
      page: from 1.
      campaigns: of the page, the newest first.
      standings: how they do, by id; of ranked ones only.
      count: of all campaigns.
    """

    page: int
    campaigns: Sequence[Campaign]
    standings: Mapping[int, Standing]
    count: int


def section(part: Part) -> Section:
    """The section with its table."""
    title, start = tr("Campaigns"), Links("start", [Link(tr("Start a new campaign"), NEW)])
    if not part.count:
        return Section("campaigns", title, [Paragraph("none", tr("There is no campaign yet.")), start])
    if not part.campaigns:
        first = Links("paging", [Link(tr("First page"), "/")])
        return Section("campaigns", title, [Paragraph("none-here", tr("No campaign is on this page.")), first])
    head = (
        tr("Campaign"),
        tr("State"),
        tr("Customers"),
        tr("Calls"),
        tr("Expected buyers"),
        tr("95 % interval"),
        tr("Bought so far"),
        tr("Verdict so far"),
    )
    cells = [_row(one, part.standings.get(one.id)) for one in part.campaigns]
    caption = tr("Campaigns, newest first")
    if part.count > PAGE:
        before = (part.page - 1) * PAGE
        caption = tr(
            "Campaigns {first} to {last} of {count}, newest first",
            first=number(before + 1),
            last=number(before + len(cells)),
            count=number(part.count),
        )
    blocks: list[Block] = [start, Table("campaigns", caption, head, cells, frozenset({0, 1, 7}))]
    if part.count > PAGE:
        blocks.append(_paging(part))
    return Section("campaigns", title, blocks)


def _row(campaign: Campaign, standing: Standing | None) -> tuple[str | Link, ...]:
    so_far = standing.so_far if standing else None
    return (
        Link(campaign.terms.name, path(campaign.id)),
        state_name(campaign.state),
        _customers(campaign),
        number(standing.calls) if standing else UNKNOWN,
        Link(number(standing.buyers), path(campaign.id, "budget")) if standing else UNKNOWN,
        interval(standing.buyers_low, standing.buyers_high, 0) if standing else UNKNOWN,
        _of(so_far.buyers, so_far.calls) if so_far else UNKNOWN,
        Link(_verdict(so_far), path(campaign.id, "outcomes")) if so_far else _waits(campaign),
    )


def _customers(campaign: Campaign) -> str:
    if campaign.state in ("waiting", "scoring"):
        return _of(campaign.scored, campaign.rows - campaign.bad)
    return number(campaign.scored)


def _of(some: int, total: int) -> str:
    return tr("{some} of {total}", some=number(some), total=number(total))


def _verdict(so_far: SoFar) -> str:
    """Whether buyers came as expected, and whether the list beat the control group."""
    if so_far.buyers < so_far.expected_low:
        came = tr("fewer buyers than expected")
    elif so_far.buyers > so_far.expected_high:
        came = tr("more buyers than expected")
    elif so_far.held:
        came = tr("as many buyers as expected")
    else:
        came = tr("as many buyers as expected, but the probabilities were wrong")
    if so_far.beat is None:
        return came
    beat = tr("better than the control group") if so_far.beat else tr("worse than the control group")
    return f"{came}; {beat}"


def _waits(campaign: Campaign) -> str | Link:
    """What is to be done next."""
    if campaign.state == "ranked":
        return Link(tr("plan the budget"), path(campaign.id, "budget"))
    if campaign.state == "frozen":
        return Link(tr("upload outcomes"), path(campaign.id, "outcomes"))
    return UNKNOWN


def _paging(part: Part) -> Links:
    last = -(-part.count // PAGE)
    pages = {
        tr("First page"): 1,
        tr("Previous page"): part.page - 1,
        tr("Next page"): part.page + 1,
        tr("Last page"): last,
    }
    links = [Link(text, f"/?page={page}") for text, page in pages.items() if 1 <= page <= last and page != part.page]
    return Links("paging", links)
