"""A model that the pipeline has pushed, behind the real server."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.server import ServerProcess

METRICS = ROOT / "serving" / "container" / "monitoring.config"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def served(first, tmp_path_factory):
    _, _, found = first
    version = Path(found["pushed"]["path"])
    folder = tmp_path_factory.mktemp("server")
    base, log = folder / "models", folder / "log"
    shutil.copytree(version, base / version.name)  # other tests push more versions beside it
    flags = ["--model_name=purchase-model", f"--model_base_path={base}", f"--monitoring_config_file={METRICS}"]
    with ServerProcess(flags, log) as server:
        yield server, json.loads((version / "assets.extra" / "golden_request.json").read_text()), found


def test_it_answers_the_stored_row_as_the_trainer_did(served):
    server, golden, _ = served
    (answer,) = server.predict("purchase-model", {"instances": golden["instances"]})["predictions"]
    assert answer["probability"] == pytest.approx(golden["predictions"][0]["probability"], abs=1e-6)
    assert answer["purchase"] == golden["predictions"][0]["purchase"]


def test_requests_that_share_runs_get_their_own_answers_and_are_counted(served):
    server, golden, found = served
    rows = [{**golden["instances"][0], "age": 20 + number % 60, "previous": number % 7} for number in range(200)]
    together = server.predict("purchase-model", {"instances": rows})["predictions"]
    before = json.loads(server.request("GET", "/monitoring/profile")[1])["purchase-model"]["recent"]["rows"]
    with ThreadPoolExecutor(16) as pool:
        alone = list(pool.map(lambda row: server.predict("purchase-model", {"instances": [row]}), rows))
    assert [answer["predictions"][0]["probability"] for answer in alone] == pytest.approx(
        [answer["probability"] for answer in together], abs=1e-6
    )
    page = json.loads(server.request("GET", "/monitoring/profile")[1])["purchase-model"]
    assert page["version"] == found["pushed"]["version"]
    assert page["recent"]["rows"] - before == 200


def test_its_metadata_names_the_features_and_bad_rows_are_refused(served):
    server, golden, found = served
    metadata = json.loads(server.request("GET", "/v1/models/purchase-model/metadata")[1])
    inputs = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
    assert set(inputs) == set(found["features"])
    body = {"instances": [{**golden["instances"][0], "age": "old"}]}
    status, text, _ = server.request("POST", "/v1/models/purchase-model:predict", json.dumps(body))
    assert status == 400
    assert b"is not of expected type" in text
