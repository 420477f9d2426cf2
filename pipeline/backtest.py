"""Replays the schedule on the past and measures how well it ranked the calls that came next:
`python -m pipeline.backtest`.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.figures import COST, MARGIN
from data.command import DONE, captured, guarded
from data.contract import Contract
from data.errors import BadOptionError
from pipeline.dataset import resolve
from pipeline.options import add_columns_options, add_common_options, add_data_options, positive
from report import add_money
from runs.backtest_result import FILE, BacktestResult, MonthResult, Period, SpanResult, backtest_folder
from runs.summary import LabelWords

if TYPE_CHECKING:
    from analysis.figures import OverTime
    from pipeline.replay import Calls, Replay
    from pipeline.screen import Screen

PLANNED = "calls_today"
"""The derived column that `--past-volume-only` leaves blank."""
LOG = "backtest.log"

EPILOG = """\
A random split measures how well the model ranks calls of weeks that it has learned from. A backtest measures how well
the schedule would have ranked each month's calls before it knew them, which is what a campaign needs. Each month is
scored by the model that the schedule would have had before the month's first day: trained on the months before,
compared with the champion, promoted or refused. Beside it:
  static    the first of these models, never trained again
  rolling   trained each month on the newest calls only, as many as there were before the first month
  histgb    gradient boosting, trained each month on the same calls and columns
  logistic  logistic regression, likewise

Believe the AUC within a month: a list is worked through month by month. The pooled AUC also rewards a model that knows
only in which months customers buy. Choose on the period dev (--dev-only does not look further) and state confirm.

The size of the list is a feature where the contract has derived: list_size. It stands for how the bank chose whom to
call, and changes its meaning when the model's own lists decide that. --past-volume-only leaves the planned size out.

examples:
  python -m pipeline.backtest                                  on the synthetic sample (offline)
  python -m pipeline.backtest --data bank-full --dev-only      to choose, on the months of the period dev
  python -m pipeline.backtest --data bank-full --seeds 3       to state the figures, means of three seeds
  python -m pipeline.backtest --data calls.csv --with-calendar with the month as a feature, for comparison

The rows must be in the order of the calls, and their contract must say so (row_order: date). With call_date the units
are calendar months, from the first of the contract's backtest: dev on, else over the newer half. Without call_date they
are 1,000 rows each. The result is also written to artifacts/backtests/<contract>/backtest.json, and every report of a
run on the same file and columns shows it.

exit codes: 0 done, 2 bad input, 1 anything else (details in the log)
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _prepare(options))


def _prepare(options: argparse.Namespace) -> int:
    from data import sample

    path, contract = resolve(options.data, options.contract, artifacts=options.artifacts)
    if contract.row_order != "date":
        raise BadOptionError(
            f"a backtest needs rows in the order of their dates, and {contract.name} has row_order: none"
        )
    if options.past_volume_only and PLANNED not in contract.derived_columns:
        raise BadOptionError(f"--past-volume-only: contract {contract.name} has no derived: list_size")
    if options.with_calendar:
        contract = contract.with_calendar()
    synthetic = sample.is_synthetic(path)
    folder = backtest_folder(
        options.artifacts.resolve(),
        contract.name,
        synthetic,
        options.with_after_call,
        options.with_calendar,
        options.past_volume_only,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOptionError(str(error)) from error
    from pipeline.screen import Screen

    with captured(folder / LOG) as stream:
        screen = Screen(stream)
        return guarded(
            lambda: _run(options, path, contract, synthetic, folder, screen),
            lambda text: screen.say(text, style="red"),
            folder / LOG,
        )


def _run(
    options: argparse.Namespace, path: Path, contract: Contract, synthetic: bool, folder: Path, screen: Screen
) -> int:
    from data import columns as tables
    from pipeline.replay import Calls, to_score
    from pipeline.screen import SYNTHETIC

    started = time.monotonic()
    screen.say(f"backtest of {path} ({contract.title})")
    if synthetic:
        screen.say(SYNTHETIC, style="yellow")
    columns = tables.read(path, contract)
    if options.past_volume_only:
        columns[PLANNED] = np.full_like(columns[PLANNED], np.nan)
    calls = Calls(columns, contract, options.with_after_call)
    scored = to_score(calls, options.dev_only)
    seeds = tuple(range(options.seed, options.seed + options.seeds))
    cost, margin = options.cost or COST, options.margin or MARGIN
    try:
        with screen.steps(len(seeds) * (len(scored) + 1 + options.spans)) as begin:
            result = backtest(calls, scored, options.spans, seeds, cost, margin, begin)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was written") from None
    result = dataclasses.replace(
        result,
        source=str(path.resolve()),
        synthetic=synthetic,
        with_calendar=options.with_calendar,
        past_volume_only=options.past_volume_only,
    )
    fresh = folder / f".{FILE}"
    fresh.write_text(result.to_json(), encoding="utf-8")
    fresh.replace(folder / FILE)
    screen.backtest(result)
    screen.say(f"{time.monotonic() - started:.0f} s; {folder / FILE}")
    return DONE


def backtest(
    calls: Calls,
    scored: range,
    spans: int,
    seeds: Sequence[int],
    cost: float,
    margin: float,
    begin: Callable[[str], None],
) -> BacktestResult:
    """The result of a backtest, without what only the command line knows.

    Args:
      calls: of the file.
      scored: from `pipeline.replay.to_score`.
      spans: equal spans of the newer half of the rows, to be measured as well.
      seeds: at least one.
      cost, margin: of a call and of a positive row, in euros.
      begin: called with the name of the next step.
    """
    from pipeline.replay import replay

    def named(seed: int) -> Callable[[str], None]:
        return (lambda name: begin(f"seed {seed}, {name}")) if len(seeds) > 1 else begin

    replays = [replay(calls, scored, spans, seed, named(seed)) for seed in seeds]
    units = [calls.units[place] for place in scored]
    periods = {"all": (units[0].name, units[-1].name)}
    if calls.contract.backtest is not None:
        periods = calls.contract.backtest.periods | periods
    label = calls.contract.required_label
    result = BacktestResult(
        source="",
        synthetic=False,
        contract=calls.contract.name,
        with_after_call=calls.with_after_call,
        with_calendar=False,
        past_volume_only=False,
        seeds=tuple(seeds),
        rows=len(calls.labels),
        cost=cost,
        margin=margin,
        dated=calls.dated,
        periods={
            name: period
            for name, (first, last) in periods.items()
            if (period := _period(calls, scored, replays, first, last, cost, margin))
        },
        months=tuple(_month(calls, place, replays, place - scored.start) for place in scored),
        random_split=_random_split(calls, replays, cost, margin),
        spans=tuple(_span(calls, replays, number, spans) for number in range(spans)),
        verdict="",
        words=LabelWords(label.one, label.many),
    )
    return dataclasses.replace(result, verdict=verdict(result))


def verdict(result: BacktestResult) -> str:
    """Which figure to rely on, in words."""
    worth, random = result.worth, result.random_split
    if worth.within_month_auc is None or worth.better_half_share is None:
        return "No month has enough rows of both labels, so the ranking cannot be measured."
    many, interval = result.words.many, worth.within_month_auc_interval
    assert interval is not None
    at_random = (
        ""
        if random.pooled_auc is None
        else (
            f" On calls held out at random the pooled AUC is {random.pooled_auc:.3f}"
            + (
                "."
                if random.within_month_auc is None
                else f", of which {random.within_month_auc:.3f} is left within months."
            )
        )
    )
    half = f"{100 * worth.better_half_share:.0f} %"
    return (
        f"On the calls of {result.months_stated}, each month scored by the model that the schedule would have had, the "
        f"AUC within a month is {worth.within_month_auc:.3f} (95 % interval {interval.low:.3f} to "
        f"{interval.high:.3f}), and the better half of a month's list holds {half} of its {many}.{at_random} Plan with "
        "the first figures: a campaign calls customers of the weeks to come."
    )


def _period(
    calls: Calls, scored: range, replays: Sequence[Replay], first: str, last: str, cost: float, margin: float
) -> Period | None:
    """The figures of the months that were scored, from a first to a last one; None where there are none."""
    from analysis.over_time import mean, measure

    units = (
        [unit for place in scored if first <= (unit := calls.units[place]).name <= last]
        if calls.dated
        else [calls.units[place] for place in scored]
    )
    if not units:
        return None
    rows = np.arange(units[0].start, units[-1].stop)
    models = {
        name: mean(
            [measure(calls.labels[rows], one.scores[name][rows], calls.days[rows], cost, margin) for one in replays]
        )
        for name in replays[0].scores
    }
    return Period(units[0].name, units[-1].name, models)


def _month(calls: Calls, place: int, replays: Sequence[Replay], number: int) -> MonthResult:
    from analysis.over_time import auc

    unit = calls.units[place]
    labels = calls.labels[unit.rows]
    return MonthResult(
        name=unit.name,
        rows=len(labels),
        label_rate=float(labels.mean()),
        auc={name: _mean([auc(labels, one.scores[name][unit.rows]) for one in replays]) for name in replays[0].scores},
        decisions=tuple(one.decisions[number] for one in replays),
    )


def _random_split(calls: Calls, replays: Sequence[Replay], cost: float, margin: float) -> OverTime:
    from analysis.over_time import mean, measure

    return mean(
        [
            measure(calls.labels[one.random_rows], one.random_scores, calls.days[one.random_rows], cost, margin)
            for one in replays
        ]
    )


def _span(calls: Calls, replays: Sequence[Replay], number: int, spans: int) -> SpanResult:
    from analysis.metrics import evaluate
    from pipeline.replay import span_edges

    start, stop = span_edges(len(calls.labels), spans)[number : number + 2]
    labels = calls.labels[start:stop]
    aucs = [evaluate(labels, one.spans[number], 0.5).auc for one in replays]
    return SpanResult(start + 1, stop, float(labels.mean()), _mean(aucs))


def _mean(values: Sequence[float | None]) -> float | None:
    """None where one of them is."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.backtest",
        description="Replays the schedule on the past: how well would it have ranked the calls that came next?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_options(parser)
    add_columns_options(parser)
    parser.add_argument(
        "--past-volume-only",
        action="store_true",
        help="leave out how many calls are planned for the day, and keep how many there were on the days before",
    )
    parser.add_argument(
        "--dev-only",
        action="store_true",
        help="stop at the end of the contract's period dev, on which choices are made",
    )
    parser.add_argument(
        "--seeds",
        type=positive,
        default=1,
        metavar="N",
        help="repeat with so many seeds, from --seed on, and give the means (default: %(default)s)",
    )
    parser.add_argument(
        "--spans",
        type=_count,
        default=0,
        metavar="N",
        help="also measure the pooled AUC on N equal spans of the newer half, each scored by a model of all rows "
        "before it, as earlier versions did (they used 5; default: %(default)s)",
    )
    add_money(parser)
    add_common_options(parser)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
