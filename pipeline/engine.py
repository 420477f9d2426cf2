"""The engine that runs Beam's part of a pipeline: this process, or a cluster that a file in `deploy/engines` describes.

Before a job, `check` runs a tiny one on the engine. It finds out in words what would otherwise end a run after minutes
with "Error running pipeline": no job server at the address, no worker, a worker without this project or with another
state of it, a folder that the worker does not share.
"""

from __future__ import annotations

import json
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from data.errors import BadOptionError, ExpectedError, did_you_mean
from data.paths import ROOT

ENGINES = ROOT / "deploy" / "engines"
LOCAL = "local"
_CONNECT_SECONDS = 10

_PROBE = """
import importlib.util, json
found = {{"project": importlib.util.find_spec("pipeline") is not None}}
if found["project"]:
    from pipeline.fingerprint import code_fingerprint
    found["code"] = code_fingerprint("pipeline.run")
try:
    with open({file!r}, "w") as answer:
        json.dump(found, answer)
except OSError:
    pass
"""
"""Runs in a worker. It uses the standard library until it has found the project."""


class EngineError(ExpectedError):
    """An engine cannot run our jobs."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str
    beam_flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Engine:
    """Where Beam runs.

    Attributes:
      name: of the file.
      title: in words.
      beam_args: flags for Beam; empty for this process.
    """

    name: str = LOCAL
    title: str = "this process"
    beam_args: tuple[str, ...] = ()


def load(name_or_file: str) -> Engine:
    """Reads the description of an engine.

    Args:
      name_or_file: such as `flink` for a file in `deploy/engines`, or the path of a YAML file.

    Raises:
      BadOptionError: there is no such engine, or the file is not the description of one.
    """
    path = Path(name_or_file)
    if path.suffix not in (".yaml", ".yml"):
        known = sorted(file.stem for file in ENGINES.glob("*.yaml"))
        if name_or_file not in known:
            hint = did_you_mean(name_or_file, known)
            raise BadOptionError(f"--engine {name_or_file}{hint}: expected one of {', '.join(known)}, or a .yaml file")
        path = ENGINES / f"{name_or_file}.yaml"
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = _File.model_validate(document)
    except OSError as error:
        raise BadOptionError(f"--engine {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadOptionError(f"--engine {path}: not valid YAML: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise BadOptionError(f"--engine {path}: {where}: {problem['msg']}; see deploy/engines/flink.yaml") from error
    flags = file.beam_flags
    # TFX packs itself for every component where an engine has no image, whether the engine uses one or not.
    if flags and not any(flag.startswith("--sdk_container_image") for flag in flags):
        flags = (*flags, "--sdk_container_image=none")
    return Engine(path.stem, file.title, flags)


def check(engine: Engine, folder: Path) -> None:
    """Runs a tiny job on an engine; nothing is checked for this process.

    Args:
      engine: to check.
      folder: that the workers must share.

    Raises:
      EngineError: the engine cannot run our jobs; the message says what is missing.
    """
    if not engine.beam_args:
        return
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions

    options = PipelineOptions(list(engine.beam_args))
    endpoint = options.view_as(PortableOptions).job_endpoint
    if endpoint and endpoint != "embed":
        _connect(engine, endpoint)
    answer = folder / f".engine-{secrets.token_hex(4)}.json"
    try:
        try:
            with beam.Pipeline(options=options) as pipeline:
                pipeline | beam.Create([_PROBE.format(file=str(answer))]) | beam.Map(exec)
        except Exception as error:
            raise EngineError(
                f"engine {engine.name}: a tiny job failed ({_first_line(error)}); is a worker running beside each of "
                "its task managers, `python -m pipeline.worker`? The job server's log says more"
            ) from error
        _judge(engine, folder, answer)
    finally:
        answer.unlink(missing_ok=True)


def _connect(engine: Engine, endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise EngineError(f"engine {engine.name}: no job server at {endpoint}: {error}") from error


def _judge(engine: Engine, folder: Path, answer: Path) -> None:
    from pipeline.fingerprint import code_fingerprint

    if not answer.exists():
        raise EngineError(
            f"engine {engine.name}: its worker cannot write to {folder}; driver and workers must share that folder "
            "under the same path"
        )
    found = json.loads(answer.read_text(encoding="utf-8"))
    if not found["project"]:
        raise EngineError(
            f"engine {engine.name}: its worker has no module `pipeline`; start it with `python -m pipeline.worker` in "
            "a checkout of this project"
        )
    if found["code"] != code_fingerprint("pipeline.run"):
        raise EngineError(f"engine {engine.name}: its worker has another state of this project; update its checkout")


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
