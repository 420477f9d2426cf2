"""The page of one customer of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from campaigns.desk import Explained
from campaigns.records import Campaign, Customer
from campaigns.served import contract_from_json
from campaigns.store.customers import decile
from campaigns.typical import Absent, Typical
from campaigns.views import call_choices, typical
from campaigns.views.screen import Screen, path, trail
from campaigns.what_if import Choice
from pages.blocks import Figure, Link, Links, Notice, Paragraph, Section, Table, Tile
from pages.charts import Row, around, rows
from pages.formatting import UNKNOWN, number, percent, signed
from pages.language import tr


def screen(
    campaign: Campaign,
    customer: Customer,
    why: Explained | None,
    choices: Mapping[str, Sequence[Choice]] | None,
    nearest: Sequence[Typical] | Absent,
) -> Screen:
    """The page.

    Args:
      why: None where the model does not say why the customer has the probability.
      choices: see `campaigns.what_if.choices`.
      nearest: see `campaigns.typical.nearest`.
    """
    notices, tiles = (
        [],
        [Tile("probability", percent(customer.probability, 1), tr("calibrated probability to buy"), "")],
    )
    if customer.warnings:
        notices.append(Notice("warnings", tr("What the model cannot know well"), diagnosis=customer.warnings))
    if customer.rank:
        what = tr("rank of {customers} customers", customers=number(campaign.scored))
        tenth = tr("in tenth {tenth} of the list", tenth=decile(customer.rank, campaign.scored))
        tiles.append(Tile("rank", number(customer.rank), what, tenth))
    if customer.segment:
        tiles.append(Tile("segment", customer.segment, tr("segment"), ""))
    if customer.called:
        what = tr("as one of the best customers")
        if customer.called == "control":
            what = tr("as part of the control group")
        tiles.append(Tile("called", tr("To be called"), what, ""))
    plan, planned, given = campaign.terms.plan, tr("plan"), tr("file")
    cells = [(column, value, planned if column in plan else given) for column, value in customer.cells.items()]
    caption = tr("Row {row} of the list", row=number(customer.row))
    table = Table("cells", caption, (tr("Column"), tr("Value"), tr("From")), cells, frozenset({0, 1, 2}))
    back = Links("back", [Link(tr("Back to the ranked list"), path(campaign.id))])
    sections = [
        _why(customer, why),
        *([] if choices == {} else [call_choices.section(choices)]),
        typical.section(customer, nearest, contract_from_json(campaign.contract)),
        Section("row", tr("The customer's row"), [table, back]),
    ]
    return Screen(customer.identifier, sections, notices, tiles, trail(campaign))


def _why(customer: Customer, why: Explained | None) -> Section:
    title = tr("Why this probability")
    if why is None:
        text = tr("The version of the model that scored the list does not give reasons now.")
        return Section("why", title, [Paragraph("no-reasons", text)])
    nothing = tr("nothing in particular")
    supporting, opposing = ("; ".join(some) or nothing for some in why.reasons)
    texts = [
        Paragraph("for", tr("For: {reasons}.", reasons=supporting)),
        Paragraph("against", tr("Against: {reasons}.", reasons=opposing)),
    ]
    contributions = why.explanation.contributions
    strongest = sorted(contributions, key=lambda name: -abs(contributions[name]))
    heading = tr("Contribution of each column to the log-odds")
    description = tr(
        "{column} contributes most, {contribution}. Columns to the right of zero raise the probability, those to the "
        "left lower it.",
        column=strongest[0],
        contribution=signed(contributions[strongest[0]], 2),
    )
    label = tr("contribution to the log-odds")
    chart = rows(
        "contributions",
        heading,
        description,
        around(label, list(contributions.values()), lambda value: number(value, 1), zero=True),
        [Row(name, contributions[name], style=0 if contributions[name] >= 0 else 1) for name in strongest],
    )
    cells = [(name, customer.cells.get(name, UNKNOWN), signed(contributions[name], 3)) for name in strongest]
    head = (tr("Column"), tr("Value"), tr("Contribution"))
    table = Table("contributions", heading, head, cells, frozenset({0, 1}))
    says = tr(
        "They start from {base}, the mean log-odds of the training rows, and add up to those of this customer. They "
        "say how the model decides, not what would change the customer's mind.",
        base=signed(why.explanation.base, 2),
    )
    how = tr(
        "The contributions approximate Shapley values. They are exact where no three columns act together; what is "
        "left over otherwise is shared among the columns in proportion to their contributions."
    )
    return Section("why", title, [*texts, Figure(chart, says, table), Paragraph("shapley", how)])
