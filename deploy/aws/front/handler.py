"""The front that the public may reach: an AWS Lambda function behind an API Gateway HTTP API (payload 2.0).

It scores customers with the champion of a model server, which is reached through the internal load balancer:

    POST /score     [{"age": 41, ...}, ...] or {"instances": [...]} -> {"predictions": [{"probability": 0.1, ...}, ...]}
    GET /healthz    200 while a version of the model serves

An error is `{"error": "...", "request_id": "..."}`. Who may call, and how often, is decided by the gateway.

Environment:
  MODEL_SERVER_URL: of a server with TensorFlow Serving's REST contract, such as `http://models.internal:8501`.
  MODEL_NAME: the model (purchase-model).
  MAX_ROWS: customers in one request (1000).

The standard library is all it needs, so that nothing is packed and a cold start is short.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import sys
import time
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

MODEL = os.environ.get("MODEL_NAME", "purchase-model")
MAX_ROWS = int(os.environ.get("MAX_ROWS", "1000"))
MAX_BYTES = 4 * 1024 * 1024
"""Of a request's body. Lambda takes 6 MiB, in which the body is a quoted text or base64."""
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 8.0
IDLE_SECONDS = 45.0
"""An older idle connection is not used again: the model server closes it after 50 s, the load balancer after 60."""
UNLABELLED_SECONDS = 60.0
"""How long a server without labels is not asked for one again."""

_REQUEST_ID = re.compile(r"[\w.:/+=-]{1,64}", re.ASCII)
_NO_LABEL = b"Unrecognized servable version label"


class Answer(NamedTuple):
    """Status and body, of the model server or for the caller."""

    status: int
    body: bytes


class RefusedError(Exception):
    """The request is answered with an error.

    Args:
      status: of the answer.
      message: for the caller.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class ModelServer:
    """One model behind the load balancer, on one connection that stays open between invocations.

    Args:
      url: of the server, such as `http://models.internal:8501`.
      model: its name.
    """

    def __init__(self, url: str, model: str):
        self._address = urlsplit(url)
        self._path = f"/v1/models/{quote(model, safe='')}"
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0
        self._unlabelled_until = 0.0

    def score(self, rows: list[Any], request_id: str) -> Answer:
        """Predictions of the champion, which has the label `stable`; where none serves, of the newest version.

        Raises:
          RefusedError: the server cannot be reached, or takes too long.
        """
        body = json.dumps({"instances": rows}, separators=(",", ":")).encode()
        if time.time() >= self._unlabelled_until:
            answer = self.ask("POST", "/labels/stable:predict", request_id, body)
            unlabelled = answer.status == 400 and _NO_LABEL in answer.body
            if not unlabelled and answer.status != 404:  # 404: the champion is still being loaded, or nothing serves
                return answer
            if unlabelled:
                self._unlabelled_until = time.time() + UNLABELLED_SECONDS
        return self.ask("POST", ":predict", request_id, body)

    def ask(self, method: str, path: str, request_id: str, body: bytes | None = None) -> Answer:
        """Sends a request about the model; once more on a new connection where the idle one turns out to be closed.

        Raises:
          RefusedError: the server cannot be reached, or takes too long.
        """
        headers = {"Content-Type": "application/json", "X-Request-ID": request_id}
        # The clock of the day: a function that waits for its next request is frozen, and other clocks with it.
        if self._connection is not None and not 0 <= time.time() - self._used < IDLE_SECONDS:
            self._close()
        reused = self._connection is not None
        connection = self._connection or self._connect()
        try:
            connection.request(method, self._path + path, body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
        except TimeoutError:
            self._close()
            raise RefusedError(504, f"the model server did not answer in {ANSWER_SECONDS:g} s") from None
        except (OSError, http.client.HTTPException):
            self._close()
            if reused:
                return self.ask(method, path, request_id, body)
            raise RefusedError(503, "the connection to the model server broke; try again") from None
        self._used = time.time()
        if response.will_close:
            self._close()
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError:
            connection.close()
            raise RefusedError(503, "the model server cannot be reached; try again") from None
        connection.sock.settimeout(ANSWER_SECONDS)
        self._connection = connection
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


SERVER = ModelServer(os.environ["MODEL_SERVER_URL"], MODEL)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers one request; Lambda calls it.

    Args:
      event: of an HTTP API, payload 2.0.
      context: of the invocation, which is not needed.

    Returns:
      The answer, as payload 2.0 has it.
    """
    began = time.perf_counter()
    request_id = _request_id(event)
    rows: list[Any] = []
    try:
        route = _route(event)
        if route == "GET /healthz":
            answer = _healthy(request_id)
        elif route == "POST /score":
            rows = _rows(event)
            answer = _for_the_caller(SERVER.score(rows, request_id))
        else:
            raise RefusedError(404, "there are POST /score and GET /healthz")
    except RefusedError as error:
        document = {"error": str(error), "request_id": request_id}
        answer = Answer(error.status, json.dumps(document).encode())
    log = {
        "request_id": request_id,
        "status": answer.status,
        "rows": len(rows),
        "ms": round((time.perf_counter() - began) * 1000, 1),
    }
    sys.stdout.write(f"{json.dumps(log)}\n")
    headers = {"content-type": "application/json", "x-request-id": request_id}
    if answer.status in (429, 503):
        headers["retry-after"] = "1"
    return {
        "statusCode": answer.status,
        "headers": headers,
        "body": answer.body.decode(errors="replace"),
        "isBase64Encoded": False,
    }


def _route(event: dict[str, Any]) -> str:
    """`POST /score`, also where a stage or a mapping stands before the path; a function URL has no keys of routes."""
    key = event.get("routeKey", "$default")
    if key != "$default":
        return str(key)
    return f"{event['requestContext']['http']['method']} {event['rawPath']}"


def _request_id(event: dict[str, Any]) -> str:
    """The caller's id of the request where it is one, else the gateway's."""
    given = event.get("headers", {}).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else str(event["requestContext"]["requestId"])


def _rows(event: dict[str, Any]) -> list[Any]:
    """The customers of a request.

    Raises:
      RefusedError: the body is too long, or not a list of customers.
    """
    text = event.get("body") or ""
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
        if len(body) > MAX_BYTES:
            raise RefusedError(413, f"got a body of {len(body)} bytes, expected at most {MAX_BYTES}")
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the body is not JSON: {error}") from None
    if isinstance(document, dict) and set(document) == {"instances"}:
        document = document["instances"]
    if not isinstance(document, list) or not document:
        raise RefusedError(400, 'expected a list of customers, [{...}] or {"instances": [{...}]}')
    if len(document) > MAX_ROWS:
        raise RefusedError(413, f"got {len(document)} customers, expected at most {MAX_ROWS} in one request")
    for number, row in enumerate(document):
        if not isinstance(row, dict):
            raise RefusedError(400, f"customer {number}: got {json.dumps(row)[:80]}, expected an object")
    return document


def _healthy(request_id: str) -> Answer:
    answer = SERVER.ask("GET", "", request_id)
    if answer.status != 200 or b'"AVAILABLE"' not in answer.body:
        raise RefusedError(503, f"no version of {MODEL} serves")
    return Answer(200, b'{"status": "ok"}')


def _for_the_caller(answer: Answer) -> Answer:
    """The predictions of the model server.

    Raises:
      RefusedError: it answered something else.
    """
    if answer.status == 200:
        return answer
    if answer.status == 400:  # what is wrong with a customer's fields
        raise RefusedError(400, _message(answer) or "the model server refused the customers")
    messages = {
        404: (503, f"no version of {MODEL} serves yet; try again"),
        413: (413, "the customers take more bytes than the model server takes in one request"),
        429: (429, "too many requests; try again"),
        502: (503, "the model server is not ready; try again"),
        503: (503, "the model server is not ready; try again"),
        504: (504, "the model server took too long"),
    }
    raise RefusedError(*messages.get(answer.status, (502, f"the model server failed with status {answer.status}")))


def _message(answer: Answer) -> str:
    """What the model server says of an error; empty where that is not its JSON."""
    try:
        return str(json.loads(answer.body)["error"])
    except (ValueError, TypeError, KeyError):
        return ""
