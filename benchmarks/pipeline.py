"""Compares our graph with a graph of TFX's own components: `python -m benchmarks.pipeline`.

Both train with the same hyperparameters on the same rows, without tuning and without a cache, each in its own process,
one after the other. Seconds by component are wall time. The CPU seconds of the whole do not depend on the load of the
machine. Peak memory is of the whole process. The two graphs split the rows differently, so part of the difference in
AUC is chance.
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
from data import reader
from data.command import captured
from data.contract import Contract
from data.paths import ROOT
from pipeline.settings import PurchaseSettings, Settings, TrainingData

SEED = 42
DATA = ROOT.parent / "shared" / "data" / "bank-full.csv"


def measure(graph: str, data: Path, contract: Contract) -> dict:
    """Runs one graph in this process; returns seconds by component, CPU seconds, peak MiB and AUC on its test split."""
    with tempfile.TemporaryDirectory() as scratch:
        artifacts = Path(scratch)
        with captured(artifacts / "log"):
            from pipeline.runners.local import local_environment, run_locally
            from runs.summary import Stage

            if graph == "ours":
                from pipeline.graphs.purchase import create_pipeline

                spec = PurchaseSettings(trials=0, seed=SEED, benchmark=False)
                settings = Settings(TrainingData(data, contract), "1", spec, artifacts, cache=False)
                pipeline = create_pipeline(spec, settings.data, local_environment(settings))
            else:
                from benchmarks.stock_graph import create_pipeline

                pipeline = create_pipeline(_with_commas(data, contract, artifacts), contract, SEED, artifacts)
            started, cpu = time.monotonic(), time.process_time()
            stages, peaks = [], {}
            for event in run_locally(pipeline, "1"):
                if isinstance(event, Stage):
                    stages.append(event)
                    peaks[event.name] = _peak_mib()
            return {
                "stages": {stage.name: stage.seconds for stage in stages},
                "seconds": time.monotonic() - started,
                "cpu_seconds": time.process_time() - cpu,
                "peaks_mib": peaks,
                "peak_mib": _peak_mib(),
                "auc": _auc(artifacts),
            }


def _peak_mib() -> float:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _auc(artifacts: Path) -> float:
    from modules.evaluation_result import slice_figures

    (evaluation,) = artifacts.glob("tfx/**/Evaluator/evaluation/*")
    return slice_figures(str(evaluation))[()]["auc"]


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


def compare(data: Path, console: Console) -> dict:
    """Prints the two graphs component by component; returns the figures of both."""
    ours, stock = (_in_a_process(graph, data) for graph in ("ours", "stock"))
    table = Table("component", "ours, s", "stock, s")
    names = {"ContractExampleGen": "CsvExampleGen", "ContractSchema": "SchemaGen", "AtomicPusher": "Pusher"}
    renamed = {names.get(name, name): seconds for name, seconds in ours["stages"].items()}
    for name in dict.fromkeys([*renamed, *stock["stages"]]):
        table.add_row(name, *(f"{side[name]:.1f}" if name in side else "-" for side in (renamed, stock["stages"])))
    rest = [side["seconds"] - side["stages"]["Trainer"] for side in (ours, stock)]
    table.add_row("all but Trainer", *(f"{seconds:.1f}" for seconds in rest))
    table.add_row("all", f"{ours['seconds']:.1f}", f"{stock['seconds']:.1f}")
    table.add_row("CPU", f"{ours['cpu_seconds']:.1f}", f"{stock['cpu_seconds']:.1f}")
    table.add_row("peak MiB", f"{ours['peak_mib']:.0f}", f"{stock['peak_mib']:.0f}")
    table.add_row("test AUC", f"{ours['auc']:.3f}", f"{stock['auc']:.3f}")
    console.print(table)
    console.print(
        f"stock / ours: {stock['seconds'] / ours['seconds']:.1f} in all, {rest[1] / rest[0]:.1f} without the Trainer, "
        f"{stock['cpu_seconds'] / ours['cpu_seconds']:.1f} in CPU time"
    )
    return {"ours": ours, "stock": stock}


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--graph", choices=("ours", "stock"), help="run one graph and print its figures as JSON")
    arguments = parser.parse_args()
    if arguments.graph:
        contract = contracts.find(reader.header(arguments.data)[0], str(arguments.data))
        sys.stdout.write(json.dumps(measure(arguments.graph, arguments.data.resolve(), contract)) + "\n")
        return 0
    figures = compare(arguments.data, Console())
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
