"""What the request log costs POST /api/score, what it loses while its database is down, and how long removals take.

    python -m benchmarks.request_log [--seconds=4] [--rounds=8] [--rows=1000000]

The desks run on SQLite and on a PostgreSQL of their own, beside one whose log takes nothing, before one model server.
Each round tries all desks, each time another one first, and each ratio is the median over rounds, because other work on
the machine moves every figure, CPU times least. `off again` is a second desk whose log takes nothing, and its ratio
shows how far. A request has one row.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, func, insert, select

from benchmarks.processes import cpu, cpu_with_children
from benchmarks.serving import HERE, model_and_rows
from campaigns import forgetting
from campaigns.records import Customer, Scored, Terms
from campaigns.request_log import key
from campaigns.request_log.queue import LogState, RequestLog
from campaigns.request_log.rows import first_number
from campaigns.served import contract_to_json
from campaigns.store import campaigns, customers, removal, tables
from campaigns.store.database import FILE, open_database
from data import contract as contracts
from data.paths import ROOT
from tests.support import postgresql
from tests.support.server import ServerProcess, free_port, request

CONNECTIONS = 32
LOGGED_ROWS = 100_000
FLOOD_ROWS = 400_000
OFF = "log off"
_WITHOUT_LOG = """
from campaigns.request_log.queue import RequestLog
RequestLog.add = lambda log, scored: None
"""
_DESK = """
import sys
from campaigns.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Round:
    """One round of a desk: requests a second, and microseconds of CPU for each in its process, in the writer's, and in
    all processes together, those of the load, the model server and PostgreSQL included."""

    per_second: float
    cpu: float
    writer_cpu: float
    together: float
    p99_ms: float


class Desk:
    """A running desk; `others` says how much CPU time has gone to the processes that desks share."""

    def __init__(self, folder: Path, server: str, database: str | None, logs: bool, others: Callable[[], float]):
        self.port, self._others = free_port(), others
        options = ["--server", server, "--port", str(self.port), "--artifacts", str(folder), "--rate", "1000000000"]
        options += ["--database", database] if database else []
        code = _DESK if logs else _WITHOUT_LOG + _DESK
        self.process = subprocess.Popen([sys.executable, "-c", code, *options], cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not self._lives():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the desk did not start")
            time.sleep(0.2)
        own = psutil.Process(self.process.pid)
        self._processes = own, next(one for one in own.children() if "campaigns.request_log" in one.cmdline())

    def _lives(self) -> bool:
        try:
            return request(f"http://127.0.0.1:{self.port}", "GET", "/livez")[0] == 200
        except OSError:
            return False

    def round(self, bodies: Path, seconds: float) -> Round:
        before = [*map(cpu, self._processes), self._others()]
        arguments = [str(self.port), "/api/score", str(bodies), str(CONNECTIONS), str(seconds)]
        output = subprocess.run(
            [sys.executable, str(HERE / "serving_load.py"), *arguments], capture_output=True, check=True
        ).stdout
        time.sleep(1.6)  # the writer's last batch
        found = json.loads(output)
        assert set(found["statuses"]) == {"200"}, found
        after = [*map(cpu, self._processes), self._others()]
        own, writer, others = (
            (now - earlier) / found["requests"] * 1e6 for now, earlier in zip(after, before, strict=True)
        )
        return Round(found["per_second"], own, writer, own + writer + others, found["p99_ms"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def throughput(work: Path, postgres: postgresql.PostgresProcess, seconds: float, rounds: int, console: Console) -> None:
    """Throughput with the log on, over that with the log off, in alternating rounds."""
    model, rows, about = model_and_rows(work)
    bodies = work / "bodies.json"
    bodies.write_text(json.dumps([json.dumps({"instances": [row]}) for row in rows]))
    shutil.copytree(model, work / "models" / "1")
    flags = ["--model_name=purchase-model", f"--model_base_path={work / 'models'}"]
    with ServerProcess(flags, work / "server.log") as server, ExitStack() as stack:
        shared = psutil.Process(server.process.pid), psutil.Process(postgres.process.pid)

        def others() -> float:
            loads = os.times()
            return loads.children_user + loads.children_system + sum(map(cpu_with_children, shared))

        desks: dict[str, Desk] = {}
        for name, database, logs in (
            (OFF, None, False),
            ("off again", None, False),
            ("SQLite", None, True),
            ("PostgreSQL", postgres.new_database(), True),
        ):
            desks[name] = Desk(work / name, server.url, database, logs, others)
            stack.callback(desks[name].stop)
        found: dict[str, list[Round]] = {name: [] for name in desks}
        for number in range(-1, rounds):
            first = number % len(desks)
            for name in [*desks][first:] + [*desks][:first]:
                one = desks[name].round(bodies, seconds)
                if number >= 0:  # the first round warms up
                    found[name].append(one)
    table = Table(title=f"/api/score, one row, {CONNECTIONS} connections, {rounds} rounds, {about}")
    for heading in (
        "log",
        "per second",
        "ratio",
        "quartiles",
        "desk µs",
        "ratio",
        "writer µs",
        "all µs",
        "ratio",
        "p99 ms",
    ):
        table.add_column(heading, justify="right")
    for name, series in found.items():
        ratios = [one.per_second / off.per_second for one, off in zip(series, found[OFF], strict=True)]
        burdens = [one.cpu / off.cpu for one, off in zip(series, found[OFF], strict=True)]
        sums = [one.together / off.together for one, off in zip(series, found[OFF], strict=True)]
        table.add_row(
            name,
            f"{statistics.median(one.per_second for one in series):,.0f}",
            f"{statistics.median(ratios):.3f}",
            "{:.2f} {:.2f}".format(*statistics.quantiles(ratios, n=4)[::2]),
            f"{statistics.median(one.cpu for one in series):.0f}",
            f"{statistics.median(burdens):.3f}",
            f"{statistics.median(one.writer_cpu for one in series):.1f}",
            f"{statistics.median(one.together for one in series):.0f}",
            f"{statistics.median(sums):.3f}",
            f"{statistics.median(one.p99_ms for one in series):.1f}",
        )
    console.print(table)


def resilience(work: Path, postgres: postgresql.PostgresProcess, console: Console) -> None:
    """100,000 rows with the database stopped in the middle, and 400,000 as fast as they can be reported meanwhile."""
    for name, rows, pause in (("steady", LOGGED_ROWS, 0.0002), ("flood", FLOOD_ROWS, 0.0)):
        database, folder = postgres.new_database(), work / name
        open_database(database, folder).dispose()
        log = RequestLog(database, folder, folder / FILE, b"k" * 32)
        log.start()
        highest = 0
        for number in range(rows):
            if number in (rows // 4, 3 * rows // 4):
                (postgres.stop if number == rows // 4 else postgres.start)()
            log.add(
                Scored(time.time(), f"{number}", "me", None, [f"C{number}"], "purchase-model", "1", [0.5], [1], 0.01)
            )
            if not number % 100:
                highest = max(highest, log.state().spooled_bytes)
                time.sleep(100 * pause)
        while (state := log.state()).queued or state.spooled_bytes:
            time.sleep(0.1)
        log.stop(30)
        state = log.state()
        engine = open_database(database, folder)
        with engine.connect() as connection:
            stored = connection.scalar(select(func.count()).select_from(tables.request_log))
            different = connection.scalar(select(func.count(tables.request_log.c.request.distinct())))
        engine.dispose()
        _report(console, name, rows, state, stored or 0, different or 0, highest)


def _report(console: Console, name: str, sent: int, state: LogState, stored: int, different: int, highest: int) -> None:
    console.print(
        f"{name}: {sent:,} sent, {state.written:,} written, {state.dropped:,} dropped, {stored:,} in the table, "
        f"{different:,} different; at most {highest / 2**20:.1f} MiB in the spool"
    )
    assert state.written + state.dropped == sent
    assert stored == different == state.written


def removals(work: Path, postgres: postgresql.PostgresProcess, rows: int, console: Console) -> None:
    """Time of removing old rows of the log, one customer and an old list, and how long another writer waits for it."""
    for name, database in (("SQLite", None), ("PostgreSQL", postgres.new_database())):
        engine = open_database(database, work / f"removal-{name}")
        _fill_log(engine, rows)
        id = _fill_list(engine, rows)
        with _beside(engine) as waits:
            started = time.monotonic()
            removed = removal.remove_log(engine, datetime.now(timezone.utc) - timedelta(days=30))
            console.print(f"{name}: {removed:,} of {2 * rows:,} rows of the log in {_took(started, waits)}")
        folder = work / f"removal-{name}"
        key.load(folder)
        with _beside(engine) as waits:
            started = time.monotonic()
            forgetting.remove_from_log(engine, folder, f"C{rows // 2}")
            console.print(f"{name}: one customer of the {rows:,} other rows of the log in {_took(started, waits)}")
        started = time.monotonic()
        found = next(one for one in forgetting.find(engine, folder, f"C{rows // 2}") if one.has_any)
        with _beside(engine) as waits:
            forgetting.remove(engine, folder, found, f"C{rows // 2}")
        console.print(f"{name}: one customer of {rows:,} in {_took(started, waits)}")
        with _beside(engine) as waits:
            started = time.monotonic()
            removal.remove_campaign(engine, id, "old")
            console.print(f"{name}: a list of {rows:,} in {_took(started, waits)}")
        engine.dispose()


def _took(started: float, waits: list[float]) -> str:
    return f"{time.monotonic() - started:.1f} s; another writer waited {max(waits, default=0.0):.2f} s at most"


@contextmanager
def _beside(engine: Engine) -> Iterator[list[float]]:
    """Writes a row again and again, and collects how long each took."""
    waits: list[float] = []
    done = threading.Event()
    action = {"request": "", "caller": "", "action": "x", "subject": ""}

    def write() -> None:
        while not done.wait(0.05):
            started = time.monotonic()
            with engine.begin() as connection:
                connection.execute(insert(tables.audit).values(time=datetime.now(timezone.utc), **action))
            waits.append(time.monotonic() - started)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield waits
    finally:
        done.set()
        thread.join()


def _fill_log(engine: Engine, rows: int) -> None:
    """As many old rows as new ones."""
    now = datetime.now(timezone.utc)
    about = {"request": "r" * 32, "caller": "crm", "model": "purchase-model", "version": "1795534306", "seconds": 0.01}
    for start in range(0, 2 * rows, 10_000):
        time_of = now - timedelta(days=40 if start < rows else 1) + timedelta(milliseconds=start)
        chunk = [
            {
                "batch": first_number(time_of),
                "place": place,
                "time": time_of,
                "customer": f"{hash((start, place)):032x}"[-32:],
                **about,
            }
            | {"probability": 0.5, "purchase": 1}
            for place in range(10_000)
        ]
        with engine.begin() as connection:
            connection.execute(insert(tables.request_log), chunk)


def _fill_list(engine: Engine, rows: int) -> int:
    contract = contracts.load(contracts.CONTRACTS / "bank-full.yaml")
    id = campaigns.create(engine, Terms("Spring", 5.0, 100.0), "list.csv", contract_to_json(contract)).id
    cells = dict.fromkeys(contract.features(), "some text")
    for start in range(0, rows, 10_000):
        numbers = range(start + 1, start + 10_001)
        chunk = [Customer(row, f"C{row}", {**cells, "id": f"C{row}"}, row * 0.618 % 1.0, "old", ()) for row in numbers]
        customers.add(engine, id, chunk)
    customers.rank(engine, id)
    campaigns.update(engine, id, state="ranked", rows=rows, scored=rows)
    return id


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=1_000_000, help="to remove (default: %(default)s)")
    parser.add_argument("--only", choices=("throughput", "resilience", "removals"), help="one of the three parts")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder, postgresql.running() as postgres:
        work = Path(folder)
        if options.only in (None, "resilience"):
            resilience(work, postgres, console)
        if options.only in (None, "throughput"):
            throughput(work, postgres, options.seconds, options.rounds, console)
        if options.only in (None, "removals"):
            removals(work, postgres, options.rows, console)


if __name__ == "__main__":
    main()
