"""The page of one campaign: how far its scoring is, then its ranked list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlencode

from campaigns.desk import Explained
from campaigns.lists import identifier_column
from campaigns.records import Campaign, Customer
from campaigns.security import TOKEN
from campaigns.served import contract_from_json
from campaigns.store.customers import DECILES, Sort, decile
from campaigns.views import deletion
from campaigns.views.screen import NEW, Screen, moment, path, problem_notice, synthetic, trail
from pages.blocks import Block, Link, Links, Notice, Paragraph, Progress, Section, Table, Tile
from pages.formatting import UNKNOWN, number, percent
from pages.forms import Field, Form
from pages.language import ntr, tr
from runs.summary import PurchaseSummary

RELOAD_SECONDS = 2
"""How often a browser without scripts loads the page of a running job again."""
PAGE = 50
"""Customers on one page."""


@dataclass(frozen=True)
class Choice:
    """Which part of a ranked list is shown.

    Attributes:
      page: from 1.
      sort: see `campaigns.store.customers.Sort`.
      segment, decile: only customers of these; None for all.
    """

    page: int = 1
    sort: Sort = "rank"
    segment: str | None = None
    decile: int | None = None

    def address(self, campaign_id: int, **changes: object) -> str:
        """The address of this part, or of another one."""
        query = {name: value for name, value in vars(replace(self, **changes)).items() if value is not None}  # type: ignore[arg-type]
        return f"{path(campaign_id)}?{urlencode(query)}"


@dataclass(frozen=True)
class Part:
    """The part of a ranked list that a page shows.

    Attributes:
      choice: which part.
      customers: of the page.
      explained: why they have their probabilities; None where the model does not say it.
      count: customers in the segment and decile that are shown.
      segments: customers by segment; empty where no segment model served.
      repeated: rows of the list whose identifier another row before them has.
    """

    choice: Choice
    customers: Sequence[Customer]
    explained: Sequence[Explained] | None
    count: int
    segments: Mapping[str, int]
    repeated: int = 0


def unfinished(campaign: Campaign, token: str, follows: bool) -> Screen:
    """The page of a campaign whose list is not ranked: progress, or what went wrong.

    Args:
      follows: whether the page follows the scoring by itself.
    """
    notices = []
    problem = campaign.problem or ""
    if campaign.state == "failed":
        notices.append(problem_notice(tr("The list was not scored."), problem))
    elif campaign.state == "cancelled":
        notices.append(Notice("cancelled", tr("Scoring was cancelled."), diagnosis=problem.splitlines()))
    elif problem:
        notices.append(problem_notice(tr("Scoring waits."), problem))
    blocks: list[Block] = list(_progress(campaign, token, follows))
    if campaign.bad:
        blocks.append(_bad_rows(campaign))
    uploaded = tr("{file}, uploaded {time}.", file=campaign.source, time=moment(campaign.created))
    blocks.append(Paragraph("source", uploaded))
    if campaign.state in ("failed", "cancelled"):
        blocks.append(deletion.link(campaign))
    return Screen(
        campaign.terms.name,
        [Section("scoring", tr("Scoring"), blocks)],
        notices,
        trail=trail(campaign),
        here=path(campaign.id),
        reload=RELOAD_SECONDS if follows and running(campaign) else None,
    )


def running(campaign: Campaign) -> bool:
    """Whether the campaign's list waits or is being scored."""
    return campaign.state in ("waiting", "scoring")


def face(campaign: Campaign) -> str:
    """What the page of an unfinished campaign shows beside its progress; with another face it is another page."""
    state = "running" if running(campaign) else campaign.state
    return ".".join([state, *["problem"] * bool(campaign.problem), *["bad"] * bool(campaign.bad)])


def progress(campaign: Campaign, events: str = "") -> Progress:
    """How far the scoring of a campaign is."""
    total = campaign.rows - campaign.bad
    if campaign.state == "waiting":
        label = tr("The list waits for its turn.")
    elif campaign.scored == 0 and running(campaign):
        label = tr("The rows are checked: {rows} so far.", rows=number(campaign.rows))
    else:
        scored, all_customers = number(campaign.scored), number(total)
        label = tr("{scored} of {customers} customers are scored.", scored=scored, customers=all_customers)
    return Progress("progress", label, campaign.scored, total if campaign.scored else None, events)


def _progress(campaign: Campaign, token: str, follows: bool) -> Iterator[Block]:
    if not running(campaign):
        yield Paragraph("scored", progress(campaign).label)
        yield Links("again", [Link(tr("Start a new campaign"), NEW)])
        return
    yield progress(campaign, path(campaign.id, f"events?face={face(campaign)}") if follows else "")
    still, live = (
        Link(tr("Stop following it"), f"{path(campaign.id)}?follow=no"),
        Link(tr("Follow the progress"), path(campaign.id)),
    )
    if follows:
        yield Paragraph("follows", tr("This page follows the scoring by itself, and shows the ranked list at its end."))
    yield Links("follow", [still if follows else live])
    yield Form("cancel", path(campaign.id, "cancel"), (), tr("Cancel scoring"), {TOKEN: token}, quiet=True)


def ranked(campaign: Campaign, run: PurchaseSummary | None, part: Part) -> Screen:
    """The page of a ranked list; `run` pushed the model that scored it, where it is known."""
    blocks: list[Block] = [*_files(campaign), _filter(campaign, part)]
    if not part.customers:
        blocks.append(Paragraph("none", tr("No customer is in this part of the list.")))
    else:
        blocks += [*_remarks(campaign, part), _table(campaign, part), _paging(campaign, part)]
    blocks.append(deletion.link(campaign))
    notices, tiles = [*synthetic(run), *_notices(campaign)], list(_tiles(campaign))
    sections = [Section("list", tr("Ranked list"), blocks)]
    return Screen(campaign.terms.name, sections, notices, tiles, trail(campaign), path(campaign.id))


def _remarks(campaign: Campaign, part: Part) -> Iterator[Paragraph]:
    """What the list lacks."""
    if part.explained is None:
        text = tr("Reasons are not shown: the version of the model that scored the list does not give them now.")
        yield Paragraph("no-reasons", text)
    if identifier_column(contract_from_json(campaign.contract), tuple(part.customers[0].cells)) is None:
        text = tr(
            "The file has no column of identifiers, so that customers are identified by the numbers of their rows."
        )
        yield Paragraph("no-identifiers", text)
    if part.repeated:
        text = ntr(
            "{rows} row has the identifier of another one. An outcome counts for all rows with its identifier.",
            "{rows} rows have the identifier of another one. An outcome counts for all rows with its identifier.",
            part.repeated,
            rows=number(part.repeated),
        )
        yield Paragraph("repeated", text)


def _notices(campaign: Campaign) -> Iterator[Notice]:
    if campaign.frozen:
        text = tr("It was frozen {time} and cannot change any more.", time=moment(campaign.frozen))
        yield Notice("frozen", tr("The call list is frozen."), [text], "good")


def _tiles(campaign: Campaign) -> Iterator[Tile]:
    aside = tr("no row was set aside")
    if campaign.bad:
        aside = ntr("{rows} row was set aside", "{rows} rows were set aside", campaign.bad, rows=number(campaign.bad))
    yield Tile("customers", number(campaign.scored), tr("customers, the most likely buyers first"), aside)
    version = tr("version {version}", version=campaign.version) if campaign.version else UNKNOWN
    yield Tile("model", campaign.model or UNKNOWN, tr("scored the list"), version)


def _filter(campaign: Campaign, part: Part) -> Form:
    choice, segments = part.choice, part.segments
    deciles = [("", tr("all")), *((str(one), _tenth(one)) for one in range(1, DECILES + 1))]
    fields = [Field("decile", tr("Tenth of the list"), "choice", str(choice.decile or ""), "", deciles)]
    if segments:
        names = [("", tr("all")), *((name, f"{name} ({number(rows)})") for name, rows in segments.items())]
        fields.append(Field("segment", tr("Segment"), "choice", choice.segment or "", "", names))
    fields.append(Field("page", tr("Page"), "number", str(choice.page), low=1, whole=True))
    return Form("filter", path(campaign.id), fields, tr("Show"), {"sort": choice.sort}, asks=True, quiet=True)


def _tenth(number: int) -> str:
    if number == 1:
        return tr("{number}, most likely buyers", number=number)
    return tr("{number}, least likely buyers", number=number) if number == DECILES else str(number)


def _table(campaign: Campaign, part: Part) -> Table:
    choice, customers, explained, segments = part.choice, part.customers, part.explained, bool(part.segments)
    first = (choice.page - 1) * PAGE + 1
    caption = tr(
        "Customers {first} to {last} of {count}",
        first=number(first),
        last=number(first + len(customers) - 1),
        count=number(part.count),
    )
    frozen = campaign.state == "frozen"
    head: list[str | Link] = [
        _sorting(campaign, choice, tr("Identifier"), "identifier"),
        _sorting(campaign, choice, tr("Rank"), "rank"),
        tr("Probability"),
        tr("Tenth"),
        *[tr("For"), tr("Against")] * (explained is not None),
        *[tr("Segment")] * segments,
        tr("Warnings"),
        *[tr("Call")] * frozen,
        _sorting(campaign, choice, tr("Row of the file"), "row"),
    ]
    calls = {"best": tr("best"), "control": tr("control group"), None: ""}
    reasons: Sequence[Explained | None] = [None] * len(customers) if explained is None else explained
    cells: list[Sequence[str | Link]] = [
        (
            Link(one.identifier, path(campaign.id, f"customers/{one.row}")),
            number(one.rank),
            percent(one.probability, 1),
            str(decile(one.rank or 1, campaign.scored)),
            *(map("; ".join, why.reasons) if why else ()),
            *[one.segment or UNKNOWN] * segments,
            "; ".join(one.warnings),
            *[calls[one.called]] * frozen,
            number(one.row),
        )
        for one, why in zip(customers, reasons, strict=True)
    ]
    texts = {0, 4, *range(5, len(head) - 1)}
    columns = {"identifier": 0, "rank": 1, "row": len(head) - 1}
    direction: Literal["ascending", "descending"] = "descending" if choice.sort.startswith("-") else "ascending"
    return Table(
        "customers",
        caption,
        head,
        cells,
        frozenset(texts),
        sorted=(columns[choice.sort.lstrip("-")], direction),
    )


def _sorting(campaign: Campaign, choice: Choice, text: str, name: str) -> Link:
    """A header that sorts by its column, and the other way round where the rows are sorted by it already."""
    return Link(text, choice.address(campaign.id, page=1, sort=f"-{name}" if choice.sort == name else name))


def _paging(campaign: Campaign, part: Part) -> Links:
    choice, last = part.choice, max(1, -(-part.count // PAGE))
    pages = (
        (tr("First page"), 1),
        (tr("Previous page"), choice.page - 1),
        (tr("Next page"), choice.page + 1),
        (tr("Last page"), last),
    )
    links = [
        Link(text, choice.address(campaign.id, page=page))
        for text, page in pages
        if 1 <= page <= last and page != choice.page
    ]
    return Links("paging", links)


def _files(campaign: Campaign) -> Iterator[Block]:
    uploaded = tr("The list is {file}, uploaded {time}.", file=campaign.source, time=moment(campaign.created))
    yield Paragraph("source", uploaded)
    if campaign.bad:
        yield _bad_rows(campaign)
    if campaign.state == "frozen":
        links = [
            Link(tr("Call list as CSV"), path(campaign.id, "calls.csv")),
            Link(tr("Call list as XLSX"), path(campaign.id, "calls.xlsx")),
        ]
        yield Links("calls", links)
    else:
        text = tr("The call list can be downloaded once it is frozen, which is done on the page of the budget.")
        yield Paragraph("not-frozen", text)
        yield Links("budget", [Link(tr("Plan the budget"), path(campaign.id, "budget"))])


def _bad_rows(campaign: Campaign) -> Links:
    text = tr("Download the bad rows with their reasons ({rows})", rows=number(campaign.bad))
    return Links("bad", [Link(text, path(campaign.id, "bad.csv"))])
