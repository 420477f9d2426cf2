"""The part of the budget's page about groups of customers: who is called more or less often than others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.groups import OFTEN, SELDOM, SMALLEST, Shares
from campaigns.groups import Group, GroupShares
from pages.blocks import Block, Notice, Paragraph, Table
from pages.formatting import number, percent
from pages.language import tr


def blocks(found: Sequence[GroupShares]) -> Iterator[Block]:
    """A sentence for each group that is called noticeably seldom or often, and the shares of all groups."""
    each = [pair for column in found for pair in column.groups]
    apart = sorted((pair for pair in each if pair[1].apart), key=lambda pair: pair[1].times)
    if apart:
        title = tr("Some groups of customers are called more or less often than others.")
        yield Notice("groups", title, [_sentence(*pair) for pair in reversed(apart)])
    rule = tr(
        "A group is named above the table if its customers are called at most {seldom} or at least {often} times as "
        "often as the average customer, and it has {smallest} of the list or more. The model learned from past calls "
        "who buys; whether a difference is justified it cannot know.",
        seldom=number(SELDOM, 1),
        often=number(OFTEN, 2),
        smallest=percent(SMALLEST),
    )
    if not apart:
        none = tr("No group of customers is called much more or less often than others.")
        rule = f"{none} {rule}"
    yield Paragraph("groups", rule)
    cells = [
        (_name(group), percent(of.listed, 1), percent(of.called, 1), f"{number(of.times, 2)}\N{NO-BREAK SPACE}×")
        for group, of in each
    ]
    columns = ", ".join(column.column for column in found)
    caption = tr("Groups by {columns}, in the list and in the call list", columns=columns)
    head = (tr("Group"), tr("Share of the list"), tr("Share of the call list"), tr("Called"))
    yield Table("groups", caption, head, cells)


def _sentence(group: Group, of: Shares) -> str:
    return tr(
        "{group}: {listed} of the list and {called} of the call list.",
        group=_name(group),
        listed=percent(of.listed),
        called=percent(of.called),
    )


def _name(group: Group) -> str:
    """`marital: single`, `age: 30 to below 40`."""
    return tr("{column}: {value}", column=group.column, value=_value(group))


def _value(group: Group) -> str:
    if group.value is not None:
        return group.value
    low = "" if group.low is None else number(group.low, _digits(group.low))
    high = "" if group.high is None else number(group.high, _digits(group.high))
    if low and high:
        return tr("{low} to below {high}", low=low, high=high)
    if low:
        return tr("{low} and above", low=low)
    return tr("below {high}", high=high) if high else tr("other or unknown")


def _digits(value: float) -> int:
    """Decimals of a bound as the contract has it."""
    return len(f"{value:.10g}".partition(".")[2])
