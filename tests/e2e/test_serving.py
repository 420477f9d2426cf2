"""A model that the pipeline has pushed, behind the real server."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from data.contract import LIST_SIZE
from data.model_folder import GoldenRequest, ModelFolder
from data.model_spec import PURCHASE_MODEL, RAW_SIGNATURE
from data.paths import ROOT
from runs.summary import RunSummary
from serving.client import Client
from serving.client.__main__ import main as score
from tests.support.server import ServerProcess

METRICS = ROOT / "serving" / "container" / "monitoring.config"
NAME, SCORE = PURCHASE_MODEL.name, PURCHASE_MODEL.score

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Served:
    """The server, the golden request of its model, and the summary of the run that pushed the model."""

    server: ServerProcess
    golden: GoldenRequest
    run: RunSummary


@pytest.fixture(scope="module")
def served(first, tmp_path_factory) -> Iterator[Served]:
    _, _, run = first
    version = ModelFolder(Path(run.pushed.path))
    folder = tmp_path_factory.mktemp("server")
    base, log = folder / "models", folder / "log"
    shutil.copytree(version.path, base / version.path.name)
    flags = [f"--model_name={NAME}", f"--model_base_path={base}", f"--monitoring_config_file={METRICS}"]
    golden = version.golden_request()
    assert golden is not None
    with ServerProcess(flags, log) as server:
        yield Served(server, golden, run)


def recent(server: ServerProcess) -> dict:
    return json.loads(server.request("GET", "/monitoring/profile")[1])[NAME]


def test_it_answers_the_golden_request_as_the_trainer_did(served):
    (answer,) = served.server.predict(NAME, {"instances": served.golden.instances})["predictions"]
    (stored,) = served.golden.predictions
    assert answer[SCORE] == pytest.approx(stored[SCORE], abs=1e-6)
    assert answer[PURCHASE_MODEL.decision] == stored[PURCHASE_MODEL.decision]


def test_requests_that_share_runs_get_their_own_responses_and_are_counted(served):
    server = served.server
    rows = [{**served.golden.instances[0], "age": 20 + number % 60, "previous": number % 7} for number in range(200)]
    together = server.predict(NAME, {"instances": rows})["predictions"]
    before = recent(server)["recent"]["rows"]
    with ThreadPoolExecutor(16) as pool:
        alone = list(pool.map(lambda row: server.predict(NAME, {"instances": [row]}), rows))
    assert [answer["predictions"][0][SCORE] for answer in alone] == pytest.approx(
        [answer[SCORE] for answer in together], abs=1e-6
    )
    page = recent(server)
    assert page["version"] == served.run.pushed.version
    assert page["recent"]["rows"] - before == 200


def test_it_explains_its_predictions(served):
    rows = [{**served.golden.instances[0], "age": 20.0 + number % 60} for number in range(300)]
    with Client(served.server.url) as client:
        predictions, explanations = client.predict(rows), client.explain(rows)
    for prediction, explanation in zip(predictions, explanations, strict=True):
        assert set(explanation.contributions) == set(served.run.features)
        assert explanation.probability == pytest.approx(prediction[SCORE], abs=1e-6)
        logit = explanation.base + sum(explanation.contributions.values())
        assert 1 / (1 + np.exp(-logit)) == pytest.approx(prediction[SCORE], abs=1e-5)
    assert len({explanation.contributions["age"] for explanation in explanations}) > 10


def test_its_metadata_names_the_features_and_bad_rows_are_refused(served):
    server = served.server
    metadata = json.loads(server.request("GET", f"/v1/models/{NAME}/metadata")[1])
    inputs = metadata["metadata"]["signature_def"]["signature_def"][RAW_SIGNATURE]["inputs"]
    assert set(inputs) == set(served.run.features)
    body = {"instances": [{**served.golden.instances[0], "age": "old"}]}
    status, text, _ = server.request("POST", f"/v1/models/{NAME}:predict", json.dumps(body))
    assert status == 400
    assert b"is not of expected type" in text


def test_a_training_file_can_be_scored_as_a_list_of_customers(served, sample_csv, tmp_path):
    target = tmp_path / "scored.csv"
    assert score([str(sample_csv), "--out", str(target), "--url", served.server.url]) == 0
    with sample_csv.open(newline="") as source, target.open(newline="") as scored:
        delimiter = ";" if ";" in source.readline() else ","
        source.seek(0)
        customers = list(csv.DictReader(source, delimiter=delimiter))
        rows = list(csv.DictReader(scored, delimiter=delimiter))
    assert len(rows) == len(customers)
    assert list(rows[0]) == [*customers[0], *LIST_SIZE, *sorted(PURCHASE_MODEL.outputs)]
    assert {row[name] for row in rows for name in LIST_SIZE} == {""}, "nobody said how many calls are planned"
    assert [{name: row[name] for name in customers[0]} for row in rows] == customers
    assert all(0 < float(row[SCORE]) < 1 for row in rows)
