"""Runs side by side: `python -m runs`, and what differs between some: `python -m runs A B`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data.errors import NotReadyError, UserError, did_you_mean
from data.paths import ARTIFACTS

BAD_INPUT = 2
LISTED = {
    "run": "run_id",
    "data": "dataset.contract",
    "rows": "dataset.rows",
    "synthetic": "dataset.synthetic",
    "split": "dataset.split",
    "AUC": "metrics.test.auc",
    "accuracy": "metrics.test.accuracy",
    "log loss": "metrics.test.log_loss",
    "ECE": "metrics.test.ece",
    "blessed": "gate.blessed",
    "pushed": "pushed.version",
    "seconds": "seconds",
}
"""Columns of the list, and the keys of `summary.json` they show; metrics are those of the test split."""
CHOSEN = ("dataset", "settings", "features", "model.hyperparameters")
"""What somebody decided about a run, or brought to it."""
MEASURED = ("metrics.test", "model.threshold", "model.parameters", "gate.blessed", "pushed.version", "seconds")
TEST_ROWS = ("dataset.contract", "dataset.split", "settings.data_sha256", "settings.quarantine")
"""Where these are equal, metrics are of the same customers."""
_DIGESTS = ("settings.data_sha256", "settings.commit")
_SHORT = 12
"""Letters of a digest that tell it from others."""
_WIDTH = 200
"""More than the tables need: a narrow terminal wraps their lines, and no figure is cut off."""


@dataclass(frozen=True)
class Run:
    """A folder below `artifacts/runs`."""

    name: str
    facts: Mapping[str, Any]
    """`summary.json` by dotted key, see :func:`flatten`; empty if there is none to read."""
    problem: str | None
    """Why there is none."""


def flatten(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, `{"a": {"b": 1}}` becoming `{"a.b": 1}`; a list of texts becomes a key for each."""
    flat = {}
    for name, value in document.items():
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            value = dict.fromkeys(value, True)
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def read(folder: Path) -> Run:
    """A run's summary, whether or not the run came to its end."""
    file = folder / "summary.json"
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Run(folder.name, {}, f"no summary: failed, stopped or still running, see {folder / 'pipeline.log'}")
    except (OSError, ValueError) as error:
        return Run(folder.name, {}, f"{file} cannot be read: {error}")
    if not isinstance(summary, dict) or "run_id" not in summary:
        return Run(folder.name, {}, f"{file} is not the summary of a run")
    return Run(folder.name, flatten(summary), None)


def newest(artifacts: Path, last: int | None = None) -> list[Run]:
    """The runs in an artifacts folder, newest first, at most `last` of them.

    Raises:
      NotReadyError: there is none.
    """
    folders = sorted((path for path in (artifacts / "runs").glob("*") if _is_run(path)), reverse=True)
    if not folders:
        raise NotReadyError(f"no runs in {artifacts}; make one with: .venv/bin/python -m pipeline.run")
    return [read(folder) for folder in folders[:last]]


def named(artifacts: Path, names: Iterable[str]) -> list[Run]:
    """Some runs by their ids.

    Raises:
      NotReadyError: one of them is not there, or has no summary.
    """
    known = [path.name for path in (artifacts / "runs").glob("*")]
    found = []
    for name in names:
        if name not in known:
            raise NotReadyError(f"no run {name!r} in {artifacts}{did_you_mean(name, known)}")
        found.append(read((artifacts / "runs" / name).resolve()))
        if found[-1].problem:
            raise NotReadyError(found[-1].problem)
    return found


def differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """What was chosen differently: the value in each run, None where a run has none."""
    return {key: values for key, values in _side_by_side(runs, CHOSEN).items() if any(v != values[0] for v in values)}


def measurements(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """What came of it, on the test split: the value in each run, None where a run has none."""
    return _side_by_side(runs, MEASURED)


def same_test_rows(runs: Sequence[Run]) -> bool:
    """Whether the test split is known to hold the same customers in all runs."""
    customers = [[run.facts.get(key) for key in TEST_ROWS] for run in runs]
    return None not in customers[0] and all(rows == customers[0] for rows in customers)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m runs",
        description="Lists runs, newest first; or, of the runs named, what was chosen differently and what came of it.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="ids of two or more runs to compare; latest is one too")
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, metavar="FOLDER", help="default: artifacts/")
    parser.add_argument("--last", type=int, metavar="N", help="list only the newest (default: all)")
    parser.add_argument("--json", action="store_true", help="write JSON instead of tables")
    options = parser.parse_args(arguments)
    if len(options.runs) == 1:
        parser.error("one run has nothing to differ from: name two or more, or none for the list")
    if options.last is not None and (options.runs or options.last < 1):
        parser.error("--last takes at least 1, and no runs beside it")
    try:
        if options.runs:
            runs = named(options.artifacts, options.runs)
            show, content = _show_comparison, _comparison(runs)
        else:
            runs = newest(options.artifacts, options.last)
            show, content = _show_list, [_entry(run) for run in runs]
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    if options.json:
        sys.stdout.write(json.dumps(content, indent=1) + "\n")
    else:
        show(runs, Console(width=_WIDTH, highlight=False))
    return 0


def _is_run(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _side_by_side(runs: Sequence[Run], prefixes: Sequence[str]) -> dict[str, list[Any]]:
    keys = dict.fromkeys(key for run in runs for key in run.facts)
    chosen = [key for prefix in prefixes for key in keys if f"{key}.".startswith(f"{prefix}.")]
    return {key: [run.facts.get(key) for run in runs] for key in chosen}


def _entry(run: Run) -> dict[str, Any]:
    if run.problem:
        return {"run_id": run.name, "problem": run.problem}
    return {key: run.facts.get(key) for key in LISTED.values()}


def _comparison(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "runs": [run.name for run in runs],
        "differences": differences(runs),
        "measurements": measurements(runs),
        "same_test_rows": same_test_rows(runs),
    }


def _show_list(runs: Sequence[Run], console: Console) -> None:
    table = _table(*LISTED)
    for run in runs:
        if not run.problem:
            table.add_row(*(_text(run.facts.get(key), key) for key in LISTED.values()))
    if table.row_count:
        console.print(table)
    for run in runs:
        if run.problem:
            console.print(f"{run.name}  [yellow]{escape(run.problem)}[/]", soft_wrap=True)


def _show_comparison(runs: Sequence[Run], console: Console) -> None:
    chosen = differences(runs)
    if chosen:
        console.print(_rows("chosen", runs, chosen))
    else:
        console.print("\nnothing was chosen differently")
    console.print(_rows("on test", runs, measurements(runs)))
    if not same_test_rows(runs):
        console.print("[yellow]not known to be the same test rows: the figures may be of different customers[/]")
    if any(run.facts.get("dataset.synthetic") for run in runs):
        console.print("[yellow]figures of the synthetic sample are not what a bank would see[/]")


def _rows(title: str, runs: Sequence[Run], values: Mapping[str, Sequence[Any]]) -> Table:
    table = _table(title, *(run.name for run in runs))
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
    if value is None:
        return "-"
    if key == "seconds":
        return f"{value:.0f}"
    if key in _DIGESTS:
        return value[:_SHORT] + "+" * value.endswith("+")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if isinstance(value, float) else escape(str(value))


if __name__ == "__main__":
    sys.exit(main())
