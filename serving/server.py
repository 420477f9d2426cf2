"""The server's process: from flags to sockets, threads and signals, and an orderly end."""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import shlex
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import uvloop

from data import model_folder
from data.errors import BadOptionError
from data.model_spec import PURCHASE_MODEL
from serving import logs, model_config
from serving.flags import Flags
from serving.manager import LoadOptions, Manager
from serving.metrics import PAGE_PATH, Metrics
from serving.model_config import ModelConfig
from serving.rest.app import Application
from serving.rest.http_protocol import Connections, HttpProtocol, Limits
from serving.servable import RuntimeOptions, Servable

log = logging.getLogger("serving.server")

_BACKLOG = 1024
_SWITCH_SECONDS = 0.001
_OTHER_FILES = 256
"""How many files may be open besides connections."""
_GOODBYE_SECONDS = 1.0
"""After the last answer, how long connections still get a 503 before they are closed."""


def run(flags: Flags) -> None:
    """Serves until SIGTERM or SIGINT, then finishes the requests under way.

    Raises:
      BadOptionError: the server cannot listen, or a configuration file is wrong.
      ServingError: a label is given to a version that is not loaded.
    """
    logs.configure()
    # By default a worker that reads a large body, or a load, keeps the event loop waiting 5 ms at a time.
    sys.setswitchinterval(_SWITCH_SECONDS)
    _allow_open_files(2 * flags.max_connections + _OTHER_FILES)
    listener = _listen(flags.rest_api_host, flags.rest_api_port)
    metrics = Metrics()
    models = _models(flags)
    config_poll = (
        flags.file_system_poll_wait_seconds if flags.serves_default else flags.model_config_file_poll_wait_seconds
    )
    manager = Manager(
        models(),
        LoadOptions(
            poll_seconds=flags.file_system_poll_wait_seconds,
            max_retries=flags.max_num_load_retries,
            retry_seconds=max(flags.load_retry_interval_micros, 0) / 1e6,
            labels_for_unavailable=flags.allow_version_labels_for_unavailable_models or flags.serves_default,
            config_poll_seconds=config_poll,
        ),
        RuntimeOptions(
            timeout_ms=flags.rest_api_timeout_in_ms,
            intra_op_threads=flags.tensorflow_session_parallelism or flags.tensorflow_intra_op_parallelism,
            inter_op_threads=flags.tensorflow_session_parallelism or flags.tensorflow_inter_op_parallelism,
            warm_up=flags.enable_model_warmup,
        ),
        metrics,
        announce=_Announcement(flags),
        reread=models if config_poll else None,
    )
    uvloop.install()
    asyncio.run(_serve(flags, listener, manager, metrics))


def _models(flags: Flags) -> Callable[[], tuple[ModelConfig, ...]]:
    """A function that says which models to serve; each call looks again."""
    if flags.model_config_file:
        return partial(model_config.read_models, Path(flags.model_config_file))
    if flags.model_base_path:
        one = ModelConfig(flags.model_name or "default", Path(flags.model_base_path).absolute())
        return lambda: (one,)
    folder = Path(flags.models_folder).absolute()
    return model_config.FolderOfModels(folder, PURCHASE_MODEL.name, flags.model_name).read


def _metrics_path(flags: Flags) -> str | None:
    if flags.monitoring_config_file:
        return model_config.read_metrics_path(Path(flags.monitoring_config_file))
    return PAGE_PATH if flags.serves_default else None


def _allow_open_files(count: int) -> None:
    """Raises the limit on open files of this process, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the first address that the host stands for; `::` also takes IPv4."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(address)
            listener.listen(_BACKLOG)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        return listener
    except OSError as error:
        raise BadOptionError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose others with --rest_api_host and "
            "--rest_api_port"
        ) from error


async def _serve(flags: Flags, listener: socket.socket, manager: Manager, metrics: Metrics) -> None:
    loop = asyncio.get_running_loop()
    workers = ThreadPoolExecutor(flags.rest_api_num_threads, thread_name_prefix="worker")
    connections = Connections(Limits(body_bytes=flags.max_request_bytes, connections=flags.max_connections))
    application = Application(
        manager,
        metrics,
        loop,
        workers,
        _metrics_path(flags),
        flags.rest_api_enable_cors_support,
        flags.enable_batching,
        lambda: connections.draining,
    )
    connections.handle = application.handle
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: HttpProtocol(connections), sock=listener, backlog=_BACKLOG)
    log.info("listening", extra={"address": _url(flags), "models": sorted(manager.names)})
    manager.start()
    watch = asyncio.create_task(connections.watch())
    await stop.wait()
    await _drain(connections, flags.rest_api_timeout_in_ms / 1000)
    watch.cancel()
    server.close()
    for connection in list(connections.open):
        connection.close()
    await asyncio.to_thread(manager.stop)
    workers.shutdown()
    log.info("stopped")


async def _drain(connections: Connections, longest_run: float) -> None:
    """Waits for the requests under way while new ones get 503, then gives keep-alive clients time to notice."""
    log.info("draining", extra={"in_flight": connections.in_flight})
    connections.draining = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + longest_run + 5
    while connections.in_flight and loop.time() < deadline:
        await asyncio.sleep(0.01)
    goodbye = loop.time() + _GOODBYE_SECONDS
    while connections.open and loop.time() < goodbye:
        await asyncio.sleep(0.01)


def _url(flags: Flags) -> str:
    """The URL at which this machine reaches the server."""
    host = flags.rest_api_host.strip("[]")
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{flags.rest_api_port}"


class _Announcement:
    """Tells a person at the terminal, once for each model, how to call it."""

    def __init__(self, flags: Flags):
        self._flags = flags
        self._announced: set[str] = set()
        if flags.serves_default and not model_folder.models(Path(flags.models_folder)):
            _say(
                f"No model has been pushed to {flags.models_folder} yet: run `python -m pipeline.run`. "
                "The server waits for the model and serves it as soon as it is there.\n"
            )

    def __call__(self, servable: Servable) -> None:
        if servable.model in self._announced or servable.golden_request is None:
            return
        self._announced.add(servable.model)
        url = f"{_url(self._flags)}/v1/models/{servable.model}"
        body = json.dumps({"instances": servable.golden_request.instances[:1]})
        _say(
            f"Serving version {servable.version} of {servable.model} at {url}. Try:\n\n"
            f"  curl -d {shlex.quote(body)} \\\n    {shlex.quote(f'{url}:predict')}\n\n"
        )


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
