"""The API under requests that schemathesis makes up from its description: no failure, nothing that is not described."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.generation import GenerationMode

from campaigns import app
from campaigns.settings import Settings
from tests.campaigns.conftest import list_text
from tests.campaigns.test_roles import EXPECTED
from tests.support.customers import CONTRACT
from tests.support.model_server import ModelServer

EXAMPLES = 15
"""Of each operation, right ones and as many that are not."""
MUST_HOLD = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.negative_data_rejection,
]
TERMS = {"cost": "5", "margin": "100", "calls": "20", "control_share": "0.2"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Iterator[str]:
    """The address of a desk with a frozen and a ranked campaign, as programs reach it."""
    folder = tmp_path_factory.mktemp("desk")
    with ModelServer(CONTRACT, segments=("age", "housing")) as server, socket.create_server(("127.0.0.1", 0)) as port:
        config = uvicorn.Config(app.create(Settings(server.url, artifacts=folder)), lifespan="on", log_config=None)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([port],))
        thread.start()
        address = f"http://127.0.0.1:{port.getsockname()[1]}"
        try:
            with httpx.Client(base_url=address) as client:
                _ready(client)
            yield address
        finally:
            running.should_exit = True
            thread.join()


def _ready(client: httpx.Client) -> None:
    text = list_text([{"id": f"c{age}", "age": str(age)} for age in range(20, 90)])
    for name in ("frozen", "ranked"):
        sent = client.post("/api/campaigns", data={"name": name, **TERMS}, files={"file": ("a.csv", text)})
        assert sent.status_code == 201
    deadline = time.monotonic() + 30
    while {one["state"] for one in client.get("/api/campaigns").json()} != {"ranked"}:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert client.post("/api/campaigns/1/freeze").status_code == 200


@pytest.fixture(scope="module")
def described(desk):
    """The API by its own description."""
    return schemathesis.openapi.from_url(f"{desk}/api/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("route", sorted(route for route in EXPECTED if " /api/" in route and "openapi" not in route))
def test_each_operation_answers_as_it_is_described(described, route, mode):
    method, path = route.split(" ")

    @settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=HealthCheck)
    @given(described[path][method].as_strategy(generation_mode=mode))
    def answers(case):
        if mode is GenerationMode.POSITIVE and "campaign_id" in case.path_parameters:
            case.path_parameters["campaign_id"] = 1 + case.path_parameters["campaign_id"] % 3  # the last is not there
        case.call_and_validate(checks=MUST_HOLD)

    # What takes nothing cannot be asked wrongly.
    with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
        answers()
