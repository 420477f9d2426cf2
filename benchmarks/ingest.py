"""Rows per second and peak memory of CSV ingestion: ContractExampleGen against TFX's own CsvExampleGen.

    python -m benchmarks.ingest                    both on bank-full repeated 20 times, about 904,000 rows
    python -m benchmarks.ingest --growth           ours at 1, 10 and 50 times
    python -m benchmarks.ingest --workers          ours at 400 times, by one and by two worker processes
    python -m benchmarks.ingest --data my.csv --repeat 1 --json result.json

Both executors read the same file in the same run, each in its own process, with Beam's in-memory runner and the same
three splits. The time is the executor's, without the import of TFX. The CPU seconds do not depend on the load of the
machine. CsvExampleGen reads commas only, so the file is written with commas. Peak memory is of the whole process; the
memory of TFX alone is in its own column. Workers are processes that Beam's portable runner starts; the time is with
their start, CPU seconds and memory are without them. The exit code is 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data import contract as contracts
from data import reader
from data.errors import UserError

DATA = Path("../shared/data/bank-full.csv")
FASTER = 8
"""Bar: rows per second over those of the stock component."""
MEMORY_GIB = 2
"""Bar: peak memory of the process."""
GROWTH = (1, 10, 50)
WORKERS, WORKERS_REPEAT = (1, 2), 400
TWICE = 1.6
"""Bar: rows per second of two workers over those of one."""


@dataclass(frozen=True)
class Result:
    """One executor on one file."""

    engine: str
    """`ours`, `stock`, or ours with a number of workers."""
    rows: int
    seconds: float
    cpu_seconds: float
    """CPU time of all threads."""
    peak_gib: float
    imported_gib: float
    """Peak memory before the executor started."""

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ingest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="FILE", help=f"CSV of a known contract ({DATA})")
    parser.add_argument("--repeat", type=int, default=20, metavar="N", help="repeat its rows N times (20)")
    parser.add_argument("--growth", action="store_true", help=f"measure only ours, at {GROWTH} times")
    parser.add_argument("--workers", action="store_true", help=f"measure only ours, by {WORKERS} workers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    options = parser.parse_args()
    try:
        contract = contracts.find(reader.header(options.data)[0], str(options.data))
    except UserError as error:
        parser.error(str(error))

    if options.workers:
        plan = [(f"{n} workers", WORKERS_REPEAT) for n in WORKERS]
    elif options.growth:
        plan = [("ours", n) for n in GROWTH]
    else:
        plan = [("stock", options.repeat), ("ours", options.repeat)]
    results = []
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        for engine, repeat in plan:
            file = Path(folder, f"x{repeat}", "data.csv")
            rows = _repeat(options.data, file, repeat) if not file.exists() else results[-1].rows
            results.append(_measure(engine, file, contract.model_dump_json(), rows))
    passed = _show(results, options.growth, options.workers)
    if options.json:
        options.json.write_text(
            json.dumps([{**asdict(r), "rows_per_second": r.rows_per_second} for r in results], indent=2) + "\n"
        )
    return 0 if passed else 1


def _repeat(source: Path, target: Path, times: int) -> int:
    """Writes a file's rows several times under one header, separated by commas; returns the number of rows."""
    names, delimiter = reader.header(source)
    target.parent.mkdir()
    with source.open(encoding="utf-8-sig", newline="") as file, target.open("w", encoding="utf-8", newline="") as out:
        rows = list(csv.reader(file, delimiter=delimiter))[1:]
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for _ in range(times):
            writer.writerows(rows)
    return len(rows) * times


def _measure(engine: str, file: Path, contract: str, rows: int) -> Result:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, engine, str(file), contract, rows).result()


def _run(engine: str, file: str, contract: str, rows: int) -> Result:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from tfx.components.example_gen.csv_example_gen.component import CsvExampleGen
    from tfx.proto import example_gen_pb2
    from tfx.types import standard_artifacts

    from modules.examples import SPLITS
    from pipeline.components.example_gen import ContractExampleGen

    beam_args: list[str] = []
    if engine != "stock":
        component = ContractExampleGen(data=file, contract=contract)
        if engine != "ours":
            beam_args = ["--direct_running_mode=multi_processing", f"--direct_num_workers={engine.split()[0]}"]
    else:
        splits = [
            example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=percent)
            for name, percent in zip(SPLITS, (70, 15, 15), strict=True)
        ]
        component = CsvExampleGen(
            input_base=str(Path(file).parent),
            output_config=example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits)),
        )
    executor_class = component.executor_spec.executor_class
    context = executor_class.Context(beam_pipeline_args=beam_args, tmp_dir=tempfile.gettempdir(), unique_id="1")
    artifact = standard_artifacts.Examples()
    with tempfile.TemporaryDirectory() as folder:
        artifact.uri = folder
        imported = _peak_gib()
        start, cpu_start = time.perf_counter(), time.process_time()
        executor_class(context).Do({}, {"examples": [artifact]}, dict(component.exec_properties))
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return Result(engine, rows, seconds, cpu_seconds, _peak_gib(), imported)


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def _show(results: list[Result], growth: bool, workers: bool) -> bool:
    """Prints the table and the bars; returns whether all bars are met."""
    table = Table(title="ContractExampleGen (ours) and CsvExampleGen (stock)")
    for heading in ("", "rows", "seconds", "CPU s", "rows/s", "peak GiB", "TFX alone"):
        table.add_column(heading, justify="right" if heading else "left")
    for result in results:
        table.add_row(
            result.engine,
            f"{result.rows:,}",
            f"{result.seconds:.1f}",
            f"{result.cpu_seconds:.1f}",
            f"{result.rows_per_second:,.0f}",
            f"{result.peak_gib:.2f}",
            f"{result.imported_gib:.2f}",
        )
    console = Console()
    console.print(table)
    first, last = results[0], results[-1]
    ratio = last.rows_per_second / first.rows_per_second
    if workers:
        speed = (f"rows/s by {WORKERS[-1]} workers over {WORKERS[0]}: {ratio:.2f}, bar {TWICE}", ratio >= TWICE)
    elif growth:
        speed = (f"rows/s at {GROWTH[-1]} times over {GROWTH[0]} times: {ratio:.2f}, bar 1", ratio >= 1)
    else:
        speed = (f"rows/s over stock: {ratio:.1f}, bar {FASTER}", ratio >= FASTER)
    memory = (f"peak memory: {last.peak_gib:.2f} GiB, bar below {MEMORY_GIB}", last.peak_gib < MEMORY_GIB)
    for text, met in (speed, memory):
        console.print(f"{text}: {'[green]met' if met else '[red]missed'}")
    return speed[1] and memory[1]


if __name__ == "__main__":
    sys.exit(main())
