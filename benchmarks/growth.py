"""Seconds, CPU time and memory of whole runs of the pipeline, from 45,211 to ten million rows.

    python -m benchmarks.growth                                  all sizes; about half an hour on two quiet cores
    python -m benchmarks.growth --rows 45211 452110 --json figures.json
    python -m benchmarks.growth --draw figures.json              only the picture, benchmarks/growth.svg

Each run is a `python -m pipeline.run --no-benchmark` of its own on synthetic rows, with the Tuner and without a cache,
one after the other. CPU time and memory are those of all its processes. The sample is the same customers whatever its
size, so more rows can only add what chance had left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.processes import watch
from data import sample
from data.paths import ROOT
from runs.summary import PurchaseSummary, RunSummary

SIZES = (45_211, 452_110, 2_260_550, 10_000_000)
PICTURE = ROOT / "benchmarks" / "growth.svg"


@dataclass(frozen=True)
class Grown:
    """One run.

    Attributes:
      rows: of the file.
      seconds, cpu_seconds: of the whole command, the CPU seconds of all its processes.
      peak_mib: resident memory of all its processes together, at most.
      stages: seconds by component.
      auc: on the test split.
    """

    rows: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    stages: dict[str, float]
    auc: float


def measure(rows: int) -> Grown:
    """Runs the pipeline on that many rows of the sample.

    Raises:
      SystemExit: the run failed.
    """
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        data, artifacts = Path(folder, "synthetic.csv"), Path(folder, "artifacts")
        sample.write(data, rows=rows)
        command = [sys.executable, "-m", "pipeline.run", "--data", data, "--artifacts", artifacts, "--no-benchmark"]
        with Path(folder, "log").open("w") as log:
            process = psutil.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
            use = watch(process)
        if process.returncode:
            raise SystemExit(f"{rows:,} rows: exit code {process.returncode}\n{Path(folder, 'log').read_text()}")
        (file,) = artifacts.glob("runs/*/latest/summary.json")
        summary = RunSummary.from_json(file.read_text())
    assert isinstance(summary, PurchaseSummary)
    auc = summary.metrics["test"].auc
    assert auc is not None
    stages = {stage.name: stage.seconds for stage in summary.stages}
    return Grown(rows, use.seconds, use.cpu_seconds, use.peak_bytes / 2**20, stages, auc)


def show(found: Sequence[Grown], console: Console) -> None:
    """Prints the runs side by side."""
    table = Table("", *(f"{one.rows:,} rows" for one in found))
    for name in found[-1].stages:
        if max(one.stages[name] for one in found) >= 1:
            table.add_row(f"{name}, s", *(f"{one.stages[name]:.1f}" for one in found))
    table.add_row("all, s", *(f"{one.seconds:.0f}" for one in found))
    table.add_row("CPU, s", *(f"{one.cpu_seconds:.0f}" for one in found))
    table.add_row("CPU, µs a row", *(f"{1e6 * one.cpu_seconds / one.rows:.0f}" for one in found))
    table.add_row("peak, MiB", *(f"{one.peak_mib:.0f}" for one in found))
    table.add_row("test AUC", *(f"{one.auc:.4f}" for one in found))
    console.print(table)


def draw(found: Sequence[Grown], file: Path) -> None:
    """Draws seconds, CPU time and peak memory over rows."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"  # the same figures give the same file
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    rows = [one.rows for one in found]
    left.plot(rows, [one.seconds for one in found], "o-", label="whole run")
    left.plot(rows, [one.stages["Tuner"] + one.stages["Trainer"] for one in found], "s--", label="Tuner and Trainer")
    left.plot(rows, [one.cpu_seconds for one in found], "^:", label="CPU time of all processes")
    left.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds")
    left.legend()
    right.plot(rows, [one.peak_mib / 1024 for one in found], "o-")
    right.set(xscale="log", xlabel="rows", ylabel="peak memory of all processes, GiB", ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(file, metadata={"Date": None})


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", type=int, default=SIZES, metavar="N", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the figures of FILE instead of measuring")
    options = parser.parse_args()
    if options.draw:
        found = [Grown(**one) for one in json.loads(options.draw.read_text())]
    else:
        found = [measure(rows) for rows in options.rows]
        show(found, Console())
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    draw(found, PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
