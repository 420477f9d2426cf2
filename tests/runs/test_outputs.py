"""Artifacts of a run are found by the node that put them out."""

from __future__ import annotations

import pytest
from tfx.orchestration.pipeline import Pipeline

from data import contract as contracts
from data.errors import NotReadyError
from pipeline.environment import Environment
from pipeline.graphs import purchase, segments
from pipeline.settings import PurchaseSettings, SegmentSettings, TrainingData
from runs import outputs as of_run
from runs.outputs import Output, connect, outputs
from tests.runs.test_prune import History


@pytest.fixture
def history(tmp_path) -> History:
    return History(tmp_path / "artifacts")


def put_out(graph: Pipeline) -> set[Output]:
    """What the nodes of a graph put out; a resolver's inputs are what it puts out."""
    return {Output(node.id, key) for node in graph.components for key in (*node.outputs, *getattr(node, "inputs", {}))}


def test_every_output_is_one_of_a_pipeline(tmp_path):
    environment = Environment("bank", str(tmp_path / "artifacts"), str(tmp_path / "serving"))
    file = tmp_path / "customers.csv"
    calls, customers = (TrainingData(file, contracts.load(name)) for name in ("bank-full", "fundfusion"))
    bought = put_out(purchase.create_pipeline(PurchaseSettings(), calls, environment))
    segmented = put_out(segments.create_pipeline(SegmentSettings(view="demography"), customers, environment))
    wanted = {value for value in vars(of_run).values() if isinstance(value, Output)}
    assert wanted <= bought | segmented
    shared = bought & segmented
    assert {of_run.EXAMPLES, of_run.ANOMALIES, of_run.MODEL, of_run.LAST_BLESSED, of_run.SERVING_BLESSING} <= shared


def test_two_nodes_with_the_same_executor_are_told_apart(history):
    history.run("run-1", blessed=True)
    history.run("run-2", blessed=True, nodes={"Trainer": "SegmentTrainer"})
    assert Output("Trainer", "out") in outputs(history.store, "run-1")
    second = outputs(history.store, "run-2")
    assert Output("Trainer", "out") not in second
    assert "SegmentTrainer" in second.uri(Output("SegmentTrainer", "out"))


def test_the_last_blessed_model_is_the_one_that_the_evaluator_compared_with(history):
    history.run("run-1", blessed=True)
    history.run("run-2", blessed=False)
    history.run("run-3", blessed=True, baseline="run-1")
    assert outputs(history.store, "run-1").last_blessed == ()
    third = outputs(history.store, "run-3")
    assert third.last_blessed == ("run-1",)
    assert not any(output.node == "LatestBlessedModel" for output in third.artifacts)


def test_a_run_that_the_metadata_does_not_know(tmp_path):
    with pytest.raises(NotReadyError, match="20270101-000000"):
        outputs(connect(tmp_path / "metadata.sqlite"), "20270101-000000")
