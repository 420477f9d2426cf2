"""Stages that the graphs of all models share after the rows are checked: Transform, last blessed model, Pusher."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.proto.transform_pb2 import SplitsConfig
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing

from pipeline.components.blessings import EarlierTrialBlessing, TrialBlessing
from pipeline.components.pusher import AtomicPusher
from pipeline.components.resolvers import LatestBlessedTwice
from pipeline.environment import RUN_ID, Environment
from pipeline.graphs.data import CheckedData
from pipeline.settings import ModelSettings

BASELINE = "LatestBlessedModel"


def transform_rows(checked: CheckedData, preprocessing_fn: str, config: dict[str, Any]) -> BaseNode:
    """Transform, which waits until the rows are checked.

    Args:
      checked: the rows.
      preprocessing_fn: import path of the function.
      config: its `custom_config`.
    """
    transform = Transform(
        examples=checked.examples,
        schema=checked.schema,
        preprocessing_fn=preprocessing_fn,
        splits_config=SplitsConfig(analyze=["train"]),
        # Raw rows are a fraction of transformed ones, and the graph is cheap to apply, so nothing is written twice.
        materialize=False,
        disable_statistics=True,
        disable_analyzer_cache=True,
        custom_config=config,
    )
    transform.add_upstream_node(checked.check)
    return transform


def last_blessed_model(environment: Environment) -> BaseNode:
    """Looks up the newest model that no judge refused; with TFX's own classes, that the first judge did not refuse."""
    if environment.stock_resolvers:
        return Resolver(
            strategy_class=LatestBlessedModelStrategy,
            model=types.Channel(type=Model),
            model_blessing=types.Channel(type=ModelBlessing),
        ).with_id(BASELINE)
    return Resolver(
        strategy_class=LatestBlessedTwice,
        model=types.Channel(type=Model),
        model_blessing=types.Channel(type=ModelBlessing),
        infra_blessing=types.Channel(type=InfraBlessing),
        trial_blessing=types.Channel(type=TrialBlessing),
        earlier_trial_blessing=types.Channel(type=EarlierTrialBlessing),
    ).with_id(BASELINE)


def push(
    spec: ModelSettings,
    environment: Environment,
    model: types.BaseChannel,
    blessing: types.BaseChannel,
    infra_blessing: types.BaseChannel,
    trial_blessing: types.BaseChannel | None = None,
) -> BaseNode:
    """The Pusher of a model, which needs the blessings of its judge, of the ServingProbe and of the trial, if any."""
    return AtomicPusher(
        model=model,
        model_blessing=blessing,
        infra_blessing=infra_blessing,
        trial_blessing=trial_blessing,
        base_directory=environment.serving,
        keep=spec.keep,
        replace_inputs=int(spec.replace_inputs),
        run_id=RUN_ID,
    )
