"""CPU time of a row of the request log, by the process that spends it.

    python -m benchmarks.request_log_cost [--rows=50000] [--rounds=5]

A desk's process does some work for each request, in turns with and without its log; the difference is the desk's part,
garbage collections and the log's thread included. The writer and PostgreSQL's processes are asked for their CPU time
before and after. CPU time is right on a busy machine too, where throughput is not. A request has one row with an
identifier and without inputs, about 7,000 come in a second.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.processes import cpu, cpu_with_children
from campaigns.records import Scored
from campaigns.request_log.queue import RequestLog
from campaigns.running import COLLECT_AFTER
from campaigns.store.database import FILE, open_database
from tests.support import postgresql

AT_ONCE, PAUSE_SECONDS = 70, 0.01
"""Requests between two pauses."""


@dataclass(frozen=True)
class Cost:
    """Microseconds of CPU for each row: of the desk with its log less those without, of the writer, of PostgreSQL."""

    desk: float
    writer: float
    database: float

    @property
    def total(self) -> float:
        return self.desk + self.writer + self.database


def requests(number: int, body: bytes, log: Callable[[Scored], None]) -> float:
    """CPU seconds of this process for some requests."""
    began = time.process_time()
    for place in range(number):
        rows = orjson.loads(body)["instances"]
        orjson.dumps({"inputs": {name: [row[name] for row in rows] for name in rows[0]}})
        chance = (place % 997) / 997
        about = f"{place:032x}", "this machine", None, [f"C{place}"], "purchase-model", "1795534306"
        log(Scored(time.time(), *about, [chance], [int(chance > 0.5)], 0.0031))
        if not place % AT_ONCE:
            time.sleep(PAUSE_SECONDS)
    return time.process_time() - began


def measure(database: str | None, server: psutil.Process, folder: Path, rows: int, rounds: int) -> Cost:
    """The medians over rounds."""
    open_database(database, folder).dispose()
    body = orjson.dumps({"instances": [dict.fromkeys("abcdefghijklmno", 0.5)]})
    log = RequestLog(database, folder, folder / FILE, b"k" * 32)
    log.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)  # all of it as the desk does
    costs = []
    for number in range(-1, rounds):
        without = requests(rows, body, lambda _: None)
        (writer,) = (one for one in psutil.Process().children() if "campaigns.request_log" in one.cmdline())
        before = cpu(writer), cpu_with_children(server)
        having = requests(rows, body, log.add)
        while log.state().queued:
            time.sleep(0.05)
        after = cpu(writer), cpu_with_children(server)
        assert log.state().dropped == 0
        if number >= 0:  # the first round warms up
            parts = having - without, after[0] - before[0], after[1] - before[1]
            costs.append(Cost(*(1e6 * part / rows for part in parts)))
    log.stop(30)
    return Cost(*(statistics.median(getattr(one, part) for one in costs) for part in ("desk", "writer", "database")))


def report(costs: Sequence[tuple[str, Cost]], console: Console) -> None:
    table = Table(title="µs of CPU for each row of the request log")
    for heading in ("database", "desk", "writer", "PostgreSQL", "together"):
        table.add_column(heading, justify="right")
    for name, cost in costs:
        table.add_row(name, *(f"{part:.1f}" for part in (cost.desk, cost.writer, cost.database, cost.total)))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=50_000, help="of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgresql.running() as postgres:
        server = psutil.Process(postgres.process.pid)
        costs = [
            (name, measure(database, server, Path(folder) / name, options.rows, options.rounds))
            for name, database in (("SQLite", None), ("PostgreSQL", postgres.new_database()))
        ]
        report(costs, Console())


if __name__ == "__main__":
    main()
