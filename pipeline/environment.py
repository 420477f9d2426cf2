"""Where a pipeline runs. A runner makes it, and the graph takes it as it is."""

from __future__ import annotations

from dataclasses import dataclass

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

RUN_ID = RuntimeParameter(name="run-id", ptype=str)
"""The run's id, which the runner sets when it starts a run: a compiled graph may run many times."""


@dataclass(frozen=True)
class Champion:
    """The version in service, which a new model is compared with before it may replace it.

    Attributes:
      version: its number.
      folder: of the SavedModel.
      digest: of the folder's files, so that the cache notices other files under the same number.
      split: how the rows that it learned from were held out, see `pipeline.settings.TrainingData`; empty where that is
        not known.
    """

    version: int
    folder: str
    digest: str
    split: str = ""


@dataclass(frozen=True)
class Environment:
    """What a graph has to know about the place it runs in.

    Attributes:
      pipeline_name: runs of the same name share caches and baselines.
      root: the folder or URI of all artifacts of this pipeline.
      serving: the folder or URI of the model's versions.
      metadata: how to connect to ML Metadata; None where the runner brings its own.
      beam_args: flags for Beam, such as `--runner=FlinkRunner`.
      cache: whether unchanged stages are taken from the cache.
      champion: of the model; None where none is in service.
      stock_resolvers: whether only TFX's own classes may look up artifacts of earlier runs.
    """

    pipeline_name: str
    root: str
    serving: str
    metadata: ConnectionConfig | None = None
    beam_args: tuple[str, ...] = ()
    cache: bool = True
    champion: Champion | None = None
    stock_resolvers: bool = False

    def pipeline(self, components: list[BaseNode]) -> Pipeline:
        """The components as a pipeline of this environment."""
        return Pipeline(
            pipeline_name=self.pipeline_name,
            pipeline_root=self.root,
            components=components,
            enable_cache=self.cache,
            metadata_connection_config=self.metadata,
            beam_pipeline_args=list(self.beam_args),
        )
