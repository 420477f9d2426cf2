"""The report of a run: one self-contained page for a marketing lead and an ML engineer."""

from __future__ import annotations

import argparse
from pathlib import Path

COST, MARGIN = 10.0, 100.0
"""Euros of a call and of a deposit where nobody says better; a call then pays from a score of 10 % on."""
REPORT = "report.html"


def build(run_folder: Path, cost: float = COST, margin: float = MARGIN) -> Path:
    """Writes `report.html` beside a run's summary.

    Args:
      run_folder: `artifacts/runs/<id>`.
      cost: of a call, in euros.
      margin: of a deposit before the cost of the call, in euros, above 0.

    Returns:
      The page's path.

    Raises:
      BadInputError: the run has no summary, or its artifacts have been pruned.
    """
    import jinja2

    from pipeline.report.gather import gather
    from pipeline.report.page import compose

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = compose(gather(run_folder.resolve()), cost, margin)
    path = run_folder / REPORT
    path.write_text(environment.get_template("report.html.j2").render(page=page), encoding="utf-8")
    return path


def add_money(parser: argparse.ArgumentParser) -> None:
    """The options that the profit curve is drawn with."""
    parser.add_argument(
        "--cost",
        type=_euros,
        default=COST,
        metavar="EUROS",
        help="of a call, for the profit curve (default: %(default)g)",
    )
    parser.add_argument(
        "--margin",
        type=_euros,
        default=MARGIN,
        metavar="EUROS",
        help="of a deposit before the cost of the call (default: %(default)g)",
    )


def _euros(text: str) -> float:
    try:
        euros = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected euros, got {text!r}") from None
    if not 0.0 < euros < 1e9:
        raise argparse.ArgumentTypeError("must be above 0 and below a billion")
    return euros
