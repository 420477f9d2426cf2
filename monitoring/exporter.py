"""Exports to Prometheus what a model server does not: `python -m monitoring.exporter`.

A sidecar for TensorFlow Serving or the embedded server: memory and CPU of the serving process, the state of each
version, a golden request, the quality of the served version when it was pushed, and drift. Everything is measured
when Prometheus asks. A server that is down makes gauges 0 or absent, never an error.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server

from monitoring import pushed
from monitoring.collector import ModelCollector, Settings

log = logging.getLogger("monitoring.exporter")


def serve(settings: Settings, host: str, port: int) -> None:
    """Answers scrapes until SIGTERM or SIGINT. Raises OSError where the port is taken."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(ModelCollector(settings))
    server, _ = start_http_server(port, host, registry)
    log.info("metrics at http://%s:%d/metrics", host, port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    server.shutdown()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring.exporter", description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="http://localhost:8501", help="default %(default)s")
    parser.add_argument("--model", default="purchase-model", help="default %(default)s")
    parser.add_argument("--models", type=Path, default=pushed.MODELS, help="folder of version folders")
    parser.add_argument("--runs", type=Path, default=pushed.RUNS, help="folder of pipeline runs")
    parser.add_argument("--watch", type=Path, metavar="FOLDER", help="measure the drift of CSV files put here")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at, default %(default)s")
    parser.add_argument("--port", type=int, default=9109, help="default %(default)s")
    arguments = vars(parser.parse_args())
    host, port = arguments.pop("host"), arguments.pop("port")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    try:
        serve(Settings(**arguments), host, port)
    except OSError as error:
        log.error("cannot listen at %s:%d: %s", host, port, error.strerror)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
