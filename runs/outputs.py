"""Reads the metadata store: which artifacts a run used and made."""

from __future__ import annotations

from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from data.errors import NotReadyError

_OUTPUT = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT)


def connect(database: Path) -> MetadataStore:
    """The metadata store in a SQLite file."""
    return MetadataStore(mlmd.ConnectionConfig(sqlite=mlmd.SqliteMetadataSourceConfig(filename_uri=str(database))))


def outputs(store: MetadataStore, run_id: str) -> dict[str, mlmd.Artifact]:
    """What a run's components put out, cached results included, by component and output, as in `Trainer.model`.

    Raises:
      NotReadyError: the store does not know the run.
    """
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    if run is None:
        raise NotReadyError(f"run {run_id}: the metadata does not know it; it has been pruned or was moved here")
    executions = {execution.id: execution for execution in store.get_executions_by_context(run.id)}
    events = [event for event in store.get_events_by_execution_ids(list(executions)) if event.type in _OUTPUT]
    artifacts = {a.id: a for a in store.get_artifacts_by_id({event.artifact_id for event in events})}
    types = {t.id: t.name for t in store.get_execution_types()}
    found = {}
    for event in events:
        node = types[executions[event.execution_id].type_id].rsplit(".", 1)[-1]
        key = next(step.key for step in event.path.steps if step.HasField("key"))
        found[f"{node}.{key}"] = artifacts[event.artifact_id]
    return found
