"""The command line: the flags of `tensorflow_model_server` that apply here, and a few of our own."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from data import models_config
from data.errors import BadOptionError, did_you_mean
from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS, models_folder

MODELS_FOLDER = models_folder(Path(ARTIFACTS.name))
"""In the current directory, which is the checkout."""

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

MODELS, REST, LOADING, RUNNING = "Models", "REST API", "Loading", "Running"


def _flag(default: Any, group: str, help: str, value: str = "N", minimum: int | None = 0, own: bool = False) -> Any:
    """A field of `Flags`.

    Args:
      default: shown in the help unless it is empty or None.
      group: the heading under which the help shows the flag.
      value: what the help shows behind the equals sign.
      minimum: the smallest number allowed, or None for any.
      own: whether `tensorflow_model_server` lacks the flag.
    """
    metadata = {"group": group, "help": help, "value": value, "minimum": minimum, "own": own}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Flags:
    """The values of the command line. Each field is the flag of the same name."""

    models_folder: str = _flag(
        str(MODELS_FOLDER),
        MODELS,
        f"folder with a folder of numbered versions for each model, and labels of versions in {models_config.FILE}",
        "DIR",
        own=True,
    )
    model_base_path: str = _flag("", MODELS, "folder with the numbered versions of one model", "DIR")
    model_name: str = _flag(
        "",
        MODELS,
        'name of that model; "default" if only its folder is given; without its folder, the one in --models_folder',
        "NAME",
    )
    model_config_file: str = _flag(
        "", MODELS, "several models, labels and version policies: a ModelServerConfig in text format", "FILE"
    )
    model_config_file_poll_wait_seconds: int = _flag(
        0, MODELS, "time between two reads of that file; 0: read once", "SECONDS"
    )
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, MODELS, "labels may name versions that are not loaded yet"
    )
    rest_api_host: str = _flag(
        "127.0.0.1", REST, "address to listen on; 0.0.0.0: every IPv4 address, [::]: every address", "ADDRESS", own=True
    )
    rest_api_port: int = _flag(8501, REST, "port to listen on", minimum=1)
    rest_api_num_threads: int = _flag(
        2 * (os.cpu_count() or 1), REST, "threads that run TensorFlow; twice the cores by default", minimum=1
    )
    rest_api_timeout_in_ms: int = _flag(30_000, REST, "longest time of one run; 0: no limit", "MILLISECONDS")
    rest_api_enable_cors_support: bool = _flag(False, REST, "send CORS headers")
    max_connections: int = _flag(1024, REST, "open connections; further ones get 503", minimum=1, own=True)
    max_request_bytes: int = _flag(
        16 * 1024 * 1024, REST, "length of a request body; longer ones get 413", "BYTES", minimum=1, own=True
    )
    monitoring_config_file: str = _flag(
        "", REST, "a MonitoringConfig in text format; says whether and where the metrics page is", "FILE"
    )
    file_system_poll_wait_seconds: int = _flag(
        1, LOADING, "time between two looks for new versions and models; 0: look once", "SECONDS"
    )
    max_num_load_retries: int = _flag(5, LOADING, "attempts after a failed load")
    load_retry_interval_micros: int = _flag(
        60_000_000, LOADING, "time between two attempts", "MICROSECONDS", minimum=None
    )
    enable_model_warmup: bool = _flag(True, LOADING, "replay a version's warm-up requests before it serves")
    enable_batching: bool | None = _flag(
        None, RUNNING, "waiting requests share a run; by default only for models with a golden request"
    )
    tensorflow_intra_op_parallelism: int = _flag(1, RUNNING, "threads within an operation; 0: one for each core")
    tensorflow_inter_op_parallelism: int = _flag(
        0, RUNNING, "threads for operations side by side; 0: each run uses the thread that asks for it"
    )
    tensorflow_session_parallelism: int = _flag(0, RUNNING, "sets both of the above; 0: leaves them")

    @property
    def serves_default(self) -> bool:
        """Whether models of the pipeline are served, because no folder of another one is named."""
        return not self.model_base_path and not self.model_config_file


def usage() -> str:
    """The help text, from the definitions above."""
    lines = [
        "Serves models over TensorFlow Serving's REST API.",
        "",
        "  python -m serving [--flag=value ...]",
        "",
        f"Without flags it serves every model in {MODELS_FOLDER}, with a metrics page. A model that is pushed later is",
        f"served from then on. While there is none, the server waits for {PURCHASE_MODEL.name}. The newest version of",
        f"a model serves, or every version if {models_config.FILE} in that folder gives labels to some of them.",
        "A flag without a value is true. Flags marked * are not TensorFlow Serving's.",
    ]
    group = ""
    for flag in fields(Flags):
        about = flag.metadata
        if about["group"] != group:
            group = about["group"]
            lines += ["", group]
        value = "" if isinstance(flag.default, bool | None) else f"={about['value']}"
        lines.append(f"  --{flag.name}{value}{' *' if about['own'] else ''}")
        default = "" if flag.default in ("", None) else f" (default: {str(flag.default).lower()})"
        lines += textwrap.wrap(about["help"] + default, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join([*lines, "", "Further: --help, --version", ""])


def parse(arguments: Sequence[str]) -> Flags:
    """Reads `--name=value`, or `--name` for a boolean; the last occurrence wins, as in TensorFlow Serving.

    Raises:
      BadOptionError: an unknown flag, one of TensorFlow Serving's that this server does not have, or a bad value.
    """
    kinds = {field.name: str(field.type) for field in fields(Flags)}
    values: dict[str, Any] = {}
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


def _value(name: str, kind: str, text: str | None) -> str | int | bool:
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


def _check(flags: Flags, given: dict[str, Any]) -> None:
    if not 1 <= flags.rest_api_port <= 65535:
        raise BadOptionError(f"--rest_api_port={flags.rest_api_port}: expected a port from 1 to 65535")
    for flag in fields(Flags):
        value, minimum = getattr(flags, flag.name), flag.metadata["minimum"]
        if type(value) is int and minimum is not None and value < minimum:
            raise BadOptionError(f"--{flag.name}={value}: expected {minimum} or more")
    both = {"tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism"}
    if "tensorflow_session_parallelism" in given and both & set(given):
        raise BadOptionError("--tensorflow_session_parallelism sets both others: give it or them")
