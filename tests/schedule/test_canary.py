"""A challenger has to answer its golden request before it becomes the champion."""

from __future__ import annotations

import json

import pytest

from data import model_folder
from data.contract import load
from data.errors import ServiceError
from data.model_folder import ModelFolder
from schedule import canary
from tests.support import toy_models
from tests.support.model_server import ModelServer

MODEL = "purchase-model"


def folder(tmp_path, probability: float) -> ModelFolder:
    """A version whose golden request has a customer of 50 years and this answer."""
    found = ModelFolder(tmp_path / "7")
    golden = found.extra(model_folder.GOLDEN_REQUEST)
    golden.parent.mkdir(parents=True)
    answer = {"probability": probability, "purchase": 0}
    golden.write_text(json.dumps({"instances": [{"age": 50.0}], "predictions": [answer]}))
    return found


@pytest.fixture
def server():
    with ModelServer(load("bank-full")) as running:
        running.version = "7"
        yield running


def test_a_version_that_serves_and_answers_as_stored_has_no_fault(tmp_path, server):
    assert canary.fault(folder(tmp_path, 0.25), MODEL, server.url) is None
    assert server.rows() == [{"age": 50.0}]


def test_another_answer_is_a_fault(tmp_path, server):
    problem = canary.fault(folder(tmp_path, 0.3), MODEL, server.url)
    assert problem is not None
    assert "0.25" in problem
    assert "0.3" in problem


def test_a_version_that_the_server_does_not_load_is_at_fault(tmp_path, server, monkeypatch):
    server.version = "6"
    monkeypatch.setattr(canary, "WAIT_SECONDS", 0)
    assert canary.fault(folder(tmp_path, 0.25), MODEL, server.url) == "the server did not load it in 0 seconds"


def test_a_server_that_does_not_answer_says_nothing_about_the_version(tmp_path):
    with pytest.raises(ServiceError):
        canary.fault(folder(tmp_path, 0.25), MODEL, "http://127.0.0.1:9")


def test_a_version_without_golden_request_is_at_fault(tmp_path):
    assert canary.fault(ModelFolder(tmp_path / "7"), MODEL, None) == "it has no golden request"


@pytest.mark.parametrize(("constant", "at_fault"), [(0.25, False), (0.3, True)])
def test_without_a_server_the_version_is_loaded_here(tmp_path, constant, at_fault):
    path = tmp_path / "7"
    toy_models.purchase_model(path, constant=constant)
    found = ModelFolder(path)
    golden = found.golden_request()
    assert golden is not None
    golden.predictions[0]["probability"] = 0.25
    found.extra(model_folder.GOLDEN_REQUEST).write_text(golden.to_json())
    card = {"contract": "bank-full", "synthetic": False, "features": [*toy_models.NUMBERS, *toy_models.TEXTS]}
    found.extra(model_folder.CARD).write_text(json.dumps(card))
    problem = canary.fault(found, MODEL, None)
    assert (problem is not None) == at_fault
