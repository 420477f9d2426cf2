"""Exports to Prometheus what a model server does not tell: `python -m monitoring.exporter`.

The exporter runs beside TensorFlow Serving or the embedded server. It exports memory and CPU of the serving process
and, for each model that was pushed, the state of each version, the result of a golden request, the quality of the
served version on its test split, and drift. It measures when Prometheus scrapes it. While the server is down, gauges
are 0 or absent.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server

from data.command import DONE, guarded
from data.errors import NotReadyError
from data.paths import ARTIFACTS
from monitoring.collector import ServerCollector, Settings

log = logging.getLogger("monitoring.exporter")


def serve(settings: Settings, host: str, port: int) -> None:
    """Answers scrapes until SIGTERM or SIGINT.

    Raises:
      NotReadyError: the port cannot be opened.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(ServerCollector(settings))
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise NotReadyError(f"cannot listen at {host}:{port}: {error.strerror}") from error
    log.info("metrics at http://%s:%d/metrics", host, port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    server.shutdown()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring.exporter", description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="http://localhost:8501", help="URL of the server, default %(default)s")
    parser.add_argument("--model", help="name of the only model to watch, default every model in artifacts/serving")
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="as given to pipeline.run")
    parser.add_argument(
        "--watch", type=Path, metavar="FOLDER", help="measure the drift of the CSV files in this folder"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on, default %(default)s")
    parser.add_argument("--port", type=int, default=9109, help="port to listen on, default %(default)s")
    arguments = parser.parse_args()
    settings = Settings(arguments.server, arguments.artifacts, arguments.model, arguments.watch)

    def body() -> int:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
        serve(settings, arguments.host, arguments.port)
        return DONE

    return guarded(body)


if __name__ == "__main__":
    raise SystemExit(main())
