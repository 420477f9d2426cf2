"""The report of a run: one self-contained page for a marketing lead and an ML engineer."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.figures import COST, MARGIN
from data.errors import BadOptionError
from runs.folder import FIRST_SCREEN, REPORT
from runs.summary import PurchaseSummary, SegmentSummary, read


def build(run_folder: Path, cost: float | None = None, margin: float | None = None) -> Path:
    """Writes `report.html` into a run's folder, and of a purchase run its first screen as `report.md`.

    Args:
      run_folder: the folder of a complete run.
      cost: of a call, in euros, above 0; None for the run's own setting. Of a purchase run only.
      margin: of a positive row before the cost of the call, in euros, above 0; None for the run's own setting. Of a
        purchase run only.

    Returns:
      The page's path.

    Raises:
      UserError: the run has no summary, its artifacts have been pruned, or it segmented customers and there is a cost
        or a margin.
    """
    summary = read(run_folder)
    if isinstance(summary, SegmentSummary):
        if cost or margin:
            raise BadOptionError("cost and margin are for runs of the purchase model: segments have no profit curve")
        page = _of_segments(run_folder.resolve(), summary)
    else:
        assert isinstance(summary, PurchaseSummary)
        page, first_screen = _of_purchase(run_folder.resolve(), summary, cost, margin)
        (run_folder / FIRST_SCREEN).write_text(first_screen, encoding="utf-8")
    path = run_folder / REPORT
    path.write_text(page, encoding="utf-8")
    return path


def _of_segments(run_folder: Path, summary: SegmentSummary) -> str:
    from report.segments.gather import gather
    from report.segments.page import render

    return render(gather(run_folder, summary))


def _of_purchase(
    run_folder: Path, summary: PurchaseSummary, cost: float | None, margin: float | None
) -> tuple[str, str]:
    from report.markdown import first_screen
    from report.purchase.gather import gather
    from report.purchase.page import render

    report, settings = gather(run_folder, summary), summary.settings
    money = cost or settings.cost or COST, margin or settings.margin or MARGIN
    return render(report, *money), first_screen(report, *money)


def add_money(parser: argparse.ArgumentParser) -> None:
    """The options for the profit curve."""
    parser.add_argument(
        "--cost",
        type=_euros,
        metavar="EUROS",
        help=f"cost of a call, for the profit (default: the run's setting if there is a run, else {COST:g})",
    )
    parser.add_argument(
        "--margin",
        type=_euros,
        metavar="EUROS",
        help=f"margin of a positive row before the cost of its call (default: likewise, else {MARGIN:g})",
    )


def _euros(text: str) -> float:
    try:
        euros = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected euros, got {text!r}") from None
    if not 0.0 < euros < 1e9:
        raise argparse.ArgumentTypeError("must be above 0 and below a billion")
    return euros
