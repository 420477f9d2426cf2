"""Replays the past: trains on the calls so far and tests on the calls that came next: `python -m pipeline.backtest`.

    |------ first part ------|-- span 1 --|-- span 2 --|-- span 3 --| ...       rows in the order of the calls
    static     trained on the first part, once
    expanding  for each span, trained on all rows before it
    rolling    for each span, trained on the newest rows before it, as many as the first part has

All three are the same in span 1. In each window a random share of the rows is held out for early stopping, calibration
and the threshold. Holding out the newest rows instead keeps the most informative rows out of training: the mean AUC of
five spans was 0.602 against 0.617 on bank-full and 0.533 against 0.572 on bank-additional (measured on the spans
themselves). A random split is measured as well, for comparison.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.figures import Metrics
from data.command import DONE, captured, guarded
from data.contract import Contract
from data.errors import BadOptionError
from pipeline.dataset import resolve
from pipeline.options import add_columns_options, add_common_options, add_data_options, positive
from runs.backtest_result import FILE, MODELS, BacktestResult, SpanResult, backtest_folder
from runs.summary import LabelWords

if TYPE_CHECKING:
    from pipeline.screen import Screen

Columns = Mapping[str, np.ndarray]
HELD_OUT = 0.15
"""Share of a window's rows in its eval part, and of the file's rows in the test part of the random split."""
FEWEST_ROWS = 100
"""In the first part and in each span; figures on fewer rows are noise."""
LOG = "backtest.log"

EPILOG = """\
A random split measures how well the model ranks calls of days it has learned from. A backtest measures how well it
ranks the calls of the weeks to come, which is what a campaign needs. Where customers or campaigns change, the second
figure is lower. It also shows whether retraining pays (static against the others) and whether old calls should be
forgotten (expanding against rolling).

examples:
  python -m pipeline.backtest                             on the synthetic sample (offline)
  python -m pipeline.backtest --data bank-full.csv        five spans over the newer half of a file of yours
  python -m pipeline.backtest --data calls/ --spans 10    shorter spans; takes twice as long
  python -m pipeline.backtest --first 0.2 --spans 4       start from the oldest fifth of the rows

The rows must be in the order of the calls, and their contract must say so (row_order: date). The result is also
written to artifacts/backtests/<contract>/backtest.json.

exit codes: 0 done, 2 bad input, 1 anything else (details in the log)
"""


@dataclass(frozen=True)
class Span:
    """Consecutive rows, scored by models of earlier rows.

    Attributes:
      number: from 1.
      start, stop: the rows, numbered from 0; the end is exclusive.
      windows: start and stop of the training rows of each of MODELS.
    """

    number: int
    start: int
    stop: int
    windows: dict[str, tuple[int, int]]


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _prepare(options))


def _prepare(options: argparse.Namespace) -> int:
    from data import sample

    path, contract = resolve(options.data, options.contract)
    if contract.row_order != "date":
        raise BadOptionError(
            f"a backtest needs rows in the order of their dates, and {contract.name} has row_order: none"
        )
    synthetic = sample.is_synthetic(path)
    folder = backtest_folder(options.artifacts.resolve(), contract.name, synthetic, options.with_after_call)
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
    from pipeline.screen import SYNTHETIC

    started = time.monotonic()
    screen.say(f"backtest of {path} ({contract.title})")
    if synthetic:
        screen.say(SYNTHETIC, style="yellow")
    columns = tables.read(path, contract)
    spans = plan(len(columns[contract.required_label.name]), options.spans, options.first)
    try:
        with screen.steps(2 * len(spans)) as begin:
            result = backtest(columns, contract, options.with_after_call, spans, options.seed, begin)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was written") from None
    result = dataclasses.replace(result, source=str(path.resolve()), synthetic=synthetic)
    fresh = folder / f".{FILE}"
    fresh.write_text(result.to_json(), encoding="utf-8")
    fresh.replace(folder / FILE)
    screen.backtest(result)
    screen.say(f"{time.monotonic() - started:.0f} s; {folder / FILE}")
    return DONE


def plan(rows: int, spans: int, first: float) -> list[Span]:
    """Cuts the rows after the first part into spans of equal length.

    Args:
      rows: in the file.
      spans: how many, at least 1.
      first: share of the rows in the first part, above 0 and below 1.

    Raises:
      BadOptionError: the first part or a span would have fewer than FEWEST_ROWS.
    """
    start = round(rows * first)
    edges = [start + (rows - start) * i // spans for i in range(spans + 1)]
    if min(start, (rows - start) // spans) < FEWEST_ROWS:
        raise BadOptionError(
            f"{rows:,} rows are too few for {spans} spans after a first part of {first:.0%}: "
            f"that and each span need at least {FEWEST_ROWS} rows"
        )
    return [
        Span(
            number,
            begin,
            end,
            {"static": (0, start), "expanding": (0, begin), "rolling": (begin - start, begin)},
        )
        for number, (begin, end) in enumerate(itertools.pairwise(edges), 1)
    ]


def walk(
    columns: Columns,
    contract: Contract,
    with_after_call: bool,
    spans: Sequence[Span],
    seed: int,
    begin: Callable[[str], None],
) -> tuple[dict[int, dict[str, Metrics]], Metrics]:
    """Fits a model on every window, once, and measures each span with the models of the rows before it.

    Args:
      columns: the whole file, from `data.columns.read`.
      contract: describes the columns.
      with_after_call: whether columns known only after the call are features.
      spans: from :func:`plan`.
      seed: of the fits, the held-out rows and the random split.
      begin: called with the name of the next step.

    Returns:
      Metrics by span number and model, and the metrics of the random split.
    """
    from analysis.metrics import evaluate
    from modules.purchase import estimator

    labels = columns[contract.required_label.name]

    def fit(rows: np.ndarray) -> estimator.Estimator:
        """Fits a model on rows in random order; the first HELD_OUT of them are the eval part."""
        evaluation, train = np.split(rows, [max(1, round(len(rows) * HELD_OUT))])
        return estimator.fit(_take(columns, train), _take(columns, evaluation), contract, with_after_call, seed=seed)

    def measure(model: estimator.Estimator, rows: np.ndarray) -> Metrics:
        return evaluate(labels[rows], model.score(_take(columns, rows)), model.threshold)

    measured: dict[tuple[int, int], dict[int, Metrics]] = {}
    for window in dict.fromkeys(window for span in spans for window in span.windows.values()):
        begin(f"rows {window[0] + 1:,} to {window[1]:,}")
        model = fit(np.random.default_rng(seed).permutation(np.arange(*window)))
        measured[window] = {
            span.number: measure(model, np.arange(span.start, span.stop))
            for span in spans
            if window in span.windows.values()
        }
    by_span = {
        span.number: {name: measured[window][span.number] for name, window in span.windows.items()} for span in spans
    }
    begin("random split")
    test, rest = np.split(np.random.default_rng(seed).permutation(len(labels)), [round(len(labels) * HELD_OUT)])
    return by_span, measure(fit(rest), test)


def backtest(
    columns: Columns,
    contract: Contract,
    with_after_call: bool,
    spans: Sequence[Span],
    seed: int,
    begin: Callable[[str], None],
) -> BacktestResult:
    """The result of a backtest, without the source of the rows.

    Args: as for :func:`walk`.
    """
    by_span, random_split = walk(columns, contract, with_after_call, spans, seed, begin)
    label = contract.required_label
    labels = columns[label.name]
    mean = {name: _mean([by_span[span.number][name] for span in spans]) for name in MODELS}
    return BacktestResult(
        source="",
        synthetic=False,
        contract=contract.name,
        with_duration=with_after_call,
        seed=seed,
        rows=len(labels),
        spans=tuple(
            SpanResult(
                number=span.number,
                first_row=span.start + 1,
                last_row=span.stop,
                train_rows={name: stop - start for name, (start, stop) in span.windows.items()},
                rows=span.stop - span.start,
                label_rate=float(labels[span.start : span.stop].mean()),
                **by_span[span.number],
            )
            for span in spans
        ),
        mean=mean,
        random_split=random_split,
        verdict=verdict(mean, random_split),
        words=LabelWords(label.one, label.many),
    )


def verdict(mean: Mapping[str, Metrics], random_split: Metrics) -> str:
    """Which figure to rely on, in words.

    Args:
      mean: for each of MODELS, the mean of its metrics over the spans.
      random_split: metrics of the random split.
    """
    means = {name: mean[name].auc for name in MODELS}
    if random_split.auc is None or None in means.values():
        return "No span has rows of both labels, so the ranking cannot be measured."
    figures = ", ".join(f"{auc:.3f} ({name})" for name, auc in means.items())
    return (
        f"On the calls that came next, the mean AUC over the spans is {figures}. On calls held out at random it is "
        f"{random_split.auc:.3f}. Plan with the first figures: a campaign calls customers of the weeks to come, but a "
        "random split lets the model learn from calls of the same days."
    )


def _mean(metrics: Sequence[Metrics]) -> Metrics:
    """Mean of each figure over the spans that have it; None where no span has it."""
    columns = {
        field.name: [value for split in metrics if (value := getattr(split, field.name)) is not None]
        for field in dataclasses.fields(Metrics)
    }
    means: dict[str, Any] = {name: statistics.fmean(values) if values else None for name, values in columns.items()}
    return Metrics(**means)


def _take(columns: Columns, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[rows] for name, column in columns.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.backtest",
        description="Measures how models of the past ranked the calls that came next.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_options(parser)
    add_columns_options(parser)
    parser.add_argument(
        "--spans", type=positive, default=5, metavar="N", help="number of spans to test on (default: %(default)s)"
    )
    parser.add_argument(
        "--first",
        type=_share,
        default=0.5,
        metavar="SHARE",
        help="share of the rows to start from, and length of the rolling window (default: %(default)s)",
    )
    add_common_options(parser)
    return parser


def _share(text: str) -> float:
    number = float(text)
    if not 0.0 < number < 1.0:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
