"""Writes the purchase model's graph as a job for a cluster's orchestrator: `python -m pipeline.compile`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import warnings
from pathlib import Path

from data.command import DONE, guarded
from data.errors import BadOptionError, NotReadyError
from data.model_spec import PURCHASE_MODEL
from pipeline import engine
from pipeline.options import (
    add_common_options,
    add_data_options,
    add_engine_option,
    add_rows_options,
    add_version_options,
)
from pipeline.run import add_purchase_options, purchase
from pipeline.settings import PurchaseSettings, Settings, code_commit

PACKAGE = "kfp-pipeline-spec==0.2.2"

EPILOG = """\
examples:
  python -m pipeline.compile --to kubeflow job.yaml --image registry.example/purchase-model-training:0.1.0 \\
      --data /mnt/bank/calls.csv --artifacts /mnt/bank/artifacts
  ... --root gs://bank/tfx                 what tasks hand on lies in a bucket, as Vertex AI asks for
  ... --no-tune                            with the contract's hyperparameters

The job trains, judges and pushes as python -m pipeline.run does, each component in a container of the image, the
Dockerfile's target `training`. Containers must see --data and --artifacts under the same paths as this machine. Submit
the file with Kubeflow's or Vertex AI's client; its one parameter is run-id, a new name for each run. The champion that
a new model is compared with is written into the job, so compile again after a promotion. deploy/kubeflow/README.md says
how to submit it, and what has not been tried on a cluster.

exit codes: 0 done, 2 bad input, 1 anything else
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _compile(options))


def _compile(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("kfp") is None:
        raise NotReadyError(
            f"compiling for Kubeflow needs the package {PACKAGE}; in this checkout `make run ARGS=--help` installs it, "
            f"elsewhere `pip install {PACKAGE}`"
        )
    settings = _settings(options)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore", FutureWarning)  # Google's clients, about the version of Python
    from pipeline.graphs.purchase import create_pipeline
    from pipeline.runners import kubeflow

    environment = kubeflow.kubeflow_environment(settings, options.root)
    document = kubeflow.job(create_pipeline(settings.spec, settings.data, environment), options.image)
    kubeflow.write(document, options.file)
    tasks = len(document["root"]["dag"]["tasks"])
    lines = [
        f"wrote {options.file}: {environment.pipeline_name}, {tasks} tasks",
        f"its containers must see {settings.data.path} and {settings.artifacts}",
    ]
    if settings.data.contract.call_date:
        champion = environment.champion
        compared = f"with version {champion.version}, the champion" if champion else "with none: there is no champion"
        lines.append(f"new models are compared {compared}")
    sys.stdout.write("\n".join(lines) + "\n")
    return DONE


def _settings(options: argparse.Namespace) -> Settings[PurchaseSettings]:
    if options.file.suffix not in (".yaml", ".yml"):
        raise BadOptionError(f"{options.file}: the job is written as YAML; expected a name that ends in .yaml")
    if not options.file.absolute().parent.is_dir():
        raise BadOptionError(f"{options.file}: there is no folder {options.file.parent}")
    if options.data is None:
        raise BadOptionError("--data: name the rows to learn from, under a path that containers see too")
    spec, data = purchase(options)
    return Settings(
        data=data,
        run_id="",  # each run of the job has its own
        spec=spec,
        artifacts=options.artifacts.resolve(),
        commit=code_commit(),
        engine=engine.load(options.engine),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.compile",
        description="Writes the pipeline of the purchase model as a job for Kubeflow Pipelines or Vertex AI Pipelines.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the job to write, such as job.yaml")
    parser.add_argument("--to", choices=("kubeflow",), required=True, help="what will run it")
    parser.add_argument("--image", required=True, help="of the containers, such as registry/purchase-model-training:1")
    parser.add_argument(
        "--root",
        metavar="URI|FOLDER",
        help="where what tasks hand on lies, such as gs://bucket/tfx (default: tfx/ in the artifacts folder)",
    )
    add_data_options(parser)
    add_purchase_options(parser)
    add_version_options(parser, PURCHASE_MODEL.name)
    add_rows_options(parser)
    add_common_options(parser)
    add_engine_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
