"""The graph of the segment model, from raw customers to a pushed version."""

from __future__ import annotations

import json
from typing import Any

from tfx.components import Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline

from modules.segments.config import SegmentConfig
from pipeline.components.segment_judge import SegmentJudge
from pipeline.components.segment_search import SegmentSearch
from pipeline.components.serving_probe import ServingProbe
from pipeline.environment import Environment
from pipeline.fingerprint import code_fingerprint
from pipeline.graphs.data import CheckedData, checked_data
from pipeline.graphs.model import last_blessed_model, push, transform_rows
from pipeline.settings import SegmentSettings, TrainingData


def create_pipeline(spec: SegmentSettings, data: TrainingData, environment: Environment) -> Pipeline:
    """The pipeline that segments customers, judges the segments and pushes the model.

    Args:
      spec: how customers are segmented and the model is pushed.
      data: the rows it learns from.
      environment: where the pipeline runs.
    """
    checked = checked_data(data, environment)
    contract = data.contract.model_dump_json()
    config = _config(spec, data, "modules.segments.transform")
    transform = transform_rows(checked, "modules.segments.transform.preprocessing_fn", config)
    search, baseline, trainer = _training(spec, data, environment, checked, transform)
    model = trainer.outputs["model"]
    judge = SegmentJudge(
        examples=checked.examples,
        transform_graph=transform.outputs["transform_graph"],
        search=search.outputs["search"],
        model=model,
        model_run=trainer.outputs["model_run"],
        contract=contract,
        seed=spec.seed,
        code=code_fingerprint("pipeline.components.segment_judge"),
    )
    probe = ServingProbe(
        examples=checked.examples,
        model=model,
        scores=judge.outputs["scores"],
        contract=contract,
        output=spec.model.decision,
        code=code_fingerprint("pipeline.components.serving_probe"),
    )
    pusher = push(spec, environment, model, judge.outputs["blessing"], probe.outputs["blessing"])
    return environment.pipeline([*checked.components, transform, search, baseline, trainer, judge, probe, pusher])


def _training(
    spec: SegmentSettings, data: TrainingData, environment: Environment, checked: CheckedData, transform: BaseNode
) -> tuple[BaseNode, BaseNode, BaseNode]:
    """The search, the last blessed model whose segments keep their names, and the Trainer."""
    config = _config(
        spec,
        data,
        "pipeline.components.segment_search",
        method=spec.method,
        fewest=spec.fewest,
        most=spec.most,
        seed=spec.seed,
    )
    search = SegmentSearch(
        examples=checked.examples,
        transform_graph=transform.outputs["transform_graph"],
        config=json.dumps(config),
    )
    baseline = last_blessed_model(environment)
    trainer = Trainer(
        examples=checked.examples,
        transform_graph=transform.outputs["transform_graph"],
        hyperparameters=search.outputs["best_hyperparameters"],
        base_model=baseline.outputs["model"],
        run_fn="modules.segments.trainer.run_fn",
        custom_config=_config(
            spec,
            data,
            "modules.segments.trainer",
            seed=spec.seed,
            synthetic=data.synthetic,
            names=json.dumps(dict(spec.names)),
        ),
    )
    return search, baseline, trainer


def _config(spec: SegmentSettings, data: TrainingData, module: str, **more: Any) -> dict[str, Any]:
    """The configuration of a stage that runs one of our modules."""
    return SegmentConfig(data.contract, spec.view, code_fingerprint(module), **more).to_config()
