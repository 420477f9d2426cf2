"""Command line of the client: `python -m serving.client --help`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from data.command import DONE, guarded
from data.model_spec import PURCHASE_MODEL
from serving.client import DEFAULT_URL, Client


def main(arguments: Sequence[str] | None = None) -> int:
    """Scores a file.

    Returns:
      The exit code: 0 done, 1 the server failed, 2 the file or the command line is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m serving.client", description="Score a CSV file of customers.")
    parser.add_argument("source", type=Path, metavar="FILE", help="a CSV file with a header line")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the same rows with the model's outputs"
    )
    parser.add_argument("--url", default=DEFAULT_URL, help="the server (default: %(default)s)")
    parser.add_argument("--model", default=PURCHASE_MODEL.name, help="the model's name (default: %(default)s)")
    parser.add_argument("--batch-rows", type=int, default=1000, help="rows of one request (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.batch_rows < 1:
        parser.error("--batch-rows: expected at least 1")
    console = Console(stderr=True)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    def score() -> int:
        from serving.client.score_file import score_file  # imports Arrow, which --help does not need

        columns = SpinnerColumn(), TextColumn("{task.completed:,} rows scored"), TimeElapsedColumn()
        started = time.perf_counter()
        with Client(options.url, options.model) as client, Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=None)
            rows = score_file(
                client, options.source, options.out, options.batch_rows, lambda count: bar.advance(task, count)
            )
        say(f"{rows:,} rows scored in {time.perf_counter() - started:.1f} s, written to {options.out}")
        return DONE

    return guarded(score, lambda text: say(f"serving.client: {text}"))


if __name__ == "__main__":
    sys.exit(main())
