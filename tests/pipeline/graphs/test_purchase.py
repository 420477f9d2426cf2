"""The graph is a function of its arguments, and each setting reaches the components it concerns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.proto.orchestration.pipeline_pb2 import PipelineNode

from data import contract as contracts
from data.contract import Contract
from modules.purchase.gate import Gate
from pipeline import fingerprint
from pipeline.environment import Champion, Environment
from pipeline.graphs.purchase import create_pipeline
from pipeline.settings import PurchaseSettings, TrainingData
from tests.conftest import STAGES
from tests.support.checkout import copy_of_the_code


@dataclass(frozen=True)
class Graph:
    """The arguments of a graph."""

    data: TrainingData
    spec: PurchaseSettings
    environment: Environment


@pytest.fixture
def settings(tmp_path) -> Graph:
    return Graph(
        TrainingData(tmp_path / "customers.csv", contracts.load("bank-full")),
        PurchaseSettings(),
        Environment("bank", str(tmp_path / "artifacts"), str(tmp_path / "serving")),
    )


def compiled(graph: Graph):
    return Compiler().compile(create_pipeline(graph.spec, graph.data, graph.environment))


def nodes(graph: Graph) -> dict[str, PipelineNode]:
    """By component id, in the order of execution."""
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in compiled(graph).nodes}


def changed(one: Graph, other: Graph) -> set[str]:
    """The components whose parameters differ."""
    before, after = nodes(one), nodes(other)
    assert before.keys() == after.keys()
    return {name for name in before if before[name].parameters != after[name].parameters}


def with_settings(graph: Graph, part: str, **values) -> Graph:
    return replace(graph, **{part: replace(getattr(graph, part), **values)})


def with_contract(graph: Graph, **fields) -> Graph:
    document = graph.data.contract.model_dump() | fields
    return with_settings(graph, "data", contract=Contract.model_validate(document))


def test_creating_the_graph_touches_no_file(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    compiled(settings)
    assert list(tmp_path.iterdir()) == []


def test_the_same_settings_make_the_same_graph(settings):
    assert compiled(settings) == compiled(replace(settings))


def test_the_folder_one_stands_in_does_not_matter(settings, tmp_path, monkeypatch):
    here = compiled(settings)
    monkeypatch.chdir(tmp_path)
    assert compiled(settings) == here


def test_components_run_after_those_they_depend_on(settings):
    graph = nodes(settings)
    assert graph.keys() == STAGES
    order = list(graph)
    for name, node in graph.items():
        assert all(order.index(upstream) < order.index(name) for upstream in node.upstream_nodes)


@pytest.mark.parametrize(
    ("component", "waits_for"),
    [
        ("Transform", {"ContractExampleGen", "ContractSchema", "AnomalyCheck"}),
        ("Trainer", {"ContractExampleGen", "Transform", "Tuner"}),
        ("Evaluator", {"ContractExampleGen", "ContractSchema", "Trainer", "LatestBlessedModel"}),
        ("ServingProbe", {"ContractExampleGen", "Trainer", "Scorer"}),
        ("Benchmark", {"ContractExampleGen", "Trainer", "Scorer"}),
        ("Importance", {"ContractExampleGen", "Trainer"}),
        ("NewestMonths", {"ContractExampleGen", "Trainer", "Scorer"}),
        ("AtomicPusher", {"Trainer", "Evaluator", "ServingProbe", "NewestMonths"}),
    ],
)
def test_nothing_is_computed_from_unchecked_rows_or_pushed_unblessed(settings, component, waits_for):
    assert set(nodes(settings)[component].upstream_nodes) == waits_for


def test_without_tuning_earlier_hyperparameters_take_the_place_of_the_tuner(settings):
    graph = nodes(with_settings(settings, "spec", trials=0))
    assert graph.keys() == STAGES - {"Tuner"} | {"LatestHyperparameters"}
    assert "LatestHyperparameters" in graph["Trainer"].upstream_nodes


def test_the_baselines_are_left_out_on_request(settings):
    assert nodes(with_settings(settings, "spec", benchmark=False)).keys() == STAGES - {"Benchmark"}


def test_a_failing_benchmark_stops_a_run_before_anything_is_pushed(settings):
    order = list(nodes(settings))
    assert order.index("Benchmark") < order.index("AtomicPusher")


def test_the_model_is_judged_on_rows_it_was_not_fitted_on(settings):
    splits = nodes(settings)["Evaluator"].parameters.parameters["example_splits"].field_value.string_value
    assert splits == '["test"]'


@pytest.mark.parametrize(
    ("part", "setting", "value", "components"),
    [
        ("data", "path", Path("others.csv"), {"ContractExampleGen"}),
        ("data", "split", "time", {"ContractExampleGen", "NewestMonths"}),
        ("data", "quarantine", True, {"ContractExampleGen"}),
        ("data", "synthetic", True, {"Trainer"}),
        ("spec", "with_after_call", True, {"Transform", "Tuner", "Trainer"}),
        ("spec", "trials", 3, {"Tuner"}),
        ("spec", "members", 8, {"Trainer"}),
        ("spec", "seed", 7, {"Tuner", "Trainer", "Benchmark", "Importance"}),
        ("spec", "gate", Gate(min_auc=0.9), {"Evaluator"}),
        ("spec", "keep", 1, {"AtomicPusher"}),
        ("spec", "replace_inputs", True, {"AtomicPusher"}),
        ("environment", "serving", "elsewhere", {"AtomicPusher"}),
        ("environment", "champion", Champion(7, "serving/7", "5f3a"), {"NewestMonths"}),
        ("environment", "cache", False, set()),
    ],
)
def test_a_setting_reaches_the_components_it_concerns_and_no_other(settings, part, setting, value, components):
    assert changed(settings, with_settings(settings, part, **{setting: value})) == components


def test_a_compiled_graph_carries_no_run_id(settings):
    pusher = nodes(settings)["AtomicPusher"]
    assert pusher.parameters.parameters["run_id"].runtime_parameter.name == "run-id"


def test_a_model_that_is_not_to_be_pushed_has_no_pusher(settings):
    assert nodes(with_settings(settings, "spec", push=False)).keys() == STAGES - {"AtomicPusher"}


def test_beam_is_given_the_flags_of_the_environment(settings):
    graph = with_settings(settings, "environment", beam_args=("--runner=FlinkRunner",))
    pipeline = create_pipeline(graph.spec, graph.data, graph.environment)
    assert pipeline.beam_pipeline_args == ["--runner=FlinkRunner"]


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A copy of the code whose files may be changed; fingerprints are taken from it."""
    copy = copy_of_the_code(tmp_path)
    monkeypatch.setattr(fingerprint, "ROOT", copy)
    return copy


ALL = STAGES - {"ExampleValidator", "AnomalyCheck", "LatestBlessedModel", "AtomicPusher"}


@pytest.mark.parametrize(
    ("file", "components"),
    [
        ("modules/purchase/baselines.py", {"Benchmark"}),
        ("modules/purchase/evaluation.py", {"Evaluator"}),
        ("modules/purchase/tuner.py", {"Tuner"}),
        ("modules/purchase/export.py", {"Trainer", "Benchmark"}),
        ("analysis/trial.py", {"NewestMonths"}),
        ("modules/purchase/network.py", {"Tuner", "Trainer", "Benchmark"}),
        ("modules/tf_serving_probe.py", {"ServingProbe"}),
        ("modules/schema.py", {"ContractSchema"}),
        ("modules/ingest.py", {"ContractExampleGen"}),
        ("analysis/importance.py", {"Importance"}),
        ("data/contract.py", ALL),
        ("runs/compare.py", set()),
        ("monitoring/collector.py", set()),
        ("serving/manager.py", set()),
        ("report/purchase/page.py", set()),
        ("pages/charts.py", set()),
        ("pipeline/run.py", set()),
    ],
)
def test_an_edit_of_a_file_reaches_the_stages_that_run_it_and_no_other(settings, checkout, file, components):
    before = nodes(settings)
    with (checkout / file).open("a") as code:
        code.write("# edited\n")
    after = nodes(settings)
    assert {name for name in before if before[name].parameters != after[name].parameters} == components


def test_a_changed_contract_reaches_all_that_read_it(settings):
    other = with_contract(settings, title="Calls of another year")
    assert changed(settings, other) == {
        "ContractExampleGen",
        "ContractSchema",
        "Transform",
        "Tuner",
        "Trainer",
        "ServingProbe",
        "Benchmark",
        "Importance",
        "NewestMonths",
    }


def test_another_champion_or_other_files_of_it_are_compared_anew(settings):
    champion = Champion(7, "serving/7", "5f3a", "random")
    graph = with_settings(settings, "environment", champion=champion)
    for other in (replace(champion, version=8), replace(champion, digest="77d0"), replace(champion, split="time")):
        assert changed(graph, with_settings(settings, "environment", champion=other)) == {"NewestMonths"}


def test_rows_without_dates_have_no_newest_months(settings):
    graph = nodes(with_contract(settings, call_date=None, derived=None, backtest=None, modelling={}))
    assert graph.keys() == STAGES - {"NewestMonths"}
    assert set(graph["AtomicPusher"].upstream_nodes) == {"Trainer", "Evaluator", "ServingProbe"}


def test_other_slices_are_measured_by_the_evaluator(settings):
    assert "Evaluator" in changed(settings, with_contract(settings, modelling={"slices": ["marital"]}))
