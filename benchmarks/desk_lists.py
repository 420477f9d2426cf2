"""Measures a list on its way through the desk: upload, ranked page, call list with reasons for every customer.

    python -m benchmarks.desk_lists [--artifacts=FOLDER] [--data=CSV] [--rounds=3] [--times=1] [--postgresql]

The desk and `python -m serving` run as in use. Beside each round stands what the model server alone takes for the same
rows, in the same requests, because other work on the machine moves every figure.
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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from campaigns.scoring import BATCH_ROWS
from data import reader
from data.contract import Contract, Role
from data.model_folder import CONTRACT, newest
from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS, ROOT, serving_folder
from tests.support import postgresql
from tests.support.server import free_port

CSV = ROOT.parent / "shared" / "data" / "bank-full.csv"
TERMS = {"name": "benchmark", "cost": "1", "margin": "1000"}
STEPS = {
    "upload": "upload answered",
    "page": "ranked page shown",
    "csv": "call list of all rows with reasons, CSV",
    "xlsx": "the same as XLSX",
    "alone": "model server alone, without reasons",
}
BARS = {"page": "5 s", "csv": "30 s"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk_lists", description=__doc__.splitlines()[0])
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="where a purchase model was pushed")
    parser.add_argument("--data", type=Path, default=CSV, help="the list")
    parser.add_argument("--times", type=int, default=1, help="how often its rows are repeated, default %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    parser.add_argument("--postgresql", action="store_true", help="keep lists in PostgreSQL instead of SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        work = Path(name)
        database = stack.enter_context(postgresql.running()).new_database() if options.postgresql else None
        file = _repeated(options.data, work / "list.csv", options.times)
        desk, server, process = stack.enter_context(_running(options.artifacts, database, work))
        client = stack.enter_context(httpx.Client(base_url=desk, timeout=600))
        rounds = []
        for _ in range(options.rounds):
            rounds.append({**_list(client, file), "alone": _alone(server, options.artifacts, file)})
        peak = _peak_mb(process)
    _print(rounds, peak)


def _repeated(source: Path, target: Path, times: int) -> Path:
    with source.open("rb") as file, target.open("wb") as output:
        output.write(file.readline())
        rows = file.read()
        for _ in range(times):
            output.write(rows)
    return target


@contextmanager
def _running(artifacts: Path, database: str | None, work: Path) -> Iterator[tuple[str, str, subprocess.Popen]]:
    """Starts the desk with its model server; gives their addresses and the desk's process."""
    desk, server = f"http://127.0.0.1:{free_port()}", f"http://localhost:{free_port()}"
    mine = work / "artifacts"
    mine.mkdir()
    for name in ("serving", "runs"):
        (mine / name).symlink_to((artifacts / name).absolute())
    command = [sys.executable, "-m", "campaigns", "--start-server", f"--server={server}", f"--artifacts={mine}"]
    command += [f"--port={desk.rpartition(':')[2]}", *([f"--database={database}"] if database else [])]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                if httpx.get(f"{desk}/readyz").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError("the desk did not start")
            time.sleep(0.2)
        yield desk, server, process
    finally:
        process.terminate()
        process.wait(60)


def _list(client: httpx.Client, file: Path) -> dict[str, float]:
    """Seconds from the start of the upload to the ranked page, and those of each file."""
    found, started = {}, time.perf_counter()
    with file.open("rb") as upload:
        campaign = client.post("/api/campaigns", data=TERMS, files={"file": (file.name, upload)}).raise_for_status()
    found["upload"] = time.perf_counter() - started
    number = campaign.json()["id"]
    while (state := client.get(f"/api/campaigns/{number}").json())["state"] != "ranked":
        if state["state"] == "failed":
            raise RuntimeError(state["problem"])
        time.sleep(0.02)
    client.get(f"/campaigns/{number}").raise_for_status()
    found["page"] = time.perf_counter() - started
    everyone = {**TERMS, "calls": str(state["scored"]), "control_share": "0"}
    client.post(f"/api/campaigns/{number}/terms", data=everyone).raise_for_status()
    client.post(f"/api/campaigns/{number}/freeze").raise_for_status()
    for kind in ("csv", "xlsx"):
        started = time.perf_counter()
        client.get(f"/api/campaigns/{number}/calls.{kind}").raise_for_status()
        found[kind] = time.perf_counter() - started
    return found


def _alone(server: str, artifacts: Path, file: Path) -> float:
    """Seconds in which the model server answers the same requests without the desk."""
    model = newest(serving_folder(artifacts, PURCHASE_MODEL.name))
    assert model is not None
    contract = Contract.model_validate_json(model.extra(CONTRACT).read_bytes())
    names = contract.features()
    bodies = [
        json.dumps({"inputs": {name: block.batch.column(name).slice(start, BATCH_ROWS).to_pylist() for name in names}})
        for block in reader.read(file, contract, Role.CUSTOMERS)
        for start in range(0, block.batch.num_rows, BATCH_ROWS)
    ]
    with httpx.Client(base_url=server, timeout=600) as client:
        started = time.perf_counter()
        for body in bodies:
            client.post(f"/v1/models/{PURCHASE_MODEL.name}:predict", content=body).raise_for_status()
        return time.perf_counter() - started


def _peak_mb(process: subprocess.Popen) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024


def _print(rounds: list[dict[str, float]], peak: float) -> None:
    table = Table("step", "bar", "seconds", "over the model server alone", title="A list on its way through the desk")
    for step, what in STEPS.items():
        seconds = [one[step] for one in rounds]
        ratios = [one[step] / one["alone"] for one in rounds]
        shown = f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
        table.add_row(what, BARS.get(step, ""), shown, f"{statistics.median(ratios):.1f} x")
    console = Console(width=120)
    console.print(table)
    console.print(
        f"peak memory of the desk {peak:.0f} MB; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
