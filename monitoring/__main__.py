"""Shows the monitoring on one machine, without Docker: `python -m monitoring`.

Starts the embedded server, which listens on every address, and on loopback the exporter and a real Prometheus; sends
customers, and says where to look.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data.errors import UserError
from monitoring import pushed, query
from monitoring.load import Load, synthetic_customers, takes_synthetic_customers
from monitoring.stack import Ports, Stack

CUSTOMERS = 20_000
SEED = 2
REPORT_SECONDS = 15


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__.splitlines()[0])
    parser.add_argument("--artifacts", type=Path, default=pushed.ROOT / "artifacts", help="as given to pipeline.run")
    parser.add_argument("--rate", type=float, default=20, help="requests per second, default %(default)s")
    parser.add_argument("--port", type=int, default=Ports.server, help="of the server, default %(default)s")
    arguments = parser.parse_args()
    artifacts = arguments.artifacts.resolve()
    models = artifacts / "serving" / "purchase-model"
    stack = Stack(models, artifacts / "runs", artifacts / "monitoring", Ports(arguments.port))
    console = Console()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that nothing is left running
    try:
        with ExitStack() as running:
            with console.status("starting the server, the exporter and Prometheus ..."):
                running.enter_context(stack)
            _show(stack, console)
            _send(stack, console, arguments.rate)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        console.print("stopped")
    return 0


def _show(stack: Stack, console: Console) -> None:
    table = Table(show_header=False, box=None)
    for what, url in (
        ("predictions", f"{stack.server_url}/v1/models/purchase-model:predict"),
        ("server's metrics", f"{stack.server_url}/monitoring/prometheus/metrics"),
        ("exporter's metrics", f"{stack.exporter_url}/metrics"),
        ("Prometheus", f"{stack.prometheus_url}/graph"),
        ("alerts", f"{stack.prometheus_url}/alerts"),
        ("output of each", str(stack.folder)),
    ):
        table.add_row(what, url)
    console.print(table)


def _send(stack: Stack, console: Console, rate: float) -> None:
    """Sends customers until Ctrl-C and says now and then what Prometheus sees."""
    version = pushed.newest(stack.models)
    (golden,) = pushed.golden(version)["instances"]
    if takes_synthetic_customers(golden):
        customers = synthetic_customers(CUSTOMERS, SEED, list(golden))
        console.print(f"sending {rate:g} requests per second with synthetic customers; Ctrl-C stops everything\n")
    else:
        customers = [golden]
        console.print(f"sending {rate:g} requests per second with the model's stored row; Ctrl-C stops everything\n")
    with Load(stack.server_url, "purchase-model", customers, rate) as load:
        while True:
            time.sleep(REPORT_SECONDS)
            console.print(f"{load.answered} requests answered, {load.failed} failed; {_seen(stack)}")


def _seen(stack: Stack) -> str:
    def value(expression: str) -> float:
        found = query.instant(stack.prometheus_url, expression)
        return found[0].samples[0][1] if found else float("nan")

    try:
        quantiles = [value(f"max(instance_model:prediction_latency_seconds:p{q}_5m) * 1000") for q in (50, 95, 99)]
        memory = value("max(model_server_process_resident_memory_bytes)") / 2**20
        firing = query.instant(stack.prometheus_url, 'count by (alertname) (ALERTS{alertstate="firing"})')
    except OSError as error:
        return f"Prometheus does not answer: {error}"
    alerts = ", ".join(sorted(series.labels["alertname"] for series in firing)) or "none"
    p50, p95, p99 = quantiles
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, memory {memory:.0f} MiB; alerts firing: {alerts}"


if __name__ == "__main__":
    sys.exit(main())
