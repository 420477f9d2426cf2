"""The request log of a real desk keeps every row while a real PostgreSQL stops, the writer is killed, the desk ends."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from campaigns.request_log.spool import FOLDER
from tests.campaigns.conftest import ROW
from tests.support import desk_process, postgresql
from tests.support.customers import CONTRACT
from tests.support.model_server import ModelServer
from tests.support.request_log import wait_until
from tests.support.server import ask, connect, free_port, request

pytestmark = pytest.mark.e2e

ROWS = 10
"""Of a request."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[postgresql.PostgresProcess]:
    with postgresql.for_tests() as server:
        yield server


class Desk:
    """A running desk, and what was sent to it."""

    def __init__(self, process: subprocess.Popen[str], port: int, sent: Counter[float]):
        self.process, self.sent = process, sent
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _lives(url))
        self._connection = connect(url)

    def score(self, requests: int) -> None:
        """Sends rows of different ages, and keeps count of them by probability."""
        for _ in range(requests):
            age = 18 + sum(self.sent.values()) // ROWS
            body = json.dumps({"instances": [{**ROW, "age": age}] * ROWS})
            headers = {"Content-Type": "application/json"}
            status, answer, _ = ask(self._connection, "POST", "/api/score", body, headers)
            assert status == 200, answer
            for one in json.loads(answer)["predictions"]:
                self.sent[one["probability"]] += 1

    def writer(self) -> psutil.Process:
        (found,) = (
            child for child in psutil.Process(self.process.pid).children() if "campaigns.request_log" in child.cmdline()
        )
        return found


@contextmanager
def running(artifacts: Path, server: str, database: str, sent: Counter[float]) -> Iterator[Desk]:
    """A desk that Ctrl-C ends, unless it was killed."""
    port = free_port()
    options = ["--server", server, "--port", str(port), "--artifacts", str(artifacts), "--database", database]
    process, _ = desk_process.start(options)
    try:
        yield Desk(process, port, sent)
    finally:
        killed = process.poll() is not None
        code, errors = desk_process.interrupt(process)
    assert killed or (code, "Traceback" in errors) == (0, False), errors


def _lives(url: str) -> bool:
    try:
        return request(url, "GET", "/livez")[0] == 200
    except OSError:
        return False


def logged(database: str) -> Counter[float]:
    """Rows of the request log by probability."""
    with psycopg.connect(database) as connection:
        return Counter(row[0] for row in connection.execute("SELECT probability FROM request_log"))


def test_no_row_is_lost_or_doubled(postgres, tmp_path):
    database, sent = postgres.new_database(), Counter()
    spool = tmp_path / "campaigns" / FOLDER

    def spooled() -> bool:
        return any(spool.glob("*.jsonl"))

    with ModelServer(CONTRACT) as model:
        with running(tmp_path, model.url, database, sent) as desk:
            desk.score(60)
            postgres.stop()
            desk.score(60)
            wait_until(spooled)
            desk.writer().kill()
            desk.score(30)
            postgres.start()
            desk.score(30)
            wait_until(lambda: not spooled())
            postgres.stop()
            desk.score(30)
        assert spooled()  # the desk has ended in order, without a database
        postgres.start()
        with running(tmp_path, model.url, database, sent) as desk:
            desk.score(30)
            desk.writer().kill()
            desk.score(20)
            wait_until(lambda: not spooled())
    assert sum(sent.values()) == 260 * ROWS
    assert logged(database) == sent


def test_a_killed_desk_loses_at_most_its_queue(postgres, tmp_path):
    database, sent = postgres.new_database(), Counter()
    with ModelServer(CONTRACT) as model, running(tmp_path, model.url, database, sent) as desk:
        desk.score(60)
        time.sleep(3)  # the writer's turn comes every second
        writer = desk.writer()
        desk.process.kill()
        desk.process.wait()
        psutil.wait_procs([writer], timeout=30)
    assert logged(database) == sent
