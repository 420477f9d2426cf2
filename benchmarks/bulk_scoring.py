"""Rows per second and peak memory of scoring a large file: `pipeline.score`, the client of a server, the bare model.

    python -m benchmarks.bulk_scoring                     a million rows of the synthetic sample, the newest model
    python -m benchmarks.bulk_scoring --rows 10000000     ten million
    python -m benchmarks.bulk_scoring --json result.json

Each runs in processes of its own on one core, one after the other. The client sends 100,000 of the rows to
`python -m serving` on the same core. The bare call scores rows that are in memory, in batches of 4,096. Times are
whole commands, without the bare call's imports. The exit code is 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.processes import watch
from data import model_folder, sample
from data.model_folder import CONTRACT, ModelFolder
from data.model_spec import PURCHASE_MODEL, RAW_SIGNATURE
from data.paths import ARTIFACTS, serving_folder
from tests.support.server import ServerProcess

FASTEST = 80_000
"""Bar: rows per second of `pipeline.score` on one core."""
CLIENT_ROWS = 100_000


@dataclass(frozen=True)
class Result:
    """One way of scoring."""

    way: str
    rows: int
    seconds: float
    peak_mb: float | None
    """Resident memory of all processes at most; None where it is not measured."""

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bulk_scoring",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="of the file (default: %(default)s)")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="a version's folder (default: the newest)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    options = parser.parse_args()
    newest = model_folder.newest(serving_folder(ARTIFACTS, PURCHASE_MODEL.name))
    if options.model is None and newest is None:
        parser.error("no model is pushed: python -m pipeline.run")
    model = options.model.resolve() if options.model else newest.path.resolve()  # type: ignore[union-attr]
    os.sched_setaffinity(0, {0})
    with tempfile.TemporaryDirectory(prefix="bulk-") as folder:
        file, part = Path(folder, "synthetic.csv"), Path(folder, "part.csv")
        sample.write(file, options.rows)
        sample.write(part, min(CLIENT_ROWS, options.rows))
        results = [_bare(model, part), _bulk(model, file, options.rows), _client(model, part, options.rows)]
    _show(results)
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    return int(results[1].rows_per_second < FASTEST)


def _bulk(model: Path, file: Path, rows: int) -> Result:
    command = [
        "-m",
        "pipeline.score",
        "--data",
        str(file),
        "--out",
        str(file.with_name("scored")),
        "--model",
        str(model),
    ]
    seconds, peak = _watched(command, stdout=subprocess.DEVNULL)
    return Result("pipeline.score", rows, seconds, peak)


def _client(model: Path, file: Path, rows: int) -> Result:
    flags = [f"--model_name={PURCHASE_MODEL.name}", f"--model_base_path={model.parent}"]
    with ServerProcess(flags, file.with_name("server.log")) as server:
        command = ["-m", "serving.client", str(file), "--out", str(file.with_name("out.csv")), "--url", server.url]
        seconds, _ = _watched(command, stderr=subprocess.DEVNULL)
    return Result("serving.client and server", min(CLIENT_ROWS, rows), seconds, None)


def _bare(model: Path, file: Path) -> Result:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_call, args=(there, model, file))
    process.start()
    rows, seconds = here.recv()
    process.join()
    return Result("the bare SavedModel call", rows, seconds, None)


def _call(pipe: Connection, model: Path, file: Path) -> None:
    """Scores the rows of a file that is in memory; sends their number and the seconds."""
    import numpy as np
    import tensorflow as tf

    from data import reader
    from data.contract import Contract, Role

    contract = Contract.model_validate_json(ModelFolder(model).extra(CONTRACT).read_bytes())
    blocks = [block.batch for block in reader.read(file, contract, Role.CUSTOMERS)]
    columns = {
        name: np.concatenate([block[name].to_numpy(zero_copy_only=False) for block in blocks])
        for name in blocks[0].schema.names
    }
    predict = tf.saved_model.load(str(model)).signatures[RAW_SIGNATURE]
    rows = sum(block.num_rows for block in blocks)

    def score(start: int) -> None:
        predict(**{name: tf.constant(column[start : start + 4096]) for name, column in columns.items()})

    score(0)
    started = time.perf_counter()
    for start in range(0, rows, 4096):
        score(start)
    pipe.send((rows, time.perf_counter() - started))


def _watched(command: Sequence[str], **streams: int) -> tuple[float, float]:
    """Seconds of a Python command, and the most memory of it and its children in MB."""
    process = psutil.Popen([sys.executable, *command], **streams)
    use = watch(process)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return use.seconds, use.peak_bytes / 1e6


def _show(results: list[Result]) -> None:
    table = Table()
    for name in ("way", "rows", "seconds", "rows/s", "of the bare call", "peak MB"):
        table.add_column(name, justify="left" if name == "way" else "right")
    bare = results[0].rows_per_second
    for result in results:
        peak = "" if result.peak_mb is None else f"{result.peak_mb:,.0f}"
        share = f"{result.rows_per_second / bare:.2f}"
        table.add_row(
            result.way, f"{result.rows:,}", f"{result.seconds:.1f}", f"{result.rows_per_second:,.0f}", share, peak
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
