"""The report of a run: one self-contained page for a marketing lead and an ML engineer."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.figures import COST, MARGIN
from runs.folder import REPORT


def build(run_folder: Path, cost: float | None = None, margin: float | None = None) -> Path:
    """Writes `report.html` into a run's folder.

    Args:
      run_folder: the folder of a complete run.
      cost: of a call, in euros, above 0; None for the run's own setting.
      margin: of a positive row before the cost of the call, in euros, above 0; None for the run's own setting.

    Returns:
      The page's path.

    Raises:
      UserError: the run has no summary, or its artifacts have been pruned.
    """
    from report.purchase.gather import gather
    from report.purchase.page import render

    path, report = run_folder / REPORT, gather(run_folder.resolve())
    settings = report.summary.settings
    page = render(report, cost or settings.cost or COST, margin or settings.margin or MARGIN)
    path.write_text(page, encoding="utf-8")
    return path


def add_money(parser: argparse.ArgumentParser) -> None:
    """The options for the profit curve."""
    parser.add_argument(
        "--cost",
        type=_euros,
        metavar="EUROS",
        help=f"cost of a call, for the report's profit curve (default: the run's setting, else {COST:g})",
    )
    parser.add_argument(
        "--margin",
        type=_euros,
        metavar="EUROS",
        help=f"margin of a positive row before the cost of its call (default: the run's setting, else {MARGIN:g})",
    )


def _euros(text: str) -> float:
    try:
        euros = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected euros, got {text!r}") from None
    if not 0.0 < euros < 1e9:
        raise argparse.ArgumentTypeError("must be above 0 and below a billion")
    return euros
