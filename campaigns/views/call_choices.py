"""What the model expects of other calls than the planned one: a part of the page of one customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from campaigns.what_if import Choice
from pages.blocks import Block, Figure, Paragraph, Section, Table
from pages.charts import Row, around, rows
from pages.formatting import UNKNOWN, percent, signed
from pages.language import tr


def section(choices: Mapping[str, Sequence[Choice]] | None) -> Section:
    """The section; `choices` is None where the version that scored the list does not answer now."""
    title = tr("What another call would change")
    if choices is None:
        text = tr("The version of the model that scored the list does not answer now.")
        return Section("call", title, [Paragraph("no-choices", text)])
    says = tr(
        "One column of the call is changed at a time; all other columns stay. This is what the model expects, not a "
        "promise. In the training data, seasons and channels are mixed with how the bank chose whom to call then."
    )
    figures: list[Block] = [_figure(column, values) for column, values in choices.items() if len(values) > 1]
    return Section("call", title, [Paragraph("not-a-promise", says), *figures])


def _figure(column: str, values: Sequence[Choice]) -> Figure:
    planned = next(place for place, value in enumerate(values) if value.planned)
    before, best = values[planned].probability, values[0]
    title = tr("Probability by {column}", column=column)
    if best.planned:
        says = tr("As planned, {value}, is the most likely to lead to a purchase.", value=_name(best))
    else:
        says = tr(
            "The most likely to lead to a purchase is {value}, with {probability}; planned is {planned}, with "
            "{before}.",
            value=_name(best),
            probability=percent(best.probability, 1),
            planned=_name(values[planned]),
            before=percent(before, 1),
        )
    chart = rows(
        f"call-{column}",
        title,
        says,
        around(tr("probability to buy"), [value.probability for value in values], percent, zero=True),
        [Row(_marked(value), value.probability, style=1 if value.planned else 0) for value in values],
    )
    cells = [
        (
            _marked(value),
            percent(value.probability, 1),
            UNKNOWN if value.planned else signed(100 * (value.probability - before), 1),
        )
        for value in values
    ]
    head = (column, tr("Probability"), tr("Difference, percentage points"))
    return Figure(chart, says, Table(f"call-{column}", title, head, cells, marked=planned))


def _marked(value: Choice) -> str:
    return tr("{value} (planned)", value=_name(value)) if value.planned else _name(value)


def _name(value: Choice) -> str:
    return value.cell.strip() or tr("no value")
