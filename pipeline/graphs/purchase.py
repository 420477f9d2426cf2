"""The graph of the purchase model, from raw customers to a pushed version."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components import Evaluator, Trainer, Tuner
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.types.standard_artifacts import HyperParameters

from modules.purchase.config import TrainingConfig
from modules.purchase.evaluation import eval_config
from pipeline.components.benchmark import Benchmark
from pipeline.components.feature_importance import Importance
from pipeline.components.newest_months import NewestMonths
from pipeline.components.resolvers import LatestOrNone
from pipeline.components.scorer import Scorer
from pipeline.components.serving_probe import ServingProbe
from pipeline.environment import Environment
from pipeline.fingerprint import code_fingerprint
from pipeline.graphs.data import CheckedData, checked_data
from pipeline.graphs.model import last_blessed_model, push, transform_rows
from pipeline.settings import PurchaseSettings, TrainingData

EARLIER_HYPERPARAMETERS = "LatestHyperparameters"


def create_pipeline(spec: PurchaseSettings, data: TrainingData, environment: Environment) -> Pipeline:
    """The pipeline that trains, judges and pushes the purchase model.

    Args:
      spec: how the model is trained, judged and pushed.
      data: the rows it learns from.
      environment: where the pipeline runs.
    """
    checked = checked_data(data, environment)
    config = _config(spec, data, "modules.purchase.transform")
    transform = transform_rows(checked, "modules.purchase.transform.preprocessing_fn", config)
    tuning, trainer = _training(spec, data, environment, checked, transform)
    baseline, evaluator = _evaluation(spec, data, environment, checked, trainer)
    contract, model = data.contract.model_dump_json(), trainer.outputs["model"]
    scorer = Scorer(
        examples=checked.examples,
        model=model,
        label=data.contract.required_label.name,
        code=code_fingerprint("pipeline.components.scorer"),
    )
    probe = ServingProbe(
        examples=checked.examples,
        model=model,
        scores=scorer.outputs["scores"],
        contract=contract,
        output=spec.model.score,
        code=code_fingerprint("pipeline.components.serving_probe"),
    )
    benchmark = Benchmark(
        examples=checked.examples,
        model=model,
        model_run=trainer.outputs["model_run"],
        scores=scorer.outputs["scores"],
        contract=contract,
        seed=spec.seed,
        code=code_fingerprint("pipeline.components.benchmark"),
    )
    importance = Importance(
        examples=checked.examples,
        model=model,
        contract=contract,
        seed=spec.seed,
        code=code_fingerprint("pipeline.components.feature_importance"),
    )
    trials = [_trial(data, environment, checked, model, scorer)] if data.contract.call_date else []
    pusher = push(
        spec,
        environment,
        model,
        evaluator.outputs["blessing"],
        probe.outputs["blessing"],
        *(trial.outputs["blessing"] for trial in trials),
    )
    optional = [benchmark] * spec.benchmark
    judges = [baseline, evaluator, scorer, *trials, probe, *optional, importance]
    pushed = [pusher] * spec.push
    return environment.pipeline([*checked.components, transform, *tuning, trainer, *judges, *pushed])


def _config(spec: PurchaseSettings, data: TrainingData, module: str, **more: Any) -> dict[str, Any]:
    """The configuration of a stage that runs one of our modules."""
    return TrainingConfig(data.contract, spec.with_after_call, code_fingerprint(module), **more).to_config()


def _training(
    spec: PurchaseSettings, data: TrainingData, environment: Environment, checked: CheckedData, transform: BaseNode
) -> tuple[tuple[BaseNode, ...], BaseNode]:
    """The search for hyperparameters, or those of an earlier run where they can be looked up, and the Trainer."""
    inputs: dict[str, types.BaseChannel] = {
        "examples": checked.examples,
        "transform_graph": transform.outputs["transform_graph"],
    }
    tuning: tuple[BaseNode, ...] = ()
    if spec.trials:
        config = _config(spec, data, "modules.purchase.tuner", seed=spec.seed, trials=spec.trials)
        tuning = (Tuner(**inputs, tuner_fn="modules.purchase.tuner.tuner_fn", custom_config=config),)
    elif not environment.stock_resolvers:
        earlier = Resolver(strategy_class=LatestOrNone, best_hyperparameters=types.Channel(type=HyperParameters))
        tuning = (earlier.with_id(EARLIER_HYPERPARAMETERS),)
    trainer = Trainer(
        **inputs,
        hyperparameters=tuning[0].outputs["best_hyperparameters"] if tuning else None,
        run_fn="modules.purchase.trainer.run_fn",
        custom_config=_config(
            spec,
            data,
            "modules.purchase.trainer",
            seed=spec.seed,
            synthetic=data.synthetic,
            members=spec.members,
        ),
    )
    return tuning, trainer


def _evaluation(
    spec: PurchaseSettings, data: TrainingData, environment: Environment, checked: CheckedData, trainer: BaseNode
) -> tuple[BaseNode, BaseNode]:
    """The baseline, which is the newest model with both blessings, and the Evaluator."""
    baseline = last_blessed_model(environment)
    evaluator = Evaluator(
        examples=checked.examples,
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        schema=checked.schema,
        example_splits=["test"],
        eval_config=eval_config(data.contract, spec.gate, code_fingerprint("modules.purchase.evaluation")),
        module_path="modules.purchase.evaluation",
    )
    return baseline, evaluator


def _trial(
    data: TrainingData, environment: Environment, checked: CheckedData, model: types.BaseChannel, scorer: BaseNode
) -> BaseNode:
    """The comparison with the champion on the newest months."""
    champion = environment.champion
    return NewestMonths(
        examples=checked.examples,
        model=model,
        scores=scorer.outputs["scores"],
        contract=data.contract.model_dump_json(),
        split=data.split,
        champion=champion.folder if champion else "",
        version=champion.version if champion else 0,
        digest=champion.digest if champion else "",
        champion_split=champion.split if champion else "",
        code=code_fingerprint("pipeline.components.newest_months"),
    )
