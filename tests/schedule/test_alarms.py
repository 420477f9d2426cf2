"""Days in a row with a drift alarm, from a Prometheus that the test plays."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from data.errors import ServiceError
from schedule.alarms import drift_days


class Prometheus(ThreadingHTTPServer):
    """Has a drift alert on some days, by their age in days.

    Attributes:
      queries: that it was asked.
    """

    def __init__(self, ages: list[int]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ages = ages
        self.queries: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Prometheus

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.server.queries.append(asked["query"])
        end, step = float(asked["end"]), float(asked["step"])
        values = [[end - age * step, "1"] for age in sorted(self.server.ages, reverse=True)]
        answer = json.dumps({"data": {"result": [{"metric": {}, "values": values}] if values else []}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("ages", "days"),
    [([], 0), ([1, 2, 3], 0), ([0], 1), ([0, 1, 2], 3), ([0, 1, 3, 4], 2), ([0, 1, 2, 3, 4, 5, 6], 7)],
)
def test_days_count_back_from_now_to_the_first_without_an_alarm(ages, days):
    server = Prometheus(ages)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        assert drift_days(server.url, "purchase-model") == days
    finally:
        server.shutdown()
        server.server_close()
    assert 'model_name="purchase-model"' in server.queries[0]


def test_a_prometheus_that_is_not_there_is_said():
    with pytest.raises(ServiceError, match="Prometheus does not answer"):
        drift_days("http://127.0.0.1:9", "purchase-model")
