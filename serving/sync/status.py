"""What the sidecar says of itself: metrics for Prometheus, and whether it is ready."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from data.errors import BadOptionError
from serving.sync.folder import Pass


class Status:
    """The state of the sidecar.

    Attributes:
      ready: whether the folder has been brought up to the store once.
      registry: of the metrics.
    """

    def __init__(self) -> None:
        self.ready = False
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._versions = Gauge(
            "model_sync_versions", "Versions in the folder of the server.", ["model_name"], registry=self.registry
        )
        self._success = Gauge(
            "model_sync_last_success_timestamp_seconds",
            "When a pass last ended without a failure; before the first one, when the process began.",
            registry=self.registry,
        )
        self._failures = Counter("model_sync_failures", "What did not succeed.", registry=self.registry)
        self._bytes = Counter("model_sync_downloaded_bytes", "Downloaded from the store.", registry=self.registry)
        self._success.set(time.time())

    def passed(self, passes: list[Pass]) -> None:
        """Takes in a pass over all models, which reached its end."""
        for one in passes:
            self._versions.labels(one.model).set(len(one.present))
            self._bytes.inc(one.bytes)
            self._failures.inc(len(one.failures))
        self.ready = True
        if not any(one.failures for one in passes):
            self._success.set(time.time())

    def failed(self) -> None:
        """Takes in a pass that ended early."""
        self._failures.inc()


def serve(status: Status, host: str, port: int) -> ThreadingHTTPServer:
    """Answers `/metrics`, `/livez` and `/readyz` in threads of its own.

    Raises:
      BadOptionError: the port cannot be opened.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(status.registry))
            elif self.path == "/livez" or (self.path == "/readyz" and status.ready):
                self._answer(200, "text/plain", b"ok\n")
            elif self.path == "/readyz":
                self._answer(503, "text/plain", b"the folder has not been brought up to the store yet\n")
            else:
                self._answer(404, "text/plain", b"there are /metrics, /livez and /readyz\n")

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Probes and scrapes are not worth a line."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise BadOptionError(f"cannot listen on {host} port {port}: {error.strerror}; choose others") from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
