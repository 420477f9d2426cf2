"""Writes the report of a run anew: `python -m report [run]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data.command import captured, one_line
from data.errors import UserError
from data.paths import ARTIFACTS
from report import add_money, build
from report.gather import read_summary

DONE, FAILED, BAD_INPUT = 0, 1, 2

EPILOG = """\
examples:
  python -m report                              of the latest run
  python -m report 20261121-053151 --cost 4     of that run, at four euros a call
  python -m report path/to/artifacts/runs/latest

exit codes: 0 written, 2 no such run, or its artifacts have been pruned, 1 anything else (the run's log says what)
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m report",
        description=__doc__.splitlines()[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", nargs="?", default="latest", help="a run's id or folder (default: latest)")
    add_money(parser)
    parser.add_argument(
        "--artifacts", type=Path, default=ARTIFACTS, metavar="FOLDER", help="where runs are (default: artifacts/)"
    )
    options = parser.parse_args(arguments)
    folder = Path(options.run) if Path(options.run).is_dir() else options.artifacts / "runs" / options.run
    try:
        read_summary(folder)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    log = folder / "pipeline.log"
    with captured(log) as screen:
        try:
            path = build(folder, options.cost, options.margin)
        except UserError as error:
            screen.write(f"{error}\n")
            return BAD_INPUT
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            screen.write(f"the report could not be written: {one_line(error)}; see {log}\n")
            return FAILED
        screen.write(f"{path}\n")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
