"""What a run shows on the terminal: a line for each component while it works, and tables at the end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import singledispatch
from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from analysis.segmentation import METHOD_NAMES
from runs.backtest_result import MODELS
from runs.kinds import space
from runs.summary import PurchaseSummary, RunSummary, SegmentSummary

if TYPE_CHECKING:
    from analysis.figures import Interval, Metrics
    from runs.backtest_result import BacktestResult, Period
    from runs.summary import ComparedModel, Stage

SYNTHETIC = "synthetic sample: the figures show that the pipeline works, not what a bank would see"


class Screen:
    """Writes to a terminal, or plain lines to a file or pipe."""

    def __init__(self, stream: TextIO):
        self._console = Console(file=stream, highlight=False)

    def say(self, text: str, style: str = "") -> None:
        """One message."""
        self._console.print(escape(text), style=style, soft_wrap=True)

    def progress(self, events: Iterable[Stage | str]) -> list[Stage]:
        """Shows each component while it runs and its time when it is done; returns the finished ones."""
        stages = []
        columns = (SpinnerColumn(), "{task.description}", TimeElapsedColumn())
        with self._progress(*columns, disable=not self._console.is_terminal) as progress:
            task = progress.add_task("starting", total=None)
            for event in events:
                if isinstance(event, str):
                    progress.reset(task, description=event)
                    continue
                stages.append(event)
                note = "  [dim]cached[/]" if event.cached else ""
                self._console.print(f"  [green]done[/]  {event.name:<24}{event.seconds:7.1f} s{note}")
        return stages

    @contextmanager
    def steps(self, total: int) -> Iterator[Callable[[str], None]]:
        """Shows a bar over a known number of steps, or a line for each; yields a function that begins the next one."""
        columns = (
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with self._progress(*columns) as progress:
            task = progress.add_task("starting", total=total)
            begun = itertools.count()

            def begin(name: str) -> None:
                number = next(begun)
                progress.update(task, description=name, completed=number)
                if not self._console.is_terminal:
                    self.say(f"  {number + 1}/{total}  {name}")

            yield begin

    @contextmanager
    def bar(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Shows a bar, or a line for each tenth of the work; yields a function that is told how much more is done."""
        columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with self._progress(*columns) as progress:
            task = progress.add_task(name, total=total)
            done = 0

            def advance(more: int) -> None:
                nonlocal done
                tenth, done = 10 * done // total, done + more
                progress.update(task, completed=done)
                if 10 * done // total > tenth and not self._console.is_terminal:
                    self.say(f"  {name}: {done / total:.0%}")

            yield advance

    def backtest(self, result: BacktestResult) -> None:
        """The tables and the sentence that end a backtest."""
        seeds = "1 seed" if len(result.seeds) == 1 else f"means of {len(result.seeds)} seeds"
        self.say(f"\n{result.contract}: {result.rows:,} rows, {seeds}")
        self.say(
            f"in month: AUC within each month; half: share of the {result.words.many} in the better half of each "
            "month's list; pooled: AUC over all months, which mixes their base rates"
        )
        for name, period in result.different_periods.items():
            self.say(f"\n{name}: {period.months}")
            self._console.print(_period(period))
        random = result.random_split
        self.say(f"random split: AUC {_figure(random.pooled_auc)}, within a month {_figure(random.within_month_auc)}")
        if result.spans:
            spans = ", ".join(_figure(span.auc) for span in result.spans)
            self.say(f"{len(result.spans)} spans of the newer half: AUC {spans}; mean {_figure(result.span_mean)}")
        table = _table("month", "calls", result.words.many, *MODELS, "model")
        for month in result.months:
            aucs = [_figure(month.auc[name], digits=3) for name in MODELS]
            outcomes = dict.fromkeys(decided.outcome for decided in month.decisions)
            table.add_row(month.name, f"{month.rows:,}", f"{month.label_rate:.1%}", *aucs, "/".join(outcomes))
        self._console.print(table)
        for text in result.exceptions:
            self.say(text)
        self.say(f"\n{result.verdict}", style="bold")

    def summary(self, summary: RunSummary) -> None:
        """The tables that end a run."""
        data = summary.dataset
        if data.synthetic:
            self.say(f"\n{SYNTHETIC}", style="bold yellow")
        rows = f"{data.rows:,} rows kept of {data.read:,} read, {data.quarantined:,} quarantined"
        rows += f", {data.superseded:,} superseded" if data.superseded else ""
        self.say(f"\n{data.contract}: {rows}; {len(summary.features)} features; split {data.split}")
        for part in _results(summary):
            self._console.print(part)
        gate = _table("gate", "value", "bound", "")
        for check in summary.gate.checks:
            verdict = "[green]passed[/]" if check.passed else "[bold red]failed[/]"
            gate.add_row(check.metric, _figure(check.value), f">= {_figure(check.bound)}", verdict)
        self._console.print(gate)
        if isinstance(summary, PurchaseSummary) and summary.trial:
            self.say(summary.trial.verdict)

    def _progress(self, *columns: ProgressColumn | str, disable: bool = False) -> Progress:
        # Not redirected: the output of libraries belongs in the log.
        return Progress(
            *columns,
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=disable,
        )


@singledispatch
def _results(summary: RunSummary) -> Iterator[Table | str]:
    """What is shown of a run between its data and its gate; each kind of summary has a function of its own."""
    raise NotImplementedError(type(summary))


@_results.register
def _purchase_results(summary: PurchaseSummary) -> Iterator[Table | str]:
    many = summary.dataset.words.many
    table = _table("split", "rows", many, "accuracy", "majority", "AUC", "log loss", "ECE", "lift")
    for name, split in summary.splits.items():
        metrics = summary.metrics[name]
        table.add_row(
            name,
            f"{split.rows:,}",
            _share(split.label_rate),
            _figure(metrics.accuracy),
            _figure(metrics.majority_accuracy),
            *_qualities(metrics),
        )
    yield table
    if summary.comparison:
        yield _comparison(summary.comparison)


@_results.register
def _segment_results(summary: SegmentSummary) -> Iterator[Table | str]:
    chosen, candidate = summary.chosen, summary.chosen.candidate
    own = space(candidate)
    way = f"{METHOD_NAMES[candidate.method]} on {own}"
    yield f"view {escape(summary.settings.view)}: {len(summary.segments)} segments by {way}"
    shares = _table("segment", *summary.splits)
    for segment in summary.segments:
        shares.add_row(escape(segment.name), *(_share(segment.shares.get(split)) for split in summary.splits))
    shares.add_row("rows", *(f"{split.rows:,}" for split in summary.splits.values()))
    yield shares
    table = _table("silhouette", "macro", "micro", "null", "stability")
    table.add_row(
        f"sample of train, {own}",
        *map(_figure, (chosen.macro_silhouette, chosen.silhouette, chosen.null_silhouette, chosen.stability)),
    )
    full = map(_figure, (chosen.full_macro_silhouette, chosen.full_silhouette))
    table.add_row("sample of train, all columns", *full, "-", "-")
    table.add_row(f"test, {own}", *map(_figure, (summary.macro_silhouette, summary.silhouette)), "-", "-")
    yield table
    if summary.agreement is not None:
        yield f"adjusted Rand index with the last blessed model on test: {_figure(summary.agreement)}"


def _comparison(models: Sequence[ComparedModel]) -> Table:
    table = _table("on test", "AUC", "log loss", "F1@0.5", "best F1", "lift", "fit s", "µs/row")
    for model in models:
        metrics = model.metrics
        table.add_row(
            model.name,
            *map(_figure, (metrics.auc, metrics.log_loss, metrics.f1, metrics.f1_at_threshold)),
            _figure(metrics.lift_top_decile, digits=2),
            _figure(model.train_seconds, digits=1),
            _figure(model.score_microseconds, digits=0),
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _period(period: Period) -> Table:
    """The figures of each model; the headline ones with their 95 % intervals."""
    table = _table("", "in month (95 %)", "half (95 %)", "pooled", "log loss", "ECE", "profit")
    for model, figures in period.models.items():
        table.add_row(
            model,
            _with_interval(figures.within_month_auc, figures.within_month_auc_interval),
            _with_interval(figures.better_half_share, figures.better_half_share_interval),
            _figure(figures.pooled_auc, digits=3),
            _figure(figures.log_loss, digits=3),
            _figure(figures.ece, digits=3),
            f"{figures.profit:,.0f}",
        )
    return table


def _with_interval(value: float | None, interval: Interval | None) -> str:
    shown = _figure(value, digits=3)
    if interval is None:
        return shown
    low, high = (f"{end:.2f}".removeprefix("0") for end in (interval.low, interval.high))
    return f"{shown} ({low}-{high})"


def _qualities(metrics: Metrics) -> list[str]:
    figures = [_figure(value) for value in (metrics.auc, metrics.log_loss, metrics.ece)]
    return [*figures, _figure(metrics.lift_top_decile, digits=2)]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _figure(value: float | bool | None, digits: int = 4) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else f"{value:.{digits}f}"
