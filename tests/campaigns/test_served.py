"""What serves is known from the server, and from the version's folder where that is here."""

from __future__ import annotations

import pytest

from campaigns.served import ask, contract_from_json, contract_to_json
from data import contract as contracts
from data.contract import LIST_SIZE
from data.errors import ServiceError
from data.model_folder import CONTRACT as CONTRACT_FILE
from data.paths import serving_folder
from tests.support import stand_in
from tests.support.customers import CONTRACT, profiled, synthetic


@pytest.fixture
def version(tmp_path):
    folder = serving_folder(tmp_path, "purchase-model") / "1"
    folder.mkdir(parents=True)
    stand_in.write_extras(folder, profiled(synthetic(500)), stand_in.GoldenRequest([], []))
    return folder


def test_the_folder_of_the_version_that_serves_has_contract_and_profile(tmp_path, version, model_server):
    served = ask(model_server.url, tmp_path)
    assert (served.version, served.contract) == ("1", CONTRACT)
    assert served.profile
    assert served.profile.features.keys() == served.inputs.keys()
    assert served.inputs["job"] is True
    assert served.inputs["age"] is False


def test_without_the_folder_the_inputs_are_the_contract(tmp_path, version, model_server):
    model_server.version = "2"
    served = ask(model_server.url, tmp_path)
    assert (served.version, served.profile) == ("2", None)
    assert {*served.contract.features()} == {*CONTRACT.features()}
    assert {*served.contract.categorical} == {*CONTRACT.categorical} & {*CONTRACT.features()}
    assert served.contract.derived_columns == CONTRACT.derived_columns


def test_the_champion_scores_where_the_server_has_labels(tmp_path, model_server):
    model_server.labels = {"stable": "1"}
    assert ask(model_server.url, tmp_path).version == "1"
    model_server.labels = {"stable": "7"}
    with pytest.raises(ServiceError, match=r"Specific\(purchase-model, 7\)"):
        ask(model_server.url, tmp_path)


def test_a_contract_that_cannot_be_read_counts_as_none(tmp_path, version, model_server):
    (version / "assets.extra" / CONTRACT_FILE).write_text("{")
    assert ask(model_server.url, tmp_path).contract.name == "purchase-model"


def test_no_model_and_no_server_are_said_to_be_missing(tmp_path, model_server):
    with pytest.raises(ServiceError, match="segment-model"):
        ask(model_server.url, tmp_path, "segment-model")
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1:9"):
        ask("http://127.0.0.1:9", tmp_path)


@pytest.mark.parametrize("name", ["bank-full", "bank-additional", "cc-general", "hackerearth", "fundfusion"])
def test_a_contract_is_stored_and_read_again(name):
    contract = contracts.load(name)
    assert contract_from_json(contract_to_json(contract)) == contract


@pytest.mark.parametrize(
    "inputs", [{"age": False}, {"job": True}, {"age": False, "job": True}, dict.fromkeys(("age", *LIST_SIZE), False)]
)
def test_a_contract_of_inputs_is_stored_and_read_again(inputs):
    contract = contracts.from_inputs("purchase-model", inputs)
    again = contract_from_json(contract_to_json(contract))
    assert again.features() == contract.features()
    assert {*again.categorical} == {*contract.categorical}
