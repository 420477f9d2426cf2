"""Goes back to an earlier version of a model: `python -m runs.rollback`."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path

from data.command import DONE, guarded
from data.model_folder import newest
from data.paths import runs_folder, serving_folder
from runs import decisions, summary, versions
from runs.decisions import Decision
from runs.folder import add_options


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m runs.rollback",
        description="Goes back to an earlier version of a model. While a challenger is on trial, or a newer version "
        "than the champion serves, that one is withdrawn; otherwise the champion is, and the version before it is the "
        "champion again. It takes seconds, and no request fails. A withdrawn version stays in "
        f"artifacts/serving/<model>/{versions.WITHDRAWN}; `python -m runs.promote --version N` brings it back.",
    )
    parser.add_argument(
        "--to", type=int, metavar="VERSION", help="go back to this version, and withdraw all newer ones"
    )
    add_options(parser)
    options = parser.parse_args(arguments)
    return guarded(lambda: _roll_back(options.artifacts.resolve(), options.model, options.to))


def _roll_back(artifacts: Path, model: str, to: int | None) -> int:
    before = newest(serving_folder(artifacts, model))
    champion = versions.roll_back(artifacts, model, to)
    if before is None or before.version == champion:
        sys.stdout.write(f"version {champion} of {model} is the champion, and no newer version serves\n")
        return DONE
    run = summary.of_version(runs_folder(artifacts, model), str(before.version))
    decisions.append(
        decisions.ledger(artifacts, model),
        Decision(
            datetime.now(timezone.utc),
            "roll-back",
            ("asked for by command",),
            run_id=run.run_id if run else None,
            version=before.version,
            champion=champion,
        ),
    )
    sys.stdout.write(f"version {before.version} of {model} is withdrawn; version {champion} is the champion\n")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
