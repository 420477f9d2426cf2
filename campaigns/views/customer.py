"""The page of one customer of a list."""

from __future__ import annotations

from campaigns.desk import Explained
from campaigns.records import Campaign, Customer
from campaigns.store.customers import decile
from campaigns.views.screen import Screen, path, trail
from pages.blocks import Figure, Link, Links, Notice, Paragraph, Section, Table, Tile
from pages.charts import Row, around, rows
from pages.formatting import UNKNOWN, number, percent, signed


def screen(campaign: Campaign, customer: Customer, why: Explained | None) -> Screen:
    """The page; `why` is None where the model does not say why the customer has the probability."""
    notices = [Notice("warnings", "What the model cannot know well", customer.warnings)] if customer.warnings else []
    tiles = [Tile("probability", percent(customer.probability, 1), "calibrated probability to buy", "")]
    if customer.rank:
        tenth = f"in tenth {decile(customer.rank, campaign.scored)} of the list"
        tiles.append(Tile("rank", number(customer.rank), f"rank of {number(campaign.scored)} customers", tenth))
    if customer.segment:
        tiles.append(Tile("segment", customer.segment, "segment", ""))
    if customer.called:
        what = {"best": "as one of the best customers", "control": "as part of the control group"}[customer.called]
        tiles.append(Tile("called", "To be called", what, ""))
    plan = campaign.terms.plan
    cells = [(column, value, "plan" if column in plan else "file") for column, value in customer.cells.items()]
    table = Table(
        "cells", f"Row {number(customer.row)} of the list", ("Column", "Value", "From"), cells, frozenset({0, 1, 2})
    )
    back = Links("back", [Link("Back to the ranked list", path(campaign.id))])
    sections = [_why(customer, why), Section("row", "The customer's row", [table, back])]
    return Screen(customer.identifier, sections, notices, tiles, trail(campaign))


def _why(customer: Customer, why: Explained | None) -> Section:
    title = "Why this probability"
    if why is None:
        text = "The version of the model that scored the list does not give reasons now."
        return Section("why", title, [Paragraph("no-reasons", text)])
    supporting, opposing = why.reasons
    texts = [
        Paragraph("for", f"For: {'; '.join(supporting) or 'nothing in particular'}."),
        Paragraph("against", f"Against: {'; '.join(opposing) or 'nothing in particular'}."),
    ]
    contributions = why.explanation.contributions
    strongest = sorted(contributions, key=lambda name: -abs(contributions[name]))
    chart = rows(
        "contributions",
        "Contribution of each column to the log-odds",
        f"{strongest[0]} contributes most, {signed(contributions[strongest[0]], 2)}. Columns to the right of zero "
        "raise the probability, those to the left lower it.",
        around("contribution to the log-odds", list(contributions.values()), lambda value: number(value, 1), zero=True),
        [Row(name, contributions[name], style=0 if contributions[name] >= 0 else 1) for name in strongest],
    )
    cells = [(name, customer.cells.get(name, UNKNOWN), signed(contributions[name], 3)) for name in strongest]
    head = ("Column", "Value", "Contribution")
    table = Table("contributions", "Contribution of each column to the log-odds", head, cells, frozenset({0, 1}))
    says = (
        f"They start from {signed(why.explanation.base, 2)}, the mean log-odds of the training rows, and add up to "
        "those of this customer. They say how the model decides, not what would change the customer's mind."
    )
    return Section("why", title, [*texts, Figure(chart, says, table)])
