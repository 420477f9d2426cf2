"""Runs the graph on this machine, one component after the other, and says what each did."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig, Execution, SqliteMetadataSourceConfig
from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration.local import runner_utils
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable.launcher import Launcher
from tfx.orchestration.portable.runtime_parameter_utils import substitute_runtime_parameter

from data.command import interruptions
from pipeline.components.pusher import digest
from pipeline.environment import RUN_ID, Champion, Environment
from pipeline.settings import Settings
from runs import versions
from runs.summary import Stage, of_version


class StageError(Exception):
    """A component could not be started, because its inputs were not found."""


def local_environment(settings: Settings) -> Environment:
    """This machine: local folders, and a SQLite file for the metadata. Beam's part may run on an engine."""
    return Environment(
        pipeline_name=settings.pipeline_name,
        root=str(settings.artifacts / "tfx" / settings.pipeline_name),
        serving=str(settings.serving),
        # TFX's helper for this creates the folder as well.
        metadata=ConnectionConfig(
            sqlite=SqliteMetadataSourceConfig(
                filename_uri=str(settings.metadata),
                connection_mode=SqliteMetadataSourceConfig.READWRITE_OPENCREATE,
            )
        ),
        cache=settings.cache,
        beam_args=settings.engine.beam_args,
        champion=_champion(settings),
    )


def _champion(settings: Settings) -> Champion | None:
    """The champion, of which a run's summary says how its rows were split."""
    number = versions.champion(settings.artifacts, settings.spec.model.name)
    if number is None:
        return None
    path = str(settings.serving / str(number))
    run = of_version(settings.run_folder.parent, str(number))
    return Champion(number, path, digest(path), run.dataset.split if run else "")


def run_locally(pipeline: Pipeline, run_id: str) -> Iterator[Stage | str]:
    """Runs every component in order, in this process; yields its name before it starts and its Stage when it is done.

    TFX's LocalDagRunner does the same in silence: neither which component runs, nor whether its result came from the
    cache, nor that its inputs could not be found.

    Args:
      pipeline: what to run.
      run_id: name of the run in the metadata store.

    Raises:
      StageError: a component's inputs are not there.
      KeyboardInterrupt: on Ctrl-C, at the latest before the next component.
      Exception: whatever a component raised.
    """
    with interruptions() as interrupted:
        for event in _launch(pipeline, run_id):
            if interrupted() and isinstance(event, str):
                raise KeyboardInterrupt
            yield event


def _launch(pipeline: Pipeline, run_id: str) -> Iterator[Stage | str]:
    ir = Compiler().compile(pipeline)
    substitute_runtime_parameter(ir, {PIPELINE_RUN_ID_PARAMETER_NAME: run_id, RUN_ID.name: run_id})
    deployment = runner_utils.extract_local_deployment_config(ir)
    connection = deployment.metadata_connection_config
    store = Metadata(getattr(connection, connection.WhichOneof("connection_config")))
    for node in (node.pipeline_node for node in ir.nodes):
        name = node.node_info.id
        yield name
        started = time.monotonic()
        info = Launcher(
            pipeline_node=node,
            mlmd_connection=store,
            pipeline_info=ir.pipeline_info,
            pipeline_runtime_spec=ir.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, name),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
        ).launch()
        with store as handle:
            (execution,) = handle.store.get_executions_by_id([info.execution_id])
        if execution.last_known_state not in (Execution.COMPLETE, Execution.CACHED):
            raise StageError(f"{name} could not be started: its inputs were not found")
        yield Stage(name, time.monotonic() - started, execution.last_known_state == Execution.CACHED)
