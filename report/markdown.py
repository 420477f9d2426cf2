"""The first screen of a purchase run's report as Markdown, for where a page cannot be shown."""

from __future__ import annotations

from report.purchase.gather import PurchaseReport
from report.purchase.overview import overview


def first_screen(report: PurchaseReport, cost: float, margin: float) -> str:
    """The headline, the verdict of the gate, the figures and the data of a run.

    Args:
      report: of the run.
      cost: of a call, in euros.
      margin: of a positive row before the cost of the call, in euros.
    """
    found = overview(report, cost, margin)
    lines = [f"# Run {report.summary.run_id}", "", found.headline, "", f"**{found.verdict}**", ""]
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
