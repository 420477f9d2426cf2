"""The process: settings to sockets, threads and signals, and an orderly end."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import uvloop

from data.errors import BadOptionError
from serving import logs, model_config
from serving.flags import DEFAULT_BASE_PATH, DEFAULT_MODEL, Flags
from serving.manager import LoadOptions, Manager
from serving.metrics import PAGE_PATH, Metrics
from serving.rest.app import Application
from serving.rest.http_protocol import Connections, HttpProtocol
from serving.servable import RuntimeOptions, Servable

log = logging.getLogger("serving.server")

_BACKLOG = 1024
_SWITCH_SECONDS = 0.001
_GOODBYE_SECONDS = 1.0
"""After the last answer, how long connections still get a 503 before they are closed."""


def run(flags: Flags) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way.

    Raises:
      BadOptionError: the port is taken, or a configuration file is wrong.
    """
    logs.configure()
    # A worker that reads a large body, or a load, would else keep the event loop waiting 5 ms at a time.
    sys.setswitchinterval(_SWITCH_SECONDS)
    listener = _listen(flags.rest_api_port)
    metrics = Metrics()
    manager = Manager(
        _models(flags),
        LoadOptions(
            poll_seconds=flags.file_system_poll_wait_seconds,
            max_retries=flags.max_num_load_retries,
            retry_seconds=max(flags.load_retry_interval_micros, 0) / 1e6,
            labels_for_unavailable=flags.allow_version_labels_for_unavailable_models,
            config_poll_seconds=flags.model_config_file_poll_wait_seconds,
        ),
        RuntimeOptions(
            timeout_ms=flags.rest_api_timeout_in_ms,
            intra_op_threads=flags.tensorflow_session_parallelism or flags.tensorflow_intra_op_parallelism,
            inter_op_threads=flags.tensorflow_session_parallelism or flags.tensorflow_inter_op_parallelism,
            warm_up=flags.enable_model_warmup,
        ),
        metrics,
        announce=_Greeting(flags),
        reread=partial(_models, flags) if flags.model_config_file_poll_wait_seconds else None,
    )
    uvloop.install()
    asyncio.run(_serve(flags, listener, manager, metrics))


def _models(flags: Flags) -> tuple[model_config.ModelConfig, ...]:
    if flags.model_config_file:
        return model_config.read_models(Path(flags.model_config_file))
    if flags.model_base_path:
        return (model_config.ModelConfig(flags.model_name or "default", Path(flags.model_base_path).absolute()),)
    return (model_config.ModelConfig(flags.model_name or DEFAULT_MODEL, DEFAULT_BASE_PATH.absolute()),)


def _metrics_path(flags: Flags) -> str | None:
    if flags.monitoring_config_file:
        return model_config.read_metrics_path(Path(flags.monitoring_config_file))
    return PAGE_PATH if flags.serves_default else None


def _listen(port: int) -> socket.socket:
    """A listening socket for IPv6 and IPv4, or for IPv4 where there is no IPv6."""
    error: OSError | None = None
    for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        try:
            listener = socket.socket(family, socket.SOCK_STREAM)
        except OSError as no_family:
            error = no_family
            continue
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind((address, port))
            listener.listen(_BACKLOG)
            listener.setblocking(False)
            return listener
        except OSError as refused:
            error = refused
            listener.close()
    raise BadOptionError(f"port {port} cannot be opened: {error.strerror}; choose another one with --rest_api_port")


async def _serve(flags: Flags, listener: socket.socket, manager: Manager, metrics: Metrics) -> None:
    loop = asyncio.get_running_loop()
    workers = ThreadPoolExecutor(flags.rest_api_num_threads, thread_name_prefix="worker")
    connections = Connections(flags.max_request_bytes)
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
    log.info("listening", extra={"port": flags.rest_api_port, "models": sorted(manager.configured)})
    manager.start()
    reaper = asyncio.create_task(_close_idle(connections))
    await stop.wait()
    await _drain(connections, flags.rest_api_timeout_in_ms / 1000)
    reaper.cancel()
    server.close()
    for connection in list(connections.open):
        connection.close()
    await asyncio.to_thread(manager.stop)
    workers.shutdown()
    log.info("stopped")


async def _close_idle(connections: Connections) -> None:
    while True:
        await asyncio.sleep(5)
        connections.close_idle()


async def _drain(connections: Connections, longest_run: float) -> None:
    """Lets requests finish while new ones get 503, then gives keep-alive clients the time to notice."""
    log.info("draining", extra={"in_flight": connections.in_flight})
    connections.draining = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + longest_run + 5
    while connections.in_flight and loop.time() < deadline:
        await asyncio.sleep(0.01)
    goodbye = loop.time() + _GOODBYE_SECONDS
    while connections.open and loop.time() < goodbye:
        await asyncio.sleep(0.01)


class _Greeting:
    """Tells a person at the terminal, once, how to call the model."""

    def __init__(self, flags: Flags):
        self._flags = flags
        self._told = False
        if flags.serves_default and not any(_versions(DEFAULT_BASE_PATH)):
            sys.stdout.write(
                f"No model has been pushed to {DEFAULT_BASE_PATH} yet: `python -m pipeline.run` makes one. "
                "The server waits and serves it as soon as it appears.\n"
            )
            sys.stdout.flush()

    def __call__(self, servable: Servable) -> None:
        golden = servable.golden()
        if self._told or golden is None:
            return
        self._told = True
        url = f"http://localhost:{self._flags.rest_api_port}/v1/models/{servable.model}"
        body = json.dumps({"instances": golden["instances"][:1]})
        sys.stdout.write(
            f"Serving version {servable.version} of {servable.model} at {url}. Try:\n\n"
            f"  curl -d {shlex.quote(body)} \\\n    {url}:predict\n\n"
        )
        sys.stdout.flush()


def _versions(base_path: Path) -> list[Path]:
    return [path for path in base_path.glob("*") if path.name.isdigit()]
