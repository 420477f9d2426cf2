"""Command line of the client: `python -m serving.client --help`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from data.command import DONE, guarded
from data.model_folder import ModelFolder
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import ARTIFACTS, serving_folder
from serving.client import DEFAULT_URL, Client


def main(arguments: Sequence[str] | None = None) -> int:
    """Scores a file, or assigns its customers to segments.

    Returns:
      The exit code: 0 done, 1 the server failed, 2 the file or the command line is wrong.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.batch_rows < 1:
        parser.error("--batch-rows: expected at least 1")
    if options.per_segment and not options.segments:
        parser.error("--per-segment: give --segments too")
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    return guarded(partial(_run, options, console), lambda text: console.print(f"serving.client: {text}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.client",
        description="Score a CSV file of customers with the purchase model, or assign its customers to segments.",
    )
    parser.add_argument("source", type=Path, metavar="FILE", help="a CSV file with a header line")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the same rows with the model's outputs"
    )
    parser.add_argument(
        "--segments", action="store_true", help="add segment, name, distance and outlier from the segment model"
    )
    parser.add_argument(
        "--per-segment", type=Path, metavar="FOLDER", help="with --segments: a list of the customers of each segment"
    )
    parser.add_argument(
        "--at-call",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="the value of a column that describes the call, for all rows, such as contact=cellular; the file may lack "
        "the column; may be repeated",
    )
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=ARTIFACTS,
        metavar="FOLDER",
        help="as given to pipeline.run; says how many calls are usual (default: artifacts/)",
    )
    parser.add_argument("--url", default=DEFAULT_URL, help="the server (default: %(default)s)")
    parser.add_argument(
        "--model", help=f"the model's name (default: {PURCHASE_MODEL.name}, with --segments {SEGMENT_MODEL.name})"
    )
    parser.add_argument("--batch-rows", type=int, default=1000, help="rows of one request (default: %(default)s)")
    return parser


def _run(options: argparse.Namespace, console: Console) -> int:
    from data import plan as plans  # imports Arrow, which --help does not need
    from data import reader
    from data.assumed_size import assumed
    from serving.client.score_file import assign_file, score_file

    plan = plans.parse(options.at_call)
    header = reader.header(options.source)[0]
    model = options.model or (SEGMENT_MODEL if options.segments else PURCHASE_MODEL).name
    columns = SpinnerColumn(), TextColumn("{task.completed:,} rows scored"), TimeElapsedColumn()
    started = time.perf_counter()
    segments: Counter[str] = Counter()
    with Client(options.url, model) as client, Progress(*columns, console=console, transient=True) as bar:
        served = client.served()
        usual = assumed(ModelFolder(serving_folder(options.artifacts, model) / served.version), options.artifacts)
        size = usual.values(served.inputs.keys() - {*plan, *header}) if usual else {}
        plan |= {name: str(value) for name, value in size.items()}
        advance = partial(bar.advance, bar.add_task("", total=None))
        if options.segments:
            segments = assign_file(
                client, options.source, options.out, options.per_segment, options.batch_rows, advance, plan
            )
            rows = segments.total()
        else:
            rows = score_file(client, options.source, options.out, options.batch_rows, advance, plan)
    console.print(f"{rows:,} rows scored in {time.perf_counter() - started:.1f} s, written to {options.out}")
    if size and usual:
        values = ", ".join(f"{name} {value:,}" for name, value in size.items())
        console.print(f"assumed: {values}, as usual in {usual.usual.month}; --at-call calls_today=N says otherwise")
    if replaced := [column for column in plan if column in header]:
        console.print(f"--at-call replaced these columns of the file: {', '.join(replaced)}")
    for name, count in segments.most_common():
        console.print(f"  {name}: {count:,} ({count / rows:.1%})")
    if options.per_segment:
        console.print(f"a list for each segment is in {options.per_segment}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
