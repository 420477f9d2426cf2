"""The first page: which model serves, what it is worth, and the campaigns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from campaigns.served import ServedModel
from campaigns.views import campaign_table
from campaigns.views.campaign_table import Part
from campaigns.views.screen import Screen, moment, synthetic
from pages.blocks import Block, Command, Notice, Paragraph, Section, Tile
from pages.formatting import number, percent, times
from pages.language import tr
from runs.summary import PurchaseSummary


def screen(served: ServedModel | str, run: PurchaseSummary | None, part: Part) -> Screen:
    """The page.

    Args:
      served: the model, or why it is not known.
      run: that pushed the model, where it is known.
      part: the campaigns to show.
    """
    notices, tiles = synthetic(run), []
    if isinstance(served, str):
        notices.append(Notice("no-model", tr("No model serves."), (), "bad", [served]))
    elif run is not None:
        tiles = list(_tiles(run))
    return Screen(tr("Campaign desk"), [campaign_table.section(part), _model(served, run)], notices, tiles, here="/")


def _tiles(run: PurchaseSummary) -> Iterator[Tile]:
    worth = run.metrics["test"]
    where = tr("on the newest calls of the training file")
    if run.dataset.split == "random":
        where = tr("on a random part of the training file; the calls that come next are usually harder")
    if worth.lift_top_decile is not None:
        what = tr("as many buyers among the best-scored tenth as among random customers")
        yield Tile("lift", times(worth.lift_top_decile), what, where)
    if worth.auc is not None:
        what = tr("AUC: how often a buyer is ranked above a customer who does not buy")
        yield Tile("auc", number(worth.auc, 3), what, where)
    yield Tile("ece", percent(worth.ece, 1), tr("expected calibration error of the probabilities"), where)


def _model(served: ServedModel | str, run: PurchaseSummary | None) -> Section:
    title = tr("The model")
    blocks: list[Block]
    if isinstance(served, str):
        start = Paragraph("start", tr("Start a model server in another terminal:"))
        return Section("model", title, [start, Command("serve", "make serve")])
    takes = tr(
        "It takes {columns} columns, by the data contract {contract}.",
        columns=number(len(served.inputs)),
        contract=served.contract.name,
    )
    blocks = [Paragraph("version", f"{_serves(served.name, served.version)} {takes}")]
    if run is None:
        text = tr("What it is worth is not known here: the run that pushed it was not found.")
        blocks.append(Paragraph("no-worth", text))
    return Section("model", title, blocks)


def _serves(model: str, version: str) -> str:
    """Which model serves, and when it was made, where its version is a time in seconds, as the pipeline's are."""
    seconds = int(version) if version.isdecimal() else 0
    if not 1_000_000_000 < seconds < 4_000_000_000:
        return tr("{model} version {version} serves.", model=model, version=version)
    pushed = moment(datetime.fromtimestamp(seconds, timezone.utc))
    return tr("{model} version {version} serves, pushed {time}.", model=model, version=version, time=pushed)
