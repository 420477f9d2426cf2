"""The graph of the segment model, from raw customers to a pushed version."""

from __future__ import annotations

import json
from typing import Any

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing

from modules.segments.config import SegmentConfig
from pipeline.components.pusher import AtomicPusher
from pipeline.components.resolvers import LatestBlessedTwice
from pipeline.components.segment_judge import SegmentJudge
from pipeline.components.segment_search import SegmentSearch
from pipeline.components.serving_probe import ServingProbe
from pipeline.environment import RUN_ID, Environment
from pipeline.fingerprint import code_fingerprint
from pipeline.graphs.data import CheckedData, checked_data
from pipeline.graphs.purchase import BASELINE
from pipeline.settings import SegmentSettings, TrainingData


def create_pipeline(spec: SegmentSettings, data: TrainingData, environment: Environment) -> tfx.dsl.Pipeline:
    """The pipeline that segments customers, judges the segments and pushes the model.

    Args:
      spec: how customers are segmented and the model is pushed.
      data: the rows it learns from.
      environment: where the pipeline runs.
    """
    checked = checked_data(data)
    contract = data.contract.model_dump_json()
    transform = _transform(spec, data, checked)
    search, baseline, trainer = _training(spec, data, checked, transform)
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
    pusher = AtomicPusher(
        model=model,
        model_blessing=judge.outputs["blessing"],
        infra_blessing=probe.outputs["blessing"],
        base_directory=environment.serving,
        keep=spec.keep,
        replace_inputs=int(spec.replace_inputs),
        run_id=RUN_ID,
    )
    return environment.pipeline([*checked.components, transform, search, baseline, trainer, judge, probe, pusher])


def _training(
    spec: SegmentSettings, data: TrainingData, checked: CheckedData, transform: BaseNode
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
    baseline = tfx.dsl.Resolver(
        strategy_class=LatestBlessedTwice,
        model=tfx.dsl.Channel(type=Model),
        model_blessing=tfx.dsl.Channel(type=ModelBlessing),
        infra_blessing=tfx.dsl.Channel(type=InfraBlessing),
    ).with_id(BASELINE)
    trainer = tfx.components.Trainer(
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


def _transform(spec: SegmentSettings, data: TrainingData, checked: CheckedData) -> BaseNode:
    transform = tfx.components.Transform(
        examples=checked.examples,
        schema=checked.schema,
        preprocessing_fn="modules.segments.transform.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=["train"]),
        # Raw rows are a fraction of transformed ones, and the graph is cheap to apply, so nothing is written twice.
        materialize=False,
        disable_statistics=True,
        disable_analyzer_cache=True,
        custom_config=_config(spec, data, "modules.segments.transform"),
    )
    transform.add_upstream_node(checked.check)
    return transform
