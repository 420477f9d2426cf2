"""The graph of the segment model: what waits for what, and which stage each setting and each file reaches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.proto.orchestration.pipeline_pb2 import PipelineNode

from data import contract as contracts
from pipeline import fingerprint
from pipeline.environment import Environment
from pipeline.graphs.segments import create_pipeline
from pipeline.settings import SegmentSettings, TrainingData
from tests.support.checkout import copy_of_the_code

STAGES = {
    "ContractExampleGen",
    "StatisticsGen",
    "ContractSchema",
    "ExampleValidator",
    "AnomalyCheck",
    "Transform",
    "SegmentSearch",
    "LatestBlessedModel",
    "Trainer",
    "SegmentJudge",
    "ServingProbe",
    "AtomicPusher",
}
DATA = TrainingData(Path("customers.csv"), contracts.load("fundfusion"))
SPEC = SegmentSettings(view="demography")


def nodes(data: TrainingData = DATA, spec: SegmentSettings = SPEC) -> dict[str, PipelineNode]:
    environment = Environment("segments", "artifacts", "serving")
    graph = Compiler().compile(create_pipeline(spec, data, environment))
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in graph.nodes}


def changed(before: dict[str, PipelineNode], after: dict[str, PipelineNode]) -> set[str]:
    return {name for name in before if before[name].parameters != after[name].parameters}


@pytest.mark.parametrize(
    ("component", "waits_for"),
    [
        ("Transform", {"ContractExampleGen", "ContractSchema", "AnomalyCheck"}),
        ("SegmentSearch", {"ContractExampleGen", "Transform"}),
        ("Trainer", {"ContractExampleGen", "Transform", "SegmentSearch", "LatestBlessedModel"}),
        ("SegmentJudge", {"ContractExampleGen", "Transform", "SegmentSearch", "Trainer"}),
        ("ServingProbe", {"ContractExampleGen", "Trainer", "SegmentJudge"}),
        ("AtomicPusher", {"Trainer", "SegmentJudge", "ServingProbe"}),
    ],
)
def test_nothing_is_computed_from_unchecked_rows_or_pushed_unblessed(component, waits_for):
    graph = nodes()
    assert graph.keys() == STAGES
    assert set(graph[component].upstream_nodes) == waits_for


@pytest.mark.parametrize(
    ("setting", "value", "components"),
    [
        ("view", "products", {"Transform", "SegmentSearch", "Trainer"}),
        ("method", "kmedoids", {"SegmentSearch"}),
        ("most", 4, {"SegmentSearch"}),
        ("names", {"over 53": "silver"}, {"Trainer"}),
        ("seed", 7, {"SegmentSearch", "Trainer", "SegmentJudge"}),
        ("keep", 1, {"AtomicPusher"}),
        ("replace_inputs", True, {"AtomicPusher"}),
    ],
)
def test_a_setting_reaches_the_components_it_concerns_and_no_other(setting, value, components):
    assert changed(nodes(), nodes(spec=replace(SPEC, **{setting: value}))) == components


@pytest.mark.parametrize(
    ("file", "components"),
    [
        ("modules/segments/transform.py", {"Transform", "SegmentSearch", "Trainer", "SegmentJudge"}),
        ("modules/segments/rule.py", {"SegmentSearch", "Trainer", "SegmentJudge"}),
        ("modules/segments/naming.py", {"Trainer", "SegmentJudge"}),
        ("modules/segments/cards.py", {"Trainer", "SegmentJudge"}),
        ("modules/purchase/network.py", set()),
        ("report/segments/page.py", set()),
        ("pipeline/segment.py", set()),
    ],
)
def test_an_edit_of_a_file_reaches_the_stages_that_run_it_and_no_other(tmp_path, monkeypatch, file, components):
    checkout = copy_of_the_code(tmp_path)
    monkeypatch.setattr(fingerprint, "ROOT", checkout)
    before = nodes()
    with (checkout / file).open("a") as code:
        code.write("# edited\n")
    assert changed(before, nodes()) == components
