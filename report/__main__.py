"""Writes the report of a run again: `python -m report [run]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data.command import DONE, captured, guarded
from report import add_money, build
from runs.folder import LATEST, LOG, add_options, run_folder
from runs.summary import read

EPILOG = """\
examples:
  python -m report                              the latest run
  python -m report 20261121-053151 --cost 4     that run, at four euros per call
  python -m report --model segment-model        the latest segmentation
  python -m report path/to/artifacts/runs/purchase-model/latest

exit codes: 0 written, 2 no such run, its artifacts have been pruned, or a wrong option, 1 anything else (details in
the run's log)
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m report",
        description="Writes the report of a run again.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", nargs="?", default=LATEST, help="a run's id or folder (default: latest)")
    add_money(parser)
    add_options(parser)
    options = parser.parse_args(arguments)
    return guarded(lambda: _write(options))


def _write(options: argparse.Namespace) -> int:
    given = Path(options.run)
    folder = given.resolve() if given.is_dir() else run_folder(options.artifacts, options.model, options.run)
    read(folder)
    log = folder / LOG
    with captured(log) as screen:

        def say(text: str) -> None:
            screen.write(f"{text}\n")

        def write() -> int:
            say(str(build(folder, options.cost, options.margin)))
            return DONE

        return guarded(write, say, log)


if __name__ == "__main__":
    sys.exit(main())
