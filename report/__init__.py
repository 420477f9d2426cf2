"""The report of a run: one self-contained page for a marketing lead and an ML engineer."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.figures import COST, MARGIN

REPORT = "report.html"


def build(run_folder: Path, cost: float | None = None, margin: float | None = None) -> Path:
    """Writes `report.html` beside a run's summary.

    Args:
      run_folder: `artifacts/runs/<id>`.
      cost: of a call, in euros, above 0; None for what the run was given.
      margin: of a buyer before the cost of the call, likewise.

    Returns:
      The page's path.

    Raises:
      UserError: there is no such run, it has no summary, or its artifacts have been pruned.
    """
    from report.gather import gather
    from report.page import render

    path, material = run_folder / REPORT, gather(run_folder.resolve())
    given = material.summary.get("settings", {})
    page = render(material, cost or given.get("cost", COST), margin or given.get("margin", MARGIN))
    path.write_text(page, encoding="utf-8")
    return path


def add_money(parser: argparse.ArgumentParser) -> None:
    """The options that the profit curve is drawn with."""
    parser.add_argument(
        "--cost",
        type=_euros,
        metavar="EUROS",
        help=f"of a call, for the report's profit curve (default: what the run was given, else {COST:g})",
    )
    parser.add_argument(
        "--margin",
        type=_euros,
        metavar="EUROS",
        help=f"of a buyer before the cost of the call (default: likewise, else {MARGIN:g})",
    )


def _euros(text: str) -> float:
    try:
        euros = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected euros, got {text!r}") from None
    if not 0.0 < euros < 1e9:
        raise argparse.ArgumentTypeError("must be above 0 and below a billion")
    return euros
