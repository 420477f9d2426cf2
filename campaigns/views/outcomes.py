"""The page of the outcomes: the upload of who bought, and what the calls brought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.campaign_results import Lift, Realised, Results
from campaigns.records import Campaign
from campaigns.results import verdict
from campaigns.security import TOKEN
from campaigns.store.outcomes import Recorded
from campaigns.views.screen import Screen, path, trail
from pages.blocks import Block, Figure, Notice, Paragraph, Section, Table, Tile
from pages.charts import Row, around, rows
from pages.formatting import UNKNOWN, euro, interval, number, percent, percents
from pages.forms import Field, Form

MOST_UNKNOWN = 5
"""Unknown identifiers that a message names."""


def screen(
    campaign: Campaign,
    results: Results | None,
    recorded: Recorded | None,
    problem: str | None,
    token: str,
) -> Screen:
    """The page.

    Args:
      results: None where no outcome of a called customer is known.
      recorded: what the upload that was just made changed.
      problem: why an upload was refused; may have several lines.
      token: of the form.
    """
    notices = []
    if problem:
        notices.append(Notice("problem", "The outcomes were not recorded.", problem.splitlines(), "bad"))
    if recorded:
        notices.append(Notice("recorded", "The outcomes were recorded.", list(_recorded(recorded)), "good"))
    sections = [_upload(campaign, token)]
    tiles: list[Tile] = []
    if results:
        notices.append(Notice("verdict", "Verdict", [verdict(results)]))
        tiles = list(_tiles(results))
        sections = [_results(results), _quality(results), *sections]
    title, here = f"Outcomes of {campaign.terms.name}", path(campaign.id, "outcomes")
    return Screen(title, sections, notices, tiles, trail(campaign), here)


def _recorded(recorded: Recorded) -> Iterator[str]:
    yield (
        f"{number(recorded.new)} new, {number(recorded.corrected)} corrected, {number(recorded.unchanged)} as before, "
        f"{number(len(recorded.unknown))} of unknown customers."
    )
    if recorded.unknown:
        more = " and more" if len(recorded.unknown) > MOST_UNKNOWN else ""
        yield f"Not in the list: {', '.join(recorded.unknown[:MOST_UNKNOWN])}{more}."


def _upload(campaign: Campaign, token: str) -> Section:
    if campaign.state != "frozen":
        text = "Outcomes can be uploaded once the call list is frozen."
        return Section("upload", "Upload outcomes", [Paragraph("not-frozen", text)])
    text = (
        "A CSV file with the columns identifier, called and bought. The last two hold yes or no, 1 or 0, true or "
        "false; bought is blank where it is not known yet. Outcomes can come in several files; a later one corrects "
        "an earlier one."
    )
    form = Form(
        "outcomes",
        path(campaign.id, "outcomes"),
        [Field("file", "Outcomes (CSV)", "file", required=True)],
        "Upload",
        {TOKEN: token},
    )
    return Section("upload", "Upload outcomes", [Paragraph("columns", text), form])


def _tiles(results: Results) -> Iterator[Tile]:
    all_calls = results.together
    low, high = all_calls.expected.low, all_calls.expected.high
    expected = f"{number(all_calls.expected.value)} were expected, 95 % interval {interval(low, high, 0)}"
    yield Tile("buyers", number(all_calls.buyers), f"buyers among {number(all_calls.calls)} known calls", expected)
    low, high = all_calls.expected_profit.low, all_calls.expected_profit.high
    expected = f"{euro(all_calls.expected_profit.value)} was expected, 95 % interval {euro(low)} to {euro(high)}"
    yield Tile("profit", euro(all_calls.profit), "profit", expected)
    if results.lift:
        yield _lift_tile(results.lift)


def _lift_tile(lift: Lift) -> Tile:
    difference = lift.difference
    figure = UNKNOWN if lift.ratio is None else f"{number(lift.ratio, 1)} ×"
    what = "as many buyers per call as in the control group"
    low, high = number(100 * difference.low, 1), number(100 * difference.high, 1)
    points = f"{number(100 * difference.value, 1)} percentage points more, 95 % interval {low} to {high}"
    return Tile("lift", figure, what, points)


def _results(results: Results) -> Section:
    known = f"The outcomes of {number(results.together.calls)} of {number(results.listed)} calls are known."
    blocks: list[Block] = [Paragraph("known", known)]
    if results.deciles:
        blocks.append(_deciles(results.deciles))
    groups = {"All calls": results.together, "Best customers": results.best, "Control group": results.control}
    cells = [_cells(name, group) for name, group in groups.items() if group]
    blocks.append(Table("groups", "Best customers and control group", _HEAD, cells))
    if results.lift:
        gained = results.lift.gained
        text = (
            f"Calling the best customers instead of random ones earned {euro(gained.value)} more, 95 % interval "
            f"{euro(gained.low)} to {euro(gained.high)}."
        )
        blocks.append(Paragraph("gained", text))
    return Section("results", "What the calls brought", blocks)


_HEAD = (
    "Calls",
    "Known",
    "Buyers",
    "Expected buyers",
    "95 % interval",
    "Share of buyers",
    "95 % interval",
    "Profit",
    "Expected profit",
)


def _cells(name: str, group: Realised) -> tuple[str, ...]:
    return (
        name,
        number(group.calls),
        number(group.buyers),
        number(group.expected.value, 1),
        interval(group.expected.low, group.expected.high, 0),
        percent(group.rate.value, 1),
        percents(group.rate.low, group.rate.high, 1),
        euro(group.profit),
        euro(group.expected_profit.value),
    )


def _deciles(deciles: Sequence[Realised]) -> Figure:
    names = [f"{place} of {len(deciles)}" for place in range(1, len(deciles) + 1)]
    chart = rows(
        "deciles",
        "Share of buyers in each part of the call list",
        f"{percent(deciles[0].rate.value, 1)} of the best part bought and {percent(deciles[-1].rate.value, 1)} of the "
        "last one. The line across each bar is the 95 % interval.",
        around("share of buyers", [one.rate.high for one in deciles], percent, zero=True),
        [Row(name, one.rate.value, (one.rate.low, one.rate.high)) for name, one in zip(names, deciles, strict=True)],
    )
    says = "The calls to the best customers by rank, in equal parts. If the ranking is good, the share falls."
    cells = [_cells(name, one) for name, one in zip(names, deciles, strict=True)]
    return Figure(chart, says, Table("deciles", "Parts of the call list, best first", ("Part", *_HEAD[1:]), cells))


def _quality(results: Results) -> Section:
    quality = results.quality
    text = (
        f"The expected calibration error is {percent(quality.ece, 1)}; exact probabilities would show "
        f"{percent(quality.ece_by_chance, 1)} by chance. The Brier score is {number(quality.brier, 4)}."
    )
    if quality.auc:
        text += f" The AUC among the called customers is {number(quality.auc.value, 2)}, 95 % interval "
        text += f"{interval(quality.auc.low, quality.auc.high)}."
    text += " Called customers are no sample of all customers, so these figures differ from those of the model's run."
    return Section("quality", "How good the probabilities were", [Paragraph("quality", text)])
