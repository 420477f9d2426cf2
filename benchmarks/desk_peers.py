"""Compares `POST /api/score` of the desk with two usual web APIs around the same model, in one run on one machine.

    python -m benchmarks.desk_peers [--artifacts=FOLDER] [--seconds=4] [--rounds=5]

All answer the same rows with the same SavedModel. The desk asks `python -m serving`, and logs requests to the
PostgreSQL server to which the second peer writes. Load, servers and database share the cores. Rounds alternate between
the servers, and each ratio is the median over rounds, because other work on the machine moves every figure.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

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
            _load(address, bodies["1"], 1, 1.0)
        rounds = [
            {
                (who, rows): _load(address, bodies[rows], connections, options.seconds)
                for rows, connections in LOADS.items()
                for who, address in addresses.items()
            }
            for _ in range(options.rounds)
        ]
    _print(rounds)


def _bodies(model: ModelFolder, data: Path, work: Path) -> dict[str, Path]:
    """Files with request bodies, by rows of a request."""
    contract = Contract.model_validate_json(model.extra(CONTRACT).read_bytes())
    with data.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file, delimiter=contract.source.delimiter)
        rows = [
            {name: float(line[name]) if name in contract.numeric else line[name] for name in contract.features()}
            for _, line in zip(range(ROWS), lines, strict=False)
        ]
    files = {"1": work / "single.json", "1000": work / "thousand.json"}
    files["1"].write_text(json.dumps([json.dumps({"instances": [row]}) for row in rows]))
    files["1000"].write_text(json.dumps([json.dumps({"instances": rows})]))
    return files


@contextmanager
def _servers(
    artifacts: Path, model: ModelFolder, database: postgresql.PostgresProcess, work: Path
) -> Iterator[dict[str, tuple[int, str]]]:
    """Starts the servers; gives port and path of each."""
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
        yield {"desk": (desk, score), "FastAPI": (first, score), "Flask": (second, score), DIRECT: (server, path)}
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


def _load(address: tuple[int, str], bodies: Path, connections: int, seconds: float) -> dict:
    port, path = address
    arguments = [str(port), path, str(bodies), str(connections), str(seconds)]
    done = subprocess.run([sys.executable, HERE / "serving_load.py", *arguments], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    if set(found["statuses"]) != {"200"}:
        raise RuntimeError(f"port {port} answered {found['statuses']}")
    return found


def _print(rounds: Sequence[dict[tuple[str, str], dict]]) -> None:
    table = Table("load", "server", "bar", "desk's rate over it", "requests/s", "p50 ms", "p99 ms", title="Scoring")
    for rows, connections in LOADS.items():
        for who in ("desk", *BARS, DIRECT):
            ratios = [one["desk", rows]["per_second"] / one[who, rows]["per_second"] for one in rounds]
            shown = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            figures = [
                f"{statistics.median(one[who, rows][name] for one in rounds):,.1f}"
                for name in ("per_second", "p50_ms", "p99_ms")
            ]
            bar = f"{BARS[who]} x" if who in BARS else ""
            load = f"{rows} rows, {connections} connections"
            table.add_row(load, who, bar, "" if who == "desk" else shown, *figures)
    console = Console(width=120)
    console.print(table)
    console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
