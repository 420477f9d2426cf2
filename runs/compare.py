"""Compares runs: `python -m runs` lists them, `python -m runs A B` shows the differences between some."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data.command import DONE, guarded
from data.errors import NotReadyError
from runs.folder import add_options, run_folder, run_folders
from runs.kinds import KINDS, commands, kind_of
from runs.summary import RunSummary
from runs.summary import read as read_summary

MOST_COLUMNS = 3
"""Names of columns that the list shows for one run."""
_DIGESTS = ("settings.data_sha256", "settings.commit")
_SHORT = 12
"""Characters of a digest that are shown."""
_WIDTH = 240
"""Wider than the tables need: a narrow terminal wraps the lines, and no figure is cut off."""


@dataclass(frozen=True)
class Run:
    """A run's folder, and its summary or the reason why there is none."""

    name: str
    summary: RunSummary | None
    problem: str | None = None


def read(folder: Path) -> Run:
    """A run, whether or not it came to its end."""
    try:
        return Run(folder.name, read_summary(folder))
    except NotReadyError as error:
        return Run(folder.name, None, str(error))


def newest(artifacts: Path, model: str, last: int | None = None) -> list[Run]:
    """A model's runs, newest first, at most `last` of them.

    Raises:
      NotReadyError: there are none.
    """
    folders = run_folders(artifacts, model)
    if not folders:
        raise NotReadyError(f"there are no runs of {model} in {artifacts}; start one with: {commands(model)}")
    return [read(folder) for folder in folders[:last]]


def named(artifacts: Path, model: str, names: Iterable[str]) -> list[RunSummary]:
    """The summaries of some runs by their ids.

    Raises:
      NotReadyError: there is no such run, or it has no summary.
    """
    return [read_summary(run_folder(artifacts, model, name)) for name in names]


def flatten(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one: `{"a": {"b": 1}}` becomes `{"a.b": 1}`. A list of texts becomes a key for each text."""
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value):
            value = dict.fromkeys(value, True)
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def choices(summary: RunSummary) -> dict[str, Any]:
    """What the user provided and what the user or the search chose, by dotted field of `summary.json`."""
    return flatten(
        {
            "dataset": dataclasses.asdict(summary.dataset),
            "settings": dataclasses.asdict(summary.settings),
            "features": summary.features,
            **kind_of(summary).chosen(summary),
        }
    )


def results(summary: RunSummary) -> dict[str, Any]:
    """What the run measured, by dotted field of `summary.json`; of the splits only test."""
    return {
        **flatten(kind_of(summary).results(summary)),
        "gate.blessed": summary.gate.blessed,
        "pushed.version": summary.pushed.version if summary.pushed else None,
        "seconds": summary.seconds,
    }


def differences(summaries: Sequence[RunSummary]) -> dict[str, list[Any]]:
    """The choices that differ: the value in each run, None where a run has none."""
    values = _side_by_side([choices(summary) for summary in summaries])
    return {key: line for key, line in values.items() if any(value != line[0] for value in line)}


def measurements(summaries: Sequence[RunSummary]) -> dict[str, list[Any]]:
    """The results: the value in each run, None where a run has none."""
    return _side_by_side([results(summary) for summary in summaries])


def same_test_rows(summaries: Sequence[RunSummary]) -> bool:
    """Whether the test split is known to hold the same customers in all runs."""
    rows = [
        (s.dataset.contract, s.dataset.rows, s.dataset.split, s.settings.data_sha256, s.settings.quarantine)
        for s in summaries
    ]
    return None not in rows[0] and all(other == rows[0] for other in rows)


def same_space(summaries: Sequence[RunSummary]) -> bool:
    """Whether all runs measure distances between customers alike, which makes their silhouettes comparable."""
    return len({kind_of(summary).space(summary) for summary in summaries}) == 1


def peculiarities(summaries: Sequence[RunSummary]) -> list[list[str]]:
    """For each run, how its columns, data and settings differ from those of the other runs on the same data set.

    The usual value is the one that most of these runs have, or the oldest such value. The usual columns are those of
    the runs without columns known only after the call or saying when it was, where there are any such runs.

    Args:
      summaries: newest first.
    """
    groups: dict[Hashable, list[RunSummary]] = {}
    for summary in reversed(summaries):
        groups.setdefault(_group(summary), []).append(summary)
    usual = {group: _usual(alike) for group, alike in groups.items()}
    return [_marks(summary, *usual[_group(summary)]) for summary in summaries]


def _group(run: RunSummary) -> Hashable:
    kind = kind_of(run)
    return kind.summary, run.dataset.contract, run.dataset.synthetic, *kind.group(run)


def _usual(alike: Sequence[RunSummary]) -> tuple[Sequence[str], list[Any]]:
    """The usual columns, and the usual value of each trait."""
    kind = kind_of(alike[0])
    columns = [run.features for run in alike if not kind.unusual(run)] or [run.features for run in alike]
    return _most_frequent(columns), [_most_frequent([trait.value(run) for run in alike]) for trait in kind.traits]


def _marks(run: RunSummary, usual_columns: Sequence[str], usual_traits: Sequence[Any]) -> list[str]:
    kind = kind_of(run)
    more = [f"+{name}" for name in run.features if name not in usual_columns]
    less = [f"-{name}" for name in usual_columns if name not in run.features]
    marks = _shortened(more) + _shortened(less)
    if not more:
        marks += kind.unusual(run)
    for trait, usual in zip(kind.traits, usual_traits, strict=True):
        value = trait.value(run)
        if value is not None and value != usual:
            marks.append(trait.text(value))
    return marks


def _most_frequent(values: Sequence[Any]) -> Any:
    """The first one of them where several are as frequent."""
    return Counter(values).most_common(1)[0][0]


def _shortened(names: list[str]) -> list[str]:
    rest = len(names) - MOST_COLUMNS
    return names if rest <= 0 else [*names[:MOST_COLUMNS], f"{names[0][0]}{rest} more columns"]


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m runs",
        description="Lists the runs of a model, newest first. With run ids: shows how their settings and results "
        "differ.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="two or more run ids to compare, or latest")
    add_options(parser)
    parser.add_argument("--last", type=int, metavar="N", help="list only the newest N runs (default: all)")
    parser.add_argument("--json", action="store_true", help="write JSON instead of tables")
    options = parser.parse_args(arguments)
    if len(options.runs) == 1:
        parser.error("give two or more runs to compare, or none to list them all")
    if options.last is not None and (options.runs or options.last < 1):
        parser.error("--last takes a number of at least 1 and cannot be combined with run ids")
    return guarded(lambda: _compare(options) if options.runs else _list(options))


def _list(options: argparse.Namespace) -> int:
    runs = newest(options.artifacts, options.model, options.last)
    summaries = [run.summary for run in runs if run.summary]
    marks = iter(peculiarities(summaries))
    entries = [
        _entry(run.summary, next(marks)) if run.summary else {"run_id": run.name, "problem": run.problem}
        for run in runs
    ]
    if options.json:
        sys.stdout.write(json.dumps(entries, indent=1) + "\n")
    else:
        _show_list(runs, entries)
    return DONE


def _compare(options: argparse.Namespace) -> int:
    summaries = named(options.artifacts, options.model, options.runs)
    if options.json:
        content = {
            "runs": [summary.run_id for summary in summaries],
            "differences": differences(summaries),
            "measurements": measurements(summaries),
            "same_test_rows": same_test_rows(summaries),
            "same_space": same_space(summaries),
        }
        sys.stdout.write(json.dumps(content, indent=1) + "\n")
    else:
        _show_comparison(summaries)
    return DONE


def _entry(summary: RunSummary, marks: list[str]) -> dict[str, Any]:
    values = {"run_id": summary.run_id, "differs": marks, **choices(summary), **results(summary)}
    return {key: values[key] for key in kind_of(summary).titles}


def _side_by_side(documents: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    keys = dict.fromkeys(key for document in documents for key in document)
    return {key: [document.get(key) for document in documents] for key in keys}


def _show_list(runs: Sequence[Run], entries: Sequence[Mapping[str, Any]]) -> None:
    console = _console()
    for kind in KINDS:
        table = _table(*kind.titles.values())
        for run, entry in zip(runs, entries, strict=True):
            if isinstance(run.summary, kind.summary):
                table.add_row(*(_text(entry[key], key) for key in kind.titles))
        if table.row_count:
            console.print(table)
    for run in runs:
        if run.problem:
            console.print(f"{run.name}  [yellow]{escape(run.problem)}[/]", soft_wrap=True)


def _show_comparison(summaries: Sequence[RunSummary]) -> None:
    console = _console()
    names = [summary.run_id for summary in summaries]
    differing = differences(summaries)
    if differing:
        console.print(_rows("differs", names, differing))
    else:
        console.print("\nthe settings and the data are the same")
    console.print(_rows("results", names, measurements(summaries)))
    if not same_test_rows(summaries):
        console.print("[yellow]the runs may have different test rows, so their figures may not be comparable[/]")
    if not same_space(summaries):
        console.print(
            "[yellow]silhouettes of different spaces are not comparable; for runs on the same columns, those of "
            "chosen.full_silhouette and chosen.full_macro_silhouette are[/]"
        )
    if any(summary.dataset.synthetic for summary in summaries):
        console.print("[yellow]the synthetic sample does not show what a bank would see[/]")


def _console() -> Console:
    return Console(width=_WIDTH, highlight=False)


def _rows(title: str, names: Sequence[str], values: Mapping[str, Sequence[Any]]) -> Table:
    table = _table(title, *names)
    for key, line in values.items():
        table.add_row(key, *(_text(value, key) for value in line))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _text(value: Any, key: str) -> str:
    if value is None or value == []:
        return "-"
    if key == "seconds":
        return f"{value:.0f}"
    if key in _DIGESTS:
        return value[:_SHORT] + "+" * value.endswith("+")
    if isinstance(value, list):
        return escape(", ".join(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if isinstance(value, float) else escape(str(value))
