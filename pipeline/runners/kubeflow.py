"""Compiles a graph for Kubeflow Pipelines, or Vertex AI Pipelines, which take the same document.

Each component becomes a task in a container, whose command is TFX's. The document has the schema 2.1.0, which both
take.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline

from pipeline.environment import Environment
from pipeline.runners.local import local_environment
from pipeline.settings import Settings


def kubeflow_environment(settings: Settings, root: str | None) -> Environment:
    """A cluster whose pods see the artifacts folder under the path that it has here.

    Nothing is taken from the cache: the driver that Kubeflow is given for the ExampleGen does not notice other content
    in a file of the same name.

    Args:
      settings: of the model and its rows.
      root: the folder or URI of the artifacts that tasks hand on; None for that of a local run.
    """
    local = local_environment(settings)
    return replace(
        local,
        pipeline_name=re.sub("[^a-z0-9-]", "-", local.pipeline_name.lower()),
        root=root or local.root,
        metadata=None,
        cache=False,
        stock_resolvers=True,
    )


def job(pipeline: Pipeline, image: str) -> dict[str, Any]:
    """The document of a pipeline, a `PipelineSpec`.

    Args:
      pipeline: made for :func:`kubeflow_environment`.
      image: of the containers; the Dockerfile's target `training`.
    """
    config = KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True)
    compiled = KubeflowV2DagRunner(config).run(pipeline, write_out=False)
    return {**compiled["pipelineSpec"], "defaultPipelineRoot": compiled["runtimeConfig"]["gcsOutputDirectory"]}


def write(document: dict[str, Any], file: Path) -> None:
    """Writes the document as YAML; whoever reads the file sees the one before or the whole new one."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8") as stream:
            yaml.safe_dump(document, stream, allow_unicode=True)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
