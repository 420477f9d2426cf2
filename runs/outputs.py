"""The artifacts of one run, from ML Metadata, by the node of the pipeline that put them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from data.errors import NotReadyError

_OUTPUT = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT)


class Output(NamedTuple):
    """An output of a node: the node's id in the pipeline, and the key."""

    node: str
    key: str

    def __str__(self) -> str:
        return f"{self.node}.{self.key}"


EXAMPLES = Output("ContractExampleGen", "examples")
ANOMALIES = Output("ExampleValidator", "anomalies")
TUNER_RESULTS = Output("Tuner", "tuner_results")
MODEL = Output("Trainer", "model")
MODEL_RUN = Output("Trainer", "model_run")
LAST_BLESSED = Output("LatestBlessedModel", "model")
"""The model that the Evaluator compares the new one with. A resolver only looks it up, and puts out nothing new."""
EVALUATION = Output("Evaluator", "evaluation")
BLESSING = Output("Evaluator", "blessing")
SCORES = Output("Scorer", "scores")
TRIAL = Output("NewestMonths", "trial")
TRIAL_BLESSING = Output("NewestMonths", "blessing")
SERVING_BLESSING = Output("ServingProbe", "blessing")
COMPARISON = Output("Benchmark", "comparison")
IMPORTANCE = Output("Importance", "importance")
SEARCH = Output("SegmentSearch", "search")
SEGMENTATION = Output("SegmentJudge", "segmentation")
SEGMENT_BLESSING = Output("SegmentJudge", "blessing")
PUSHED_MODEL = Output("AtomicPusher", "pushed_model")


@dataclass(frozen=True)
class RunOutputs:
    """What the nodes of one run put out, with results from the cache.

    Attributes:
      artifacts: by node and key.
      last_blessed: ids of the runs, oldest first, that put out the model which the Evaluator compared this run's model
        with; none in a first run.
    """

    artifacts: Mapping[Output, mlmd.Artifact]
    last_blessed: tuple[str, ...] = ()

    def __contains__(self, output: Output) -> bool:
        return output in self.artifacts

    def __getitem__(self, output: Output) -> mlmd.Artifact:
        return self.artifacts[output]

    def uri(self, output: Output) -> str:
        """Where an artifact lies."""
        return self.artifacts[output].uri


def connect(database: Path) -> MetadataStore:
    """The metadata store in a SQLite file."""
    return MetadataStore(mlmd.ConnectionConfig(sqlite=mlmd.SqliteMetadataSourceConfig(filename_uri=str(database))))


def outputs(store: MetadataStore, run_id: str) -> RunOutputs:
    """The artifacts of a run.

    Raises:
      NotReadyError: the store does not know the run.
    """
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    if run is None:
        raise NotReadyError(f"run {run_id}: the metadata does not know it; it has been pruned or was moved here")
    events = list(_events(store, run))
    artifacts = {a.id: a for a in store.get_artifacts_by_id({event.artifact_id for _, event in events})}
    put_out = {output: artifacts[event.artifact_id] for output, event in events if event.type in _OUTPUT}
    last_blessed = [event.artifact_id for output, event in events if output == LAST_BLESSED]
    return RunOutputs(put_out, tuple(_runs_of(store, last_blessed[0])) if last_blessed else ())


def _events(store: MetadataStore, run: mlmd.Context) -> Iterator[tuple[Output, mlmd.Event]]:
    """Every artifact that a node of the run used or put out."""
    types = {kind.id: kind.name for kind in store.get_context_types()}
    nodes = {}
    for execution in store.get_executions_by_context(run.id):
        contexts = {types[c.type_id]: c.name for c in store.get_contexts_by_execution(execution.id)}
        nodes[execution.id] = contexts["node"].removeprefix(f"{contexts['pipeline']}.")
    for event in store.get_events_by_execution_ids(list(nodes)):
        key = next((step.key for step in event.path.steps if step.HasField("key")), "")
        yield Output(nodes[event.execution_id], key), event


def _runs_of(store: MetadataStore, artifact: int) -> list[str]:
    """Ids of the runs that put an artifact out, oldest first."""
    kind = store.get_context_type("pipeline_run").id
    executions = [e.execution_id for e in store.get_events_by_artifact_ids([artifact]) if e.type in _OUTPUT]
    contexts = (context for number in executions for context in store.get_contexts_by_execution(number))
    return sorted({context.name for context in contexts if context.type_id == kind})
