"""How the model would have done in the past: `python -m pipeline.backtest`.

    |------ first part ------|-- span 1 --|-- span 2 --|-- span 3 --| ...       rows in the order of the calls
    static     trains here, once
    expanding  for each span on all rows before it
    rolling    for each span on the newest rows before it, as many as the first part has

Span 1 is the same for all three. In each window a random share of the rows is held out for early stopping, calibration
and the threshold. Holding out the newest instead leaves out what there is most to learn from: mean AUC of five spans
0.602 against 0.617 on bank-full, 0.533 against 0.572 on bank-additional (a choice made on the spans themselves). The
usual random split is measured beside.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.contract import Contract
from data.errors import BadOptionError, UserError
from data.paths import ARTIFACTS
from pipeline.dataset import resolve
from pipeline.settings import Settings

DONE, FAILED, BAD_INPUT = 0, 1, 2
MODELS = ("static", "expanding", "rolling")
Columns = Mapping[str, np.ndarray]
Metrics = dict[str, float | int | None]
HELD_OUT = 0.15
"""Share of a window's rows in its eval part, and of the file's rows in the test part of the random split."""
FEWEST_ROWS = 100
"""In the first part and in each span; of fewer, figures say nothing."""

EPILOG = """\
A random split asks how well the model ranks calls of days it has learned from. A backtest asks what a marketing team
needs to know: how well it ranks the calls of the weeks to come. Where customers or campaigns change, the second figure
is lower, and it says whether to train anew often (static against the others) and whether to forget old calls
(expanding against rolling).

examples:
  python -m pipeline.backtest                             on the synthetic sample (offline)
  python -m pipeline.backtest --data bank-full.csv        five spans over the newer half of a file of yours
  python -m pipeline.backtest --data calls/ --spans 10    finer, and twice as long: two trainings a span
  python -m pipeline.backtest --first 0.2 --spans 4       begin with the oldest fifth

The rows must lie in the order of the calls, and their contract must say so (row_order: date). The table is also
written to artifacts/backtests/<contract>/backtest.json.

exit codes: 0 done, 2 bad input, 1 anything else (the log says what)
"""


@dataclass(frozen=True)
class Span:
    """Consecutive rows, scored by models of earlier rows; row numbers are from 0 and ends exclusive."""

    number: int
    """From 1."""
    start: int
    stop: int
    windows: dict[str, tuple[int, int]]
    """The training rows of each of MODELS."""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from data import sample

    options = _parser().parse_args(arguments)
    try:
        path, contract = resolve(options.data, options.contract)
        if contract.row_order != "date":
            raise BadOptionError(
                f"a backtest needs rows in the order of their dates, and {contract.name} has row_order: none"
            )
        synthetic = sample.is_synthetic(path)
        parts = [contract.name, "synthetic" * synthetic, "with-duration" * options.with_duration]
        folder = options.artifacts.resolve() / "backtests" / "-".join(filter(None, parts))
        folder.mkdir(parents=True, exist_ok=True)
    except (UserError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return FAILED
    from data import columns as tables
    from data.command import captured, one_line
    from pipeline.screen import SYNTHETIC, Screen

    log = folder / "backtest.log"
    with captured(log) as stream:
        screen = Screen(stream)
        screen.say(f"backtest of {path} ({contract.title})")
        if synthetic:
            screen.say(SYNTHETIC, style="yellow")
        try:
            started = time.monotonic()
            columns = tables.read(path, contract)
            spans = plan(len(columns[contract.required_label.name]), options.spans, options.first)
            with screen.steps(2 * len(spans)) as begin:
                result = backtest(columns, contract, options.with_duration, spans, options.seed, begin)
        except UserError as error:
            screen.say(str(error), style="red")
            return BAD_INPUT
        except KeyboardInterrupt:
            screen.say("stopped; nothing was written", style="bold yellow")
            return FAILED
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            screen.say(f"failed: {one_line(error)}", style="bold red")
            screen.say(f"the whole story is in {log}")
            return FAILED
        source = {"source": str(path.resolve()), "synthetic": synthetic}
        _write(folder / "backtest.json", {**source, **result})
        screen.backtest(result)
        screen.say(f"{time.monotonic() - started:.0f} s; {folder / 'backtest.json'}")
        return DONE


def plan(rows: int, spans: int, first: float) -> list[Span]:
    """Cuts what follows the first part into spans of equal length.

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
    """Fits every window once and measures each span with the models that end before it.

    Args:
      columns: the whole file, as from `data.columns.read`.
      contract: what the columns mean.
      with_after_call: whether columns known only after the call are features.
      spans: from :func:`plan`.
      seed: of the fits, the rows held out and the random split.
      begin: called with what is about to be fitted.

    Returns:
      Metrics by span number and model, and those of the random split, as from `analysis.metrics.evaluate`.
    """
    from analysis.metrics import evaluate
    from modules.purchase import estimator

    labels = columns[contract.required_label.name]

    def fit(rows: np.ndarray) -> estimator.Estimator:
        """On rows in random order, the first HELD_OUT of them being the eval part."""
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
) -> dict[str, Any]:
    """What `backtest.json` says of the figures; rows are numbered from 1 and both ends belong to a span.

    Args: as for :func:`walk`.
    """
    by_span, random_split = walk(columns, contract, with_after_call, spans, seed, begin)
    labels = columns[contract.required_label.name]
    mean = {name: _mean([by_span[span.number][name] for span in spans]) for name in MODELS}
    return {
        "contract": contract.name,
        "with_duration": with_after_call,
        "seed": seed,
        "rows": len(labels),
        "spans": [
            {
                "number": span.number,
                "first_row": span.start + 1,
                "last_row": span.stop,
                "train_rows": {name: stop - start for name, (start, stop) in span.windows.items()},
                "rows": span.stop - span.start,
                "label_rate": float(labels[span.start : span.stop].mean()),
                **by_span[span.number],
            }
            for span in spans
        ],
        "mean": mean,
        "random_split": random_split,
        "verdict": verdict(mean, random_split),
    }


def verdict(mean: Mapping[str, Metrics], random_split: Metrics) -> str:
    """Which figure to believe, in words.

    Args:
      mean: of each of MODELS, the mean of its metrics over the spans.
      random_split: metrics of the random split.
    """
    if None in (random_split["auc"], *(metrics["auc"] for metrics in mean.values())):
        return "No span has rows of both labels, so nothing can be said about ranking."
    figures = ", ".join(f"{mean[name]['auc']:.3f} {name}" for name in MODELS)
    return (
        f"AUC is {random_split['auc']:.3f} on calls held out at random and {figures} on the calls that came next (mean "
        "over spans). Believe the latter: a calling list is always of calls to come, and a random split lets the model "
        "learn from calls of the same days."
    )


def _mean(metrics: Sequence[Metrics]) -> Metrics:
    """Mean of each metric over the spans that have it; None where none has."""
    return {
        key: statistics.fmean(values) if (values := [m[key] for m in metrics if m[key] is not None]) else None
        for key in metrics[0]
    }


def _take(columns: Columns, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[rows] for name, column in columns.items()}


def _write(file: Path, content: Mapping[str, Any]) -> None:
    fresh = file.with_name(f".{file.name}")
    fresh.write_text(json.dumps(content, indent=1))
    fresh.replace(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.backtest",
        description="How the model would have done in the past: trained on the calls so far, tested on those that came "
        "next.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        metavar="FILE|FOLDER|NAME",
        help="a CSV file, a folder of them, or bank-full / bank-additional to download (default: the synthetic sample)",
    )
    parser.add_argument("--contract", metavar="FILE|NAME", help="what the columns mean (default: found by the header)")
    parser.add_argument(
        "--with-duration", action="store_true", help="also use columns known only after the call; for comparison only"
    )
    parser.add_argument(
        "--spans", type=_positive, default=5, metavar="N", help="stretches of rows to test on (default: %(default)s)"
    )
    parser.add_argument(
        "--first",
        type=_share,
        default=0.5,
        metavar="SHARE",
        help="share of the rows to start from, and length of the rolling window (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=Settings.seed, metavar="N", help="of everything random (default: %(default)s)"
    )
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=ARTIFACTS,
        metavar="FOLDER",
        help="where the result is written (default: artifacts/)",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0.0 < number < 1.0:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
