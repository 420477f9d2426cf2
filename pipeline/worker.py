"""The worker of an engine: `python -m pipeline.worker`, one beside each task manager.

It is Beam's own pool of Python workers (`--environment_type=EXTERNAL`), with this project on the path. Two task
managers must not share one: the ids of their workers would collide.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from data.command import DONE, guarded, to_stderr
from data.errors import BadOptionError
from data.paths import ROOT

EPILOG = """\
example:
  python -m pipeline.worker --port 50000

The engine's description, deploy/engines/flink.yaml for instance, says at which port it looks for its worker. Driver and
worker need the same state of this project and share the folder --artifacts under the same path.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code, after Ctrl-C or SIGTERM."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _serve(options.port))


def _serve(port: int) -> int:
    # The pool starts its workers as `python`: this interpreter, with this project on the path.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

    # The pool would share the port with another one, and jobs would go to either.
    with socket.socket() as probe:
        if probe.connect_ex(("localhost", port)) == 0:
            raise BadOptionError(f"--port {port}: it is in use")
    address, server = BeamFnExternalWorkerPoolServicer.start(use_process=True, port=port)
    to_stderr(f"waiting for an engine at {address}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    server.stop(0)
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.worker",
        description="Runs the Python part of an engine's jobs, beside one of its task managers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=50000, help="that the engine looks at (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
