"""A list is scored by the real model server."""

from __future__ import annotations

import pytest

from campaigns import scoring
from campaigns.served import ask
from data.csv_rows import number_or_missing
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import serving_folder
from serving.client import Client
from tests.campaigns.conftest import Desk, list_text
from tests.support import stand_in
from tests.support.customers import synthetic
from tests.support.server import ServerProcess

pytestmark = pytest.mark.e2e

CONFIG = """model_config_list {{
  config {{ name: "{purchase}" base_path: "{purchase_folder}" model_platform: "tensorflow" }}
  config {{ name: "{segment}" base_path: "{segment_folder}" model_platform: "tensorflow" }}
}}"""


def test_a_list_gets_probabilities_segments_and_warnings_of_the_version_that_serves(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "BATCH_ROWS", 20)
    artifacts, columns = tmp_path / "artifacts", synthetic(2000)
    stand_in.push(artifacts, 5, columns)
    stand_in.push_segments(artifacts, 2, columns)
    config = tmp_path / "models.config"
    names = {"purchase": PURCHASE_MODEL.name, "segment": SEGMENT_MODEL.name}
    config.write_text(
        CONFIG.format(**names, **{f"{kind}_folder": serving_folder(artifacts, name) for kind, name in names.items()})
    )
    rows = [{"age": str(age), "job": "student", "id": f"c{age}"} for age in range(20, 90)]
    rows[3] |= {"job": "astronaut", "contact": "unknown"}
    with ServerProcess([f"--model_config_file={config}"], tmp_path / "log") as server:
        desk = Desk(tmp_path, server)
        served = ask(server.url, artifacts)
        campaign = desk.run(desk.campaign(list_text(rows), served.contract))
        assert (campaign.state, campaign.version, campaign.scored) == ("ranked", "5", 70)
        found = desk.customers(campaign)
        sent = {"age": 23.0, "job": "astronaut", "contact": "unknown"}
        known = {name: found[0].cells[name] for name in served.inputs} | sent
        row = {
            name: known[name] if text else number_or_missing(str(known[name])) for name, text in served.inputs.items()
        }
        with Client(server.url) as client:
            (answer,) = client.predict([row])
    assert found[3].identifier == "c23"
    assert found[3].probability == pytest.approx(answer["probability"], abs=1e-6)
    assert found[3].segment == "young"
    assert "job: 'astronaut' was not seen in training" in found[3].warnings
    oldest = max((customer for customer in found if customer.row != 4), key=lambda customer: customer.probability)
    assert (oldest.rank, oldest.identifier) == (1, "c89")
