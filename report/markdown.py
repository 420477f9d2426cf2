"""The first screen of a purchase run's report as Markdown, for where a page cannot be shown."""

from __future__ import annotations

from pathlib import Path

from analysis.figures import COST, MARGIN
from report.purchase.gather import gather
from report.purchase.overview import overview
from runs.summary import PurchaseSummary


def first_screen(run_folder: Path, summary: PurchaseSummary) -> str:
    """The headline, the verdict of the gate, the figures and the data of a run.

    Args:
      run_folder: the folder of a complete run.
      summary: of the run.

    Raises:
      UserError: the artifacts of the run have been pruned.
    """
    settings = summary.settings
    found = overview(gather(run_folder, summary), settings.cost or COST, settings.margin or MARGIN)
    lines = [f"# Run {summary.run_id}", "", found.headline, "", f"**{found.verdict}**", ""]
    if found.caution:
        lines += [f"> {found.caution.text}", ""]
    lines += ["| figure | what it is | compared |", "|---|---|---|"]
    lines += [_row(tile.figure, tile.what, tile.comparison) for tile in found.tiles]
    if found.missing:
        lines += ["", found.missing.text, "", f"    {found.missing.command.line}"]
    lines += ["", "| data | |", "|---|---|", *(_row(name, value) for name, value in found.facts)]
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
