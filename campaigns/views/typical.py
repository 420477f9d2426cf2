"""The typical customers nearest to a customer: a part of the page of one customer."""

from __future__ import annotations

from collections.abc import Sequence

from campaigns.records import Customer
from campaigns.typical import Absent, Typical, differing
from data.contract import Contract
from pages.blocks import Block, Paragraph, Section, Table
from pages.formatting import percent
from pages.language import tr


def section(customer: Customer, found: Sequence[Typical] | Absent, contract: Contract) -> Section:
    """The section; `found` may say why there are no typical customers."""
    title = tr("The nearest typical customers")
    if isinstance(found, str):
        return Section("typical", title, [Paragraph("no-typical", _absent(found))])
    differ = {name for one in found for name in differing(customer, one, contract)}
    columns = [name for name in customer.cells if any(name in one.cells for one in found)]
    alike = [name for name in columns if name not in differ]
    blocks: list[Block] = [Paragraph(f"typical-{place}", _says(one)) for place, one in enumerate(found, 1)]
    if differ:
        blocks.append(_table(customer, found, [name for name in columns if name in differ]))
    if alike:
        blocks.append(Paragraph("alike", tr("This customer is like them in: {columns}.", columns=", ".join(alike))))
    return Section("typical", title, blocks)


def _says(one: Typical) -> str:
    if one.probability is None:
        return tr(
            "{segment}: this customer has a membership of {membership} in this segment.",
            segment=one.segment,
            membership=percent(one.membership),
        )
    return tr(
        "{segment}: this customer has a membership of {membership} in this segment. Its typical customer would buy "
        "with a probability of {probability} in the same call.",
        segment=one.segment,
        membership=percent(one.membership),
        probability=percent(one.probability, 1),
    )


def _table(customer: Customer, found: Sequence[Typical], names: Sequence[str]) -> Table:
    head = (
        tr("Column"),
        tr("This customer"),
        *(tr("Typical of {segment}", segment=one.segment) for one in found),
    )
    cells = [(name, _cell(customer.cells[name]), *(_cell(one.cells.get(name, "")) for one in found)) for name in names]
    return Table("typical", tr("Where they differ"), head, cells, frozenset(range(len(head))))


def _cell(text: str) -> str:
    return text.strip() or tr("no value")


def _absent(why: Absent) -> str:
    if why == "no model":
        return tr("No segment model serves, so that no typical customers are known.")
    if why == "no columns":
        return tr("The list lacks columns of the segment model, so that no typical customers are known.")
    return tr("The segment model that serves does not say who its typical customers are.")
