"""Our graph beside the stock-component graph, and how ours grows: `python -m benchmarks.pipeline`.

Both train with the same hyperparameters on the same rows, without tuning and without a cache, each in a process of its
own, one after the other in one run. Seconds are wall time by component; peak memory is of the whole process.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data import contract as contracts
from data import reader, sample
from data.contract import Contract
from pipeline.logs import captured
from pipeline.settings import ROOT, Settings

SEED = 42
DATA = ROOT.parent / "shared" / "data" / "bank-full.csv"


def measure(graph: str, data: Path, contract: Contract) -> dict:
    """Runs one graph in this process: seconds by component, CPU seconds and peak MiB."""
    with tempfile.TemporaryDirectory() as scratch:
        artifacts = Path(scratch)
        with captured(artifacts / "log"):
            from pipeline.runners import Stage, run_locally

            if graph == "ours":
                from pipeline.pipeline import create_pipeline

                settings = Settings(
                    data=data, contract=contract, run_id="1", trials=0, seed=SEED, cache=False, artifacts=artifacts
                )
                pipeline = create_pipeline(settings)
            else:
                from benchmarks.stock_graph import create_pipeline

                pipeline = create_pipeline(_with_commas(data, contract, artifacts), contract, SEED, artifacts)
            started, cpu = time.monotonic(), time.process_time()
            stages = [event for event in run_locally(pipeline, "1") if isinstance(event, Stage)]
            return {
                "stages": {stage.name: stage.seconds for stage in stages},
                "seconds": time.monotonic() - started,
                "cpu_seconds": time.process_time() - cpu,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }


def _with_commas(data: Path, contract: Contract, artifacts: Path) -> Path:
    folder = artifacts / "csv"
    folder.mkdir()
    with data.open(newline="") as source, (folder / "rows.csv").open("w", newline="") as target:
        csv.writer(target).writerows(csv.reader(source, delimiter=contract.source.delimiter))
    return folder


def _in_a_process(graph: str, data: Path) -> dict:
    command = [sys.executable, "-m", "benchmarks.pipeline", "--graph", graph, "--data", str(data)]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def compare(data: Path, console: Console) -> None:
    """The two graphs, component by component."""
    ours, stock = (_in_a_process(graph, data) for graph in ("ours", "stock"))
    table = Table("component", "ours, s", "stock, s")
    names = {"ContractExampleGen": "CsvExampleGen", "ContractSchema": "SchemaGen", "AtomicPusher": "Pusher"}
    shown = {names.get(name, name): seconds for name, seconds in ours["stages"].items()}
    for name in dict.fromkeys([*shown, *stock["stages"]]):
        table.add_row(name, *(f"{side[name]:.1f}" if name in side else "-" for side in (shown, stock["stages"])))
    rest = [side["seconds"] - side["stages"]["Trainer"] for side in (ours, stock)]
    table.add_row("all but Trainer", *(f"{seconds:.1f}" for seconds in rest))
    table.add_row("all", f"{ours['seconds']:.1f}", f"{stock['seconds']:.1f}")
    table.add_row("CPU", f"{ours['cpu_seconds']:.1f}", f"{stock['cpu_seconds']:.1f}")
    table.add_row("peak MiB", f"{ours['peak_mib']:.0f}", f"{stock['peak_mib']:.0f}")
    console.print(table)
    console.print(
        f"stock / ours: {stock['seconds'] / ours['seconds']:.1f} in all, {rest[1] / rest[0]:.1f} without the Trainer"
    )


def grow(repeats: list[int], console: Console) -> None:
    """Our graph on ever more rows of the synthetic sample."""
    table = Table("rows", "seconds", "CPU seconds", "CPU ms per row", "peak MiB", "slowest components")
    with tempfile.TemporaryDirectory() as folder:
        for repeat in repeats:
            rows = repeat * sample.ROWS
            data = Path(folder, f"{rows}.csv")
            sample.write(data, rows=rows)
            found = _in_a_process("ours", data)
            slowest = sorted(found["stages"].items(), key=lambda item: -item[1])[:4]
            table.add_row(
                f"{rows:,}",
                f"{found['seconds']:.0f}",
                f"{found['cpu_seconds']:.0f}",
                f"{1000 * found['cpu_seconds'] / rows:.2f}",
                f"{found['peak_mib']:.0f}",
                ", ".join(f"{name} {seconds:.0f} s" for name, seconds in slowest),
            )
    console.print(table)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--growth", nargs="*", type=int, metavar="N", help="our graph on N x 45,211 rows, default 1 10")
    parser.add_argument("--graph", choices=("ours", "stock"), help="run one graph and print its figures as JSON")
    arguments = parser.parse_args()
    if arguments.graph:
        contract = contracts.find(reader.header(arguments.data)[0], str(arguments.data))
        sys.stdout.write(json.dumps(measure(arguments.graph, arguments.data.resolve(), contract)) + "\n")
    elif arguments.growth is not None:
        grow(arguments.growth or [1, 10], Console())
    else:
        compare(arguments.data, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
