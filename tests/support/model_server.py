"""A model server with TensorFlow Serving's REST contract in a thread of the test, whose behaviour tests change."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from data.contract import Contract
from data.model_spec import BASE, CONTRIBUTIONS, EXPLAIN_SIGNATURE, PURCHASE_MODEL, RAW_SIGNATURE, SEGMENT_MODEL

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def probability_of(row: dict[str, Any]) -> float:
    """What `purchase` answers for a row: it rises with the age, and an unknown age is the least likely."""
    return row["age"] / 200 if row["age"] == row["age"] else 0.0


def purchase(row: dict[str, Any]) -> dict[str, Any]:
    return {"probability": probability_of(row), "purchase": 0}


def explanation(row: dict[str, Any]) -> dict[str, Any]:
    """Says that the age alone decides."""
    return {**purchase(row), BASE: -2.0, CONTRIBUTIONS: [float(name == "age") for name in sorted(row)]}


def segment(row: dict[str, Any]) -> dict[str, Any]:
    """Young and old customers."""
    number = int(row["age"] >= 40)
    return {
        "segment": number,
        "name": ("young", "old")[number],
        "distance": 1.0,
        "membership": [0.5, 0.5],
        "outlier": False,
    }


class ModelServer:
    """Serves models; use it as a context manager.

    Attributes:
      url: its address.
      models: by name the model's inputs with their types, and its answer to a row.
      explains: whether the purchase model has the signature `explain`.
      version: that serves of every model; requests to another one get status 404.
      labels: versions by label; requests to an unknown one get status 400.
      requests: rows of each `:predict` request that was answered, with the model's name.
      failures: statuses of the next answers to `:predict`, before requests are answered again.
    """

    def __init__(self, contract: Contract, segments: tuple[str, ...] = ()):
        inputs = {name: "DT_FLOAT" if name in contract.numeric else "DT_STRING" for name in contract.features()}
        self.models: dict[str, tuple[dict[str, str], Answer]] = {PURCHASE_MODEL.name: (inputs, purchase)}
        if segments:
            self.models[SEGMENT_MODEL.name] = ({name: inputs.get(name, "DT_FLOAT") for name in segments}, segment)
        self.explains = False
        self.version = "1"
        self.labels: dict[str, str] = {}
        self.requests: list[tuple[str, list[dict[str, Any]]]] = []
        self.failures: list[int] = []
        self.before: Callable[[], None] = lambda: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def rows(self, model: str = PURCHASE_MODEL.name) -> list[dict[str, Any]]:
        """All rows that a model was asked for, in order."""
        return [row for name, rows in self.requests if name == model for row in rows]

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        target = path.removeprefix("/v1/models/").partition(":")[0]
        name, _, rest = target.partition("/")
        kind, _, asked = rest.removesuffix("/metadata").partition("/")
        if kind == "labels" and asked not in self.labels:
            return 400, {"error": f"Unrecognized servable version label: {asked}"}
        version = {"versions": asked, "labels": self.labels.get(asked, "")}.get(kind, self.version)
        if name not in self.models or version != self.version:
            return 404, {"error": f"Servable not found for request: Specific({name}, {version})"}
        inputs, answer = self.models[name]
        if method == "GET" and not rest:
            status = {"version": self.version, "state": "AVAILABLE", "status": {"error_code": "OK"}}
            return 200, {"model_version_status": [status]}
        if method == "GET":
            signature = {"inputs": {column: {"dtype": kind} for column, kind in inputs.items()}}
            definition = {"signature_def": {"signature_def": {RAW_SIGNATURE: signature}}}
            return 200, {"model_spec": {"name": name, "version": self.version}, "metadata": definition}
        self.before()
        if self.failures:
            status = self.failures.pop(0)
            return status, {"error": f"the model server failed with {status}"}
        document = json.loads(body)
        if document.get("signature_name") == EXPLAIN_SIGNATURE:
            if not self.explains:
                return 400, {"error": 'Serving signature name: "explain" not found in signature def'}
            answer = explanation
        columns = document.get("inputs", {})
        rows = document.get("instances") or [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        self.requests.append((name, rows))
        answers = [answer(row) for row in rows]
        if columns:
            return 200, {"outputs": {output: [one[output] for one in answers] for output in answers[0]}}
        return 200, {"predictions": answers}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet for an answer, or each waits for an acknowledgement

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, document = server.answer(self.command, self.path, body)
                answer = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
