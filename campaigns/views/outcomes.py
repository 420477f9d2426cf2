"""The page of the outcomes: the upload of who bought, and what the calls brought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.campaign_results import Lift, Realised, Results
from campaigns.records import Campaign
from campaigns.results import verdict
from campaigns.security import TOKEN
from campaigns.store.outcomes import Recorded
from campaigns.training import Manifest
from campaigns.views import training
from campaigns.views.screen import Screen, path, problem_notice, trail
from pages.blocks import Block, Figure, Notice, Paragraph, Section, Table, Tile
from pages.charts import Row, around, rows
from pages.formatting import euro, euros, interval, number, percent, percents, times
from pages.forms import Field, Form
from pages.language import ntr, tr

MOST_UNKNOWN = 5
"""Unknown identifiers that a message names."""


def screen(
    campaign: Campaign,
    results: Results | None,
    recorded: Recorded | None,
    problem: str | None,
    token: str,
    rows: Manifest | None,
) -> Screen:
    """The page.

    Args:
      results: None where no outcome of a called customer is known.
      recorded: what the upload that was just made changed.
      problem: why an upload was refused; may have several lines.
      token: of the form.
      rows: the training rows; None where there are none.
    """
    notices = []
    if problem:
        notices.append(problem_notice(tr("The outcomes were not recorded."), problem))
    if recorded:
        notices.append(Notice("recorded", tr("The outcomes were recorded."), list(_recorded(recorded)), "good"))
    sections = [_upload(campaign, token)]
    tiles: list[Tile] = []
    if results:
        notices.append(Notice("verdict", tr("Verdict"), [verdict(results)]))
        tiles = list(_tiles(results))
        sections = [_results(results), _quality(results), *sections]
    if rows or results:
        sections.append(training.section(rows))
    title, here = tr("Outcomes of {campaign}", campaign=campaign.terms.name), path(campaign.id, "outcomes")
    return Screen(title, sections, notices, tiles, trail(campaign), here)


def _recorded(recorded: Recorded) -> Iterator[str]:
    yield tr(
        "{new} new, {corrected} corrected, {unchanged} as before, {unknown} of unknown customers.",
        new=number(recorded.new),
        corrected=number(recorded.corrected),
        unchanged=number(recorded.unchanged),
        unknown=number(len(recorded.unknown)),
    )
    named = ", ".join(recorded.unknown[:MOST_UNKNOWN])
    if len(recorded.unknown) > MOST_UNKNOWN:
        yield tr("Not in the list: {identifiers} and more.", identifiers=named)
    elif recorded.unknown:
        yield tr("Not in the list: {identifiers}.", identifiers=named)


def _upload(campaign: Campaign, token: str) -> Section:
    title = tr("Upload outcomes")
    if campaign.state != "frozen":
        text = tr("Outcomes can be uploaded once the call list is frozen.")
        return Section("upload", title, [Paragraph("not-frozen", text)])
    text = tr(
        "A CSV file with the columns identifier, called and bought. The last two hold yes or no, 1 or 0, true or "
        "false; bought is blank where it is not known yet. Outcomes can come in several files; a later one corrects "
        "an earlier one."
    )
    form = Form(
        "outcomes",
        path(campaign.id, "outcomes"),
        [Field("file", tr("Outcomes (CSV)"), "file", required=True)],
        tr("Upload"),
        {TOKEN: token},
    )
    return Section("upload", title, [Paragraph("columns", text), form])


def _tiles(results: Results) -> Iterator[Tile]:
    all_calls = results.together
    known = ntr(
        "buyers among {calls} known call",
        "buyers among {calls} known calls",
        all_calls.calls,
        calls=number(all_calls.calls),
    )
    expected = tr(
        "{expected} were expected, 95 % interval {interval}",
        expected=number(all_calls.expected.value),
        interval=interval(all_calls.expected.low, all_calls.expected.high, 0),
    )
    yield Tile("buyers", number(all_calls.buyers), known, expected)
    expected = tr(
        "{profit} was expected, 95 % interval {interval}",
        profit=euro(all_calls.expected_profit.value),
        interval=euros(all_calls.expected_profit.low, all_calls.expected_profit.high),
    )
    yield Tile("profit", euro(all_calls.profit), tr("profit"), expected)
    if results.lift:
        yield _lift_tile(results.lift)


def _lift_tile(lift: Lift) -> Tile:
    difference = lift.difference
    points = tr(
        "{difference} percentage points more, 95 % interval {interval}",
        difference=number(100 * difference.value, 1),
        interval=interval(100 * difference.low, 100 * difference.high, 1),
    )
    return Tile("lift", times(lift.ratio), tr("as many buyers per call as in the control group"), points)


def _results(results: Results) -> Section:
    known = tr(
        "The outcomes of {known} of {calls} calls are known.",
        known=number(results.together.calls),
        calls=number(results.listed),
    )
    blocks: list[Block] = [Paragraph("known", known)]
    if results.deciles:
        blocks.append(_deciles(results.deciles))
    groups = (
        (tr("All calls"), results.together),
        (tr("Best customers"), results.best),
        (tr("Control group"), results.control),
    )
    cells = [_cells(name, group) for name, group in groups if group]
    blocks.append(Table("groups", tr("Best customers and control group"), [tr("Calls"), *_head()], cells))
    if results.lift:
        gained = results.lift.gained
        text = tr(
            "Calling the best customers instead of random ones earned {gained} more, 95 % interval {interval}.",
            gained=euro(gained.value),
            interval=euros(gained.low, gained.high),
        )
        blocks.append(Paragraph("gained", text))
    return Section("results", tr("What the calls brought"), blocks)


def _head() -> tuple[str, ...]:
    return (
        tr("Known"),
        tr("Buyers"),
        tr("Expected buyers"),
        tr("95 % interval"),
        tr("Share of buyers"),
        tr("95 % interval"),
        tr("Profit"),
        tr("Expected profit"),
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
    places = range(1, len(deciles) + 1)
    names = [tr("{place} of {parts}", place=place, parts=len(deciles)) for place in places]
    description = tr(
        "{first} of the best part bought and {last} of the last one. The line across each bar is the 95 % interval.",
        first=percent(deciles[0].rate.value, 1),
        last=percent(deciles[-1].rate.value, 1),
    )
    chart = rows(
        "deciles",
        tr("Share of buyers in each part of the call list"),
        description,
        around(tr("share of buyers"), [one.rate.high for one in deciles], percent, zero=True),
        [Row(name, one.rate.value, (one.rate.low, one.rate.high)) for name, one in zip(names, deciles, strict=True)],
    )
    says = tr("The calls to the best customers by rank, in equal parts. If the ranking is good, the share falls.")
    cells = [_cells(name, one) for name, one in zip(names, deciles, strict=True)]
    table = Table("deciles", tr("Parts of the call list, best first"), [tr("Part"), *_head()], cells)
    return Figure(chart, says, table)


def _quality(results: Results) -> Section:
    quality = results.quality
    sentences = [
        tr(
            "The expected calibration error is {error}; exact probabilities would show {chance} by chance.",
            error=percent(quality.ece, 1),
            chance=percent(quality.ece_by_chance, 1),
        ),
        tr("The Brier score is {score}.", score=number(quality.brier, 4)),
    ]
    if quality.auc:
        sentences.append(
            tr(
                "The AUC among the called customers is {auc}, 95 % interval {interval}.",
                auc=number(quality.auc.value, 2),
                interval=interval(quality.auc.low, quality.auc.high),
            )
        )
    sentences.append(
        tr("Called customers are no sample of all customers, so these figures differ from those of the model's run.")
    )
    title = tr("How good the probabilities were")
    return Section("quality", title, [Paragraph("quality", " ".join(sentences))])
