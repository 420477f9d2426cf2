"""Shows the monitoring on one machine, without Docker: `python -m monitoring`.

Starts the embedded server, the exporter and a real Prometheus on loopback, sends customers to the server, and prints
where to look. With `--server` it watches a server that runs already, and sends it nothing.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis.profile import Profile
from data.command import DONE, guarded
from data.errors import ServiceError
from data.paths import ARTIFACTS
from monitoring import query
from monitoring.load import Load, demonstration_customers
from monitoring.stack import Ports, Stack, Watched

CUSTOMERS = 20_000
SEED = 2
REPORT_SECONDS = 15


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__.splitlines()[0])
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="as given to pipeline.run")
    parser.add_argument("--model", help="name of the only model to serve, default every model in artifacts/serving")
    parser.add_argument("--rate", type=float, default=20, help="requests per second and model, default %(default)s")
    parser.add_argument("--port", type=int, default=Ports.server, help="port of the server, default %(default)s")
    parser.add_argument(
        "--prometheus-port", type=int, default=Ports.prometheus, help="port of Prometheus, default %(default)s"
    )
    parser.add_argument("--server", metavar="URL", help="watch this server, which runs already; send it no requests")
    parser.add_argument("--desk", metavar="URL", help="watch this campaign desk too")
    parser.add_argument("--desk-key", type=Path, metavar="FILE", help="with a key of the desk, where it asks for keys")
    arguments = parser.parse_args()
    artifacts = arguments.artifacts.resolve()
    # Beside a server that runs already, another exporter may run too, and nobody has to know the port of this one.
    exporter = _free_port() if arguments.server else Ports.exporter
    ports = Ports(arguments.port, exporter, arguments.prometheus_port)
    watched = Watched(arguments.server, arguments.desk, arguments.desk_key)
    stack = Stack(artifacts, artifacts / "monitoring", arguments.model, ports, watched=watched)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that every process is stopped
    return guarded(lambda: _run(stack, Console(), arguments.rate))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _run(stack: Stack, console: Console, rate: float) -> int:
    """Sends customers until Ctrl-C and prints from time to time what Prometheus knows."""
    try:
        with ExitStack() as running:
            with console.status("starting the exporter and Prometheus ..."):
                running.enter_context(stack)
            _show(stack, console)
            loads = []
            if stack.watched.server:
                console.print("Ctrl-C stops everything\n")
                signal.pause()
            for name in stack.names():
                customers = demonstration_customers(Profile.of_version(stack.version(name)), CUSTOMERS, SEED)
                loads.append(running.enter_context(Load(stack.server_url, name, customers, rate)))
            console.print(f"sending {rate:g} requests per second to each model; Ctrl-C stops everything\n")
            while True:
                time.sleep(REPORT_SECONDS)
                answered, failed = sum(load.answered for load in loads), sum(load.failed for load in loads)
                console.print(f"{answered} requests answered, {failed} failed; {_state(stack)}")
    except KeyboardInterrupt:
        console.print("stopped")
    return DONE


def _show(stack: Stack, console: Console) -> None:
    table = Table(show_header=False, box=None)
    for what, where in (
        *(("predictions", f"{stack.server_url}/v1/models/{name}:predict") for name in stack.names()),
        ("server's metrics", f"{stack.server_url}/monitoring/prometheus/metrics"),
        ("exporter's metrics", f"{stack.exporter_url}/metrics"),
        *((("desk's metrics", f"{stack.watched.desk}/metrics"),) if stack.watched.desk else ()),
        ("Prometheus", f"{stack.prometheus_url}/graph"),
        ("alerts", f"{stack.prometheus_url}/alerts"),
        ("output of each", str(stack.folder)),
    ):
        table.add_row(what, where)
    console.print(table)


def _state(stack: Stack) -> str:
    def value(expression: str, unit: str, decimals: int) -> str:
        series = query.instant(stack.prometheus_url, expression)
        number = series[0].samples[0][1] if series else float("nan")
        return f"{number:.{decimals}f} {unit}" if number == number else "-"

    try:
        p50, p95, p99 = (
            value(f"max(instance_model:prediction_latency_seconds:p{quantile}_5m) * 1000", "ms", 1)
            for quantile in (50, 95, 99)
        )
        memory = value("max(model_server_process_resident_memory_bytes) / 2^20", "MiB", 0)
        firing = query.instant(stack.prometheus_url, 'count by (alertname) (ALERTS{alertstate="firing"})')
    except ServiceError as error:
        return str(error)
    alerts = ", ".join(sorted(series.labels["alertname"] for series in firing)) or "none"
    return f"p50 {p50}, p95 {p95}, p99 {p99}, memory {memory}; alerts firing: {alerts}"


if __name__ == "__main__":
    sys.exit(main())
