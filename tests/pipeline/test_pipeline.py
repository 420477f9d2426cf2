"""The graph is a function of the settings, and each setting reaches the components it concerns."""

from dataclasses import replace
from pathlib import Path

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.proto.orchestration.pipeline_pb2 import PipelineNode

from data import contract as contracts
from data.contract import Contract
from modules.purchase.gate import Gate
from pipeline.graphs.purchase import create_pipeline
from pipeline.settings import Settings
from tests.conftest import STAGES


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(
        data=tmp_path / "customers.csv",
        contract=contracts.load("bank-full"),
        run_id="1",
        artifacts=tmp_path / "artifacts",
    )


def compiled(settings: Settings):
    return Compiler().compile(create_pipeline(settings))


def nodes(settings: Settings) -> dict[str, PipelineNode]:
    """By component id, in the order of execution."""
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in compiled(settings).nodes}


def changed(one: Settings, other: Settings) -> set[str]:
    """The components whose parameters differ."""
    before, after = nodes(one), nodes(other)
    assert before.keys() == after.keys()
    return {name for name in before if before[name].parameters != after[name].parameters}


def with_contract(settings: Settings, **fields) -> Settings:
    document = settings.contract.model_dump() | fields
    return replace(settings, contract=Contract.model_validate(document))


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
        ("AtomicPusher", {"Trainer", "Evaluator", "ServingProbe"}),
    ],
)
def test_nothing_is_computed_from_unchecked_rows_or_pushed_unblessed(settings, component, waits_for):
    assert set(nodes(settings)[component].upstream_nodes) == waits_for


def test_without_tuning_earlier_hyperparameters_take_the_place_of_the_tuner(settings):
    graph = nodes(replace(settings, trials=0))
    assert graph.keys() == STAGES - {"Tuner"} | {"LatestHyperparameters"}
    assert "LatestHyperparameters" in graph["Trainer"].upstream_nodes


def test_the_usual_models_are_left_out_where_nobody_asked_for_them(settings):
    assert nodes(replace(settings, benchmark=False)).keys() == STAGES - {"Benchmark"}


def test_a_failing_benchmark_stops_a_run_before_anything_is_pushed(settings):
    order = list(nodes(settings))
    assert order.index("Benchmark") < order.index("AtomicPusher")


def test_the_model_is_judged_on_rows_it_was_not_fitted_on(settings):
    splits = nodes(settings)["Evaluator"].parameters.parameters["example_splits"].field_value.string_value
    assert splits == '["test"]'


@pytest.mark.parametrize(
    ("setting", "value", "components"),
    [
        ("data", Path("others.csv"), {"ContractExampleGen"}),
        ("split", "time", {"ContractExampleGen"}),
        ("quarantine", True, {"ContractExampleGen"}),
        ("with_duration", True, {"Transform", "Tuner", "Trainer"}),
        ("trials", 3, {"Tuner"}),
        ("members", 8, {"Trainer"}),
        ("seed", 7, {"Tuner", "Trainer", "Benchmark", "Importance"}),
        ("synthetic", True, {"Trainer"}),
        ("gate", Gate(min_auc=0.9), {"Evaluator"}),
        ("keep", 1, {"AtomicPusher"}),
        ("run_id", "2", {"AtomicPusher"}),
        ("commit", "1f2e", set()),
        ("cache", False, set()),
    ],
)
def test_a_setting_reaches_the_components_it_concerns_and_no_other(settings, setting, value, components):
    assert changed(settings, replace(settings, **{setting: value})) == components


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
    }


def test_other_slices_are_measured_by_the_evaluator(settings):
    assert "Evaluator" in changed(settings, with_contract(settings, modelling={"slices": ["marital"]}))
