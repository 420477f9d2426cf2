"""The page of one customer of a list."""

from __future__ import annotations

from campaigns.records import Campaign, Customer
from campaigns.store.customers import decile
from campaigns.views.screen import Screen, path, trail
from pages.blocks import Link, Links, Notice, Section, Table, Tile
from pages.formatting import number, percent


def screen(campaign: Campaign, customer: Customer) -> Screen:
    """The page."""
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
    sections = [Section("row", "The customer's row", [table, back])]
    return Screen(customer.identifier, sections, notices, tiles, trail(campaign))
