"""Command line: the flags of `tensorflow_model_server`, as far as they apply, and one of our own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from data.errors import BadOptionError, did_you_mean

DEFAULT_MODEL = "purchase-model"
DEFAULT_BASE_PATH = Path("artifacts") / "serving" / DEFAULT_MODEL

USAGE = f"""\
Serves models over TensorFlow Serving's REST API.

  python -m serving [--flag=value ...]

Without flags: serves {DEFAULT_BASE_PATH} as {DEFAULT_MODEL} on port 8501, with metrics.

Which models
  --model_base_path=DIR     directory with numbered versions; without it and without --model_config_file, the default
  --model_name=NAME         its name ("default" if only the path is given)
  --model_config_file=FILE  several models, labels and version policies: a ModelServerConfig in text format
  --model_config_file_poll_wait_seconds=N   read that file again every N seconds (0: never)
  --allow_version_labels_for_unavailable_models   labels may name versions that are not loaded yet
REST API
  --rest_api_port=N         port (8501)
  --rest_api_num_threads=N  threads that run TensorFlow (twice the cores)
  --rest_api_timeout_in_ms=N   longest time of one run (30000)
  --rest_api_enable_cors_support   answer with CORS headers
  --max_request_bytes=N     longest request body, 413 beyond (16777216); this flag is not TensorFlow Serving's
  --monitoring_config_file=FILE   a MonitoringConfig in text format; decides whether and where metrics are
Loading
  --file_system_poll_wait_seconds=N   time between two looks for new versions (1; 0: look once)
  --max_num_load_retries=N  attempts after a failed load (5)
  --load_retry_interval_micros=N   time between attempts (60000000)
  --enable_model_warmup=false   do not replay a version's warm-up requests
Running
  --enable_batching         let requests that wait share a run; by default only for models this project exports
  --tensorflow_intra_op_parallelism=N   threads within an operation (1; 0: all cores)
  --tensorflow_inter_op_parallelism=N   threads for operations side by side (0: none, each run on one thread)
  --tensorflow_session_parallelism=N    sets both
  --version, --help
"""

_NOT_IMPLEMENTED = frozenset(
    (
        "batching_parameters_file",
        "enable_grpc_healthcheck_service",
        "enable_per_model_batching_parameters",
        "enable_profiler",
        "enable_serialization_as_tensor_content",
        "enable_signature_method_name_check",
        "flush_filesystem_caches",
        "grpc_channel_arguments",
        "grpc_max_threads",
        "grpc_socket_path",
        "mixed_precision",
        "num_load_threads",
        "num_request_iterations_for_warmup",
        "num_tflite_interpreters_per_pool",
        "num_tflite_pools",
        "num_unload_threads",
        "per_process_gpu_memory_fraction",
        "platform_config_file",
        "port",
        "prefer_tflite_model",
        "remove_unused_fields_from_bundle_metagraph",
        "saved_model_tags",
        "skip_initialize_tpu",
        "ssl_config_file",
        "tensorflow_session_config_file",
        "thread_pool_factory_config_file",
        "use_alts_credentials",
        "xla_cpu_compilation_enabled",
        "xla_gpu_compilation_enabled",
    )
)


@dataclass(frozen=True)
class Flags:
    """The command line. The names are the flags' names; `USAGE` explains them."""

    model_base_path: str = ""
    model_name: str = ""
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: int = 0
    allow_version_labels_for_unavailable_models: bool = False
    rest_api_port: int = 8501
    rest_api_num_threads: int = 2 * (os.cpu_count() or 1)
    rest_api_timeout_in_ms: int = 30_000
    rest_api_enable_cors_support: bool = False
    max_request_bytes: int = 16 * 1024 * 1024
    monitoring_config_file: str = ""
    file_system_poll_wait_seconds: int = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    enable_model_warmup: bool = True
    enable_batching: bool | None = None
    tensorflow_intra_op_parallelism: int = 1
    tensorflow_inter_op_parallelism: int = 0
    tensorflow_session_parallelism: int = 0

    @property
    def serves_default(self) -> bool:
        """Whether the pipeline's model is served, as no other one is named."""
        return not self.model_base_path and not self.model_config_file


def parse(arguments: Sequence[str]) -> Flags:
    """Reads `--name=value`, or `--name` for a boolean; the last occurrence wins, as in TensorFlow Serving.

    Raises:
      BadOptionError: an unknown flag, one of TensorFlow Serving's that this server does not have, or a bad value.
    """
    kinds = {field.name: str(field.type) for field in fields(Flags)}
    values: dict[str, object] = {}
    for argument in arguments:
        name, has_value, text = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not name:
            raise BadOptionError(f"{argument!r}: expected --flag=value")
        if name in _NOT_IMPLEMENTED:
            raise BadOptionError(f"--{name}: tensorflow_model_server has this flag, this server does not")
        if name not in kinds:
            raise BadOptionError(f"--{name}: no such flag{did_you_mean(name, kinds)}; see --help")
        values[name] = _value(name, kinds[name], text if has_value else None)
    flags = Flags(**values)
    _check(flags, values)
    return flags


def _value(name: str, kind: str, text: str | None) -> object:
    if kind.startswith("bool"):
        if text in (None, "true", "1"):
            return True
        if text in ("false", "0"):
            return False
        raise BadOptionError(f"--{name}={text}: expected true or false")
    if text is None:
        raise BadOptionError(f"--{name}: expected --{name}=value")
    if kind == "str":
        return text
    try:
        return int(text)
    except ValueError:
        raise BadOptionError(f"--{name}={text}: expected a whole number") from None


def _check(flags: Flags, given: dict[str, object]) -> None:
    if not 1 <= flags.rest_api_port <= 65535:
        raise BadOptionError(f"--rest_api_port={flags.rest_api_port}: expected a port from 1 to 65535")
    for name in ("rest_api_num_threads", "max_request_bytes"):
        if getattr(flags, name) < 1:
            raise BadOptionError(f"--{name}={getattr(flags, name)}: expected at least 1")
    for name, value in given.items():
        if type(value) is int and value < 0 and name != "load_retry_interval_micros":
            raise BadOptionError(f"--{name}={value}: expected 0 or more")
    if "tensorflow_session_parallelism" in given and {
        "tensorflow_intra_op_parallelism",
        "tensorflow_inter_op_parallelism",
    } & set(given):
        raise BadOptionError("--tensorflow_session_parallelism sets both others: give it or them")
