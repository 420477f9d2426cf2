"""The first page: which model serves, what it is worth, and the campaigns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from campaigns.records import Campaign
from campaigns.served import ServedModel
from campaigns.views.screen import STATES, Screen, moment, path, synthetic
from pages.blocks import Block, Command, Link, Links, Notice, Paragraph, Section, Table, Tile
from pages.formatting import number, percent
from runs.summary import PurchaseSummary


def screen(served: ServedModel | str, run: PurchaseSummary | None, campaigns: Sequence[Campaign]) -> Screen:
    """The page.

    Args:
      served: the model, or why it is not known.
      run: that pushed the model, where it is known.
      campaigns: newest first.
    """
    notices, tiles = synthetic(run), []
    if isinstance(served, str):
        notices.append(Notice("no-model", "No model serves.", [served], "bad"))
    elif run is not None:
        tiles = list(_tiles(run))
    return Screen("Campaign desk", [_campaigns(campaigns), _model(served, run)], notices, tiles, here="/")


def _tiles(run: PurchaseSummary) -> Iterator[Tile]:
    worth = run.metrics["test"]
    where = "on the newest calls of the training file"
    if run.dataset.split == "random":
        where = "on a random part of the training file; the calls that come next are usually harder"
    if worth.lift_top_decile is not None:
        what = "as many buyers among the best-scored tenth as among random customers"
        yield Tile("lift", f"{number(worth.lift_top_decile, 1)} ×", what, where)
    if worth.auc is not None:
        what = "AUC: how often a buyer is ranked above a customer who does not buy"
        yield Tile("auc", number(worth.auc, 3), what, where)
    yield Tile("ece", percent(worth.ece, 1), "expected calibration error of the probabilities", where)


def _model(served: ServedModel | str, run: PurchaseSummary | None) -> Section:
    blocks: list[Block]
    if isinstance(served, str):
        blocks = [Paragraph("start", "Start a model server in another terminal:"), Command("serve", "make serve")]
        return Section("model", "The model", blocks)
    text = f"{served.name} version {served.version} serves{_since(served.version)}. "
    text += f"It takes {number(len(served.inputs))} columns, by the data contract {served.contract.name}."
    blocks = [Paragraph("version", text)]
    if run is None:
        blocks.append(
            Paragraph("no-worth", "What it is worth is not known here: the run that pushed it was not found.")
        )
    return Section("model", "The model", blocks)


def _since(version: str) -> str:
    """When the version was made, where the version is a time in seconds, as the pipeline's are."""
    seconds = int(version) if version.isdecimal() else 0
    if not 1_000_000_000 < seconds < 4_000_000_000:
        return ""
    return f", pushed {moment(datetime.fromtimestamp(seconds, timezone.utc))}"


def _campaigns(campaigns: Sequence[Campaign]) -> Section:
    start = Links("start", [Link("Start a new campaign", "/campaigns/new")])
    if not campaigns:
        return Section("campaigns", "Campaigns", [Paragraph("none", "There is no campaign yet."), start])
    cells = [
        (
            Link(one.terms.name, path(one.id)),
            STATES[one.state],
            number(one.scored),
            number(one.bad),
            moment(one.created),
            one.source,
        )
        for one in campaigns
    ]
    head = ("Campaign", "State", "Customers scored", "Rows set aside", "Created", "File")
    table = Table("campaigns", "Campaigns, newest first", head, cells, frozenset({0, 1, 4, 5}))
    return Section("campaigns", "Campaigns", [start, table])
