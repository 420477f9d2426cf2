"""Compares `POST /api/score` of the desk with two usual web APIs around the same model, in one run on one machine.

    python -m benchmarks.desk_peers [--artifacts=FOLDER] [--seconds=4] [--rounds=5]

All answer the same rows with the same SavedModel. The desk asks `python -m serving`, and logs requests to the
PostgreSQL server to which the second peer writes. Load, servers and database share the cores. Rounds alternate between
the servers, and each ratio is the median over rounds, because other work on the machine moves every figure; it moves
the processor time of a request least. That is of all processes of a server, those of the database left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from data import columns
from data.contract import Contract
from data.model_folder import CONTRACT, ModelFolder, newest
from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS, ROOT, serving_folder
from tests.support import postgresql
from tests.support.server import free_port, request

HERE = Path(__file__).parent
CSV = ROOT.parent / "shared" / "data" / "bank-full.csv"
ROWS = 1_000
LOADS = {"1": 32, "1000": 4}
"""Connections by rows of a request."""
BARS = {"FastAPI": 3, "Flask": 5}
DIRECT = "model server"


class Address(NamedTuple):
    """Where a server answers, and its first process."""

    port: int
    path: str
    pid: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk_peers", description=__doc__.splitlines()[0])
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="where a purchase model was pushed")
    parser.add_argument("--data", type=Path, default=CSV, help="customers with the model's columns")
    parser.add_argument("--seconds", type=float, default=4.0, help="of one round, default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    options = parser.parse_args()
    model = newest(serving_folder(options.artifacts, PURCHASE_MODEL.name))
    if model is None:
        raise SystemExit(f"no version of {PURCHASE_MODEL.name} in {options.artifacts}; push one first")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        work = Path(name)
        bodies = _bodies(model, options.data, work)
        database = stack.enter_context(postgresql.running())
        addresses = stack.enter_context(_servers(options.artifacts, model, database, work))
        for address in addresses.values():
            for body in bodies.values():
                _load(address, body, 1, 1.0)
        rounds = [
            {
                (who, rows): _measured(address, bodies[rows], connections, options.seconds)
                for rows, connections in LOADS.items()
                for who, address in addresses.items()
            }
            for _ in range(options.rounds)
        ]
    _print(rounds)


def _bodies(model: ModelFolder, data: Path, work: Path) -> dict[str, Path]:
    """Files with request bodies, by rows of a request."""
    contract = Contract.model_validate_json(model.extra(CONTRACT).read_bytes())
    read = {name: column[:ROWS].tolist() for name, column in columns.read(data, contract).items()}
    cells = [
        read[name] if name in contract.numeric else [text.decode() for text in read[name]]
        for name in contract.features()
    ]
    rows = [dict(zip(contract.features(), row, strict=True)) for row in zip(*cells, strict=True)]
    files = {"1": work / "single.json", "1000": work / "thousand.json"}
    files["1"].write_text(json.dumps([json.dumps({"instances": [row]}) for row in rows]))
    files["1000"].write_text(json.dumps([json.dumps({"instances": rows})]))
    return files


@contextmanager
def _servers(
    artifacts: Path, model: ModelFolder, database: postgresql.PostgresProcess, work: Path
) -> Iterator[dict[str, Address]]:
    """Starts the servers."""
    server, desk, first, second = (free_port() for _ in range(4))
    mine = work / "artifacts"
    mine.mkdir()
    for name in ("serving", "runs"):
        (mine / name).symlink_to((artifacts / name).absolute())
    peers = [sys.executable, str(HERE / "desk_peer_servers.py")]
    commands = {
        desk: [
            *(sys.executable, "-m", "campaigns", "--start-server", f"--server=http://localhost:{server}"),
            *(f"--port={desk}", f"--artifacts={mine}", f"--database={database.new_database()}"),
        ],
        first: [*peers, "fastapi", str(model.path), str(first)],
        second: [*peers, "flask", str(model.path), str(second), database.new_database()],
    }
    quiet = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen(command, env=quiet, stderr=subprocess.DEVNULL) for command in commands.values()]
    try:
        for port in commands:
            _wait(port)
        path = f"/v1/models/{PURCHASE_MODEL.name}:predict"
        score = "/api/score"
        pids = dict(zip(commands, (process.pid for process in running), strict=True))
        (model_server,) = [pid for pid in _tree(pids[desk]) if f"--rest_api_port={server}" in _command(pid)]
        yield {
            "desk": Address(desk, score, pids[desk]),
            "FastAPI": Address(first, score, pids[first]),
            "Flask": Address(second, score, pids[second]),
            DIRECT: Address(server, path, model_server),
        }
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(60)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if request(f"http://127.0.0.1:{port}", "GET", "/readyz")[0] in (200, 404):  # the peers have no such path
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"no server at port {port}")


def _measured(address: Address, bodies: Path, connections: int, seconds: float) -> dict:
    before = _cpu_seconds(address.pid)
    found = _load(address, bodies, connections, seconds)
    return {**found, "cpu_ms": 1e3 * (_cpu_seconds(address.pid) - before) / found["requests"]}


def _tree(pid: int) -> list[int]:
    """A process and those that it has started."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(file.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(file.parent.name))
    return [pid, *(one for child in children.get(pid, ()) for one in _tree(child))]


def _cpu_seconds(pid: int) -> float:
    ticks = 0
    for one in _tree(pid):
        user, system = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13]
        ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


def _command(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def _load(address: Address, bodies: Path, connections: int, seconds: float) -> dict:
    port, path, _ = address
    arguments = [str(port), path, str(bodies), str(connections), str(seconds)]
    done = subprocess.run([sys.executable, HERE / "serving_load.py", *arguments], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    if set(found["statuses"]) != {"200"}:
        raise RuntimeError(f"port {port} answered {found['statuses']}")
    return found


def _print(rounds: Sequence[dict[tuple[str, str], dict]]) -> None:
    compared = ("desk's rate over it", "its CPU over the desk's")
    table = Table("load", "server", "bar", *compared, "requests/s", "CPU ms", "p50 ms", "p99 ms", title="Scoring")
    for rows, connections in LOADS.items():
        for who in ("desk", *BARS, DIRECT):
            both = [(one["desk", rows], one[who, rows]) for one in rounds]
            rates = [desk["per_second"] / other["per_second"] for desk, other in both]
            costs = [other["cpu_ms"] / desk["cpu_ms"] for desk, other in both]
            figures = [
                f"{statistics.median(other[name] for _, other in both):,.{digits}f}"
                for name, digits in (("per_second", 0), ("cpu_ms", 2), ("p50_ms", 1), ("p99_ms", 1))
            ]
            beside = ["", ""] if who == "desk" else [_ratio(rates), _ratio(costs)]
            bar = f"{BARS[who]} x" if who in BARS else ""
            table.add_row(f"{rows} rows, {connections} connections", who, bar, *beside, *figures)
    console = Console(width=140)
    console.print(table)
    console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _ratio(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    main()
