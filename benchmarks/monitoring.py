"""What the monitoring costs: memory, CPU and scrape time of the exporter, and CPU that scrapes take from the server.

    python -m benchmarks.monitoring [--seconds=5] [--rounds=6]

The models are the newest ones in artifacts/serving; the load is for the purchase model. Server, exporter and load run
on the same cores. Rounds with and without scrapes alternate. Single rounds differ by more than scrapes cost, so the
cost of a scrape is also measured alone, as CPU time of the serving process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS, ROOT
from monitoring.stack import Ports, Stack
from tests.support.server import free_port

INTERVAL_SECONDS = 5
SCRAPES = 100


class Unwatched(Stack):
    """The server and the exporter, which only this program scrapes."""

    def __enter__(self):
        self.configure()
        self.start("server")
        self.start("exporter")
        return self


def get(url: str) -> float:
    """Seconds that one GET takes."""
    started = time.perf_counter()
    with urllib.request.urlopen(url, timeout=30) as response:
        response.read()
    return time.perf_counter() - started


def cpu_seconds(process: subprocess.Popen) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def scrape_cost(stack: Stack, url: str) -> dict[str, float]:
    """Milliseconds per scrape of the page: wall time, and CPU time of server and exporter."""
    before = {name: cpu_seconds(process) for name, process in stack.processes.items()}
    waits = [get(url) for _ in range(SCRAPES)]
    after = {name: cpu_seconds(process) for name, process in stack.processes.items()}
    return {
        "wall": statistics.median(waits) * 1000,
        **{name: (after[name] - before[name]) / SCRAPES * 1000 for name in after},
    }


def throughput(stack: Stack, bodies: Path, seconds: float, scraped: bool) -> float:
    """Requests per second of sixteen clients with one customer each."""
    stop = threading.Event()

    def scrape() -> None:
        while not stop.is_set():
            get(f"{stack.server_url}/monitoring/prometheus/metrics")
            get(f"{stack.exporter_url}/metrics")
            stop.wait(INTERVAL_SECONDS)

    scraper = threading.Thread(target=scrape)
    if scraped:
        scraper.start()
    command = [sys.executable, ROOT / "benchmarks" / "serving_load.py", str(stack.ports.server)]
    command += [f"/v1/models/{PURCHASE_MODEL.name}:predict", bodies, "16", str(seconds)]
    figures = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    stop.set()
    if scraped:
        scraper.join()
    return figures["requests"] / figures["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        ports = Ports(free_port(), free_port(), free_port())
        with Unwatched(arguments.artifacts.resolve(), work / "stack", ports=ports) as stack:
            bodies = work / "bodies.json"
            golden = stack.version(PURCHASE_MODEL.name).golden_request()
            bodies.write_text(json.dumps([json.dumps({"instances": golden.instances})]))
            rates: dict[bool, list[float]] = {False: [], True: []}
            throughput(stack, bodies, 2, scraped=False)
            for _ in range(arguments.rounds):
                for scraped in rates:
                    rates[scraped].append(throughput(stack, bodies, arguments.seconds, scraped))
            server_page = scrape_cost(stack, f"{stack.server_url}/monitoring/prometheus/metrics")
            exporter_page = scrape_cost(stack, f"{stack.exporter_url}/metrics")
            resident = psutil.Process(stack.processes["exporter"].pid).memory_info().rss / 1e6

    server_share = (server_page["server"] + exporter_page["server"]) / 1000 / INTERVAL_SECONDS
    ratios = [watched / unwatched for watched, unwatched in zip(rates[True], rates[False], strict=True)]
    table = Table(title=f"monitoring, scraped every {INTERVAL_SECONDS} s", show_header=False)
    for what, figure in (
        ("exporter's memory", f"{resident:.0f} MB"),
        ("exporter's CPU", f"{exporter_page['exporter'] / 10 / INTERVAL_SECONDS:.2f} % of a core"),
        ("scrape of the exporter", f"{exporter_page['wall']:.0f} ms"),
        ("scrape of the server", f"{server_page['wall']:.1f} ms"),
        ("server's CPU for both scrapes", f"{server_share:.2%} of a core"),
        ("requests/s without scrapes", f"{statistics.median(rates[False]):.0f}"),
        ("requests/s with scrapes", f"{statistics.median(rates[True]):.0f}"),
        ("ratio, median of rounds", f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"),
    ):
        table.add_row(what, figure)
    Console().print(table)


if __name__ == "__main__":
    main()
