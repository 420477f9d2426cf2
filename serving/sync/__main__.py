"""Command line of the sidecar: `python -m serving.sync --help`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from data import object_store
from data.command import DONE, guarded, one_line
from data.errors import BadFileError, ExpectedError
from data.object_store import Location
from serving import logs
from serving.sync.folder import Pass, sync

if TYPE_CHECKING:
    from serving.sync.status import Status

log = logging.getLogger("serving.sync")

INTERVAL_SECONDS = 10.0
PORT = 9110

EPILOG = """\
examples:
  python -m serving.sync s3://bucket/models artifacts/serving                     every model, and the labels
  python -m serving.sync s3://bucket/models/purchase-model artifacts/serving/purchase-model
  python -m serving.sync s3://bucket/models artifacts/serving --once              one pass, then the end

TensorFlow Serving's images cannot read S3, so this runs beside the server and shares its folder. `pipeline.run
--push-to s3://bucket/models` fills the store. A version is taken only with its manifest, verified, and renamed into
place; a version that is withdrawn from the store is removed from the folder, but never the last one.

exit codes: 0 done, or stopped by SIGTERM; 2 bad input, or with --once a store or a version that cannot be read; 1
anything else
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _once(options) if options.once else _run(options))


def _once(options: argparse.Namespace) -> int:
    passes = list(sync(object_store.locate(options.source), options.folder))
    for one in passes:
        sys.stdout.write(f"{_described(one)}\n")
    if failures := [failure for one in passes for failure in one.failures]:
        raise BadFileError("\n".join(failures))
    return DONE


def _run(options: argparse.Namespace) -> int:
    """Makes a pass every few seconds until SIGTERM or SIGINT."""
    from serving.sync.status import Status, serve

    logs.configure()
    source, status = object_store.locate(options.source), Status()
    serve(status, options.host, options.port)
    log.info("started", extra={"source": source.url, "folder": str(options.folder), "port": options.port})
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def passes() -> None:
        while True:
            _pass(source, options.folder, status)
            stop.wait(options.interval)

    threading.Thread(target=passes, daemon=True).start()
    stop.wait()
    log.info("stopped")
    logging.shutdown()
    # A download in the other thread may take its time, and leaves nothing that the next start does not remove.
    os._exit(DONE)


def _pass(source: Location, folder: Path, status: Status) -> None:
    try:
        done = list(sync(source, folder))
    except (ExpectedError, OSError) as error:
        log.error("the pass ended early: %s", error)
        status.failed()
        return
    except Exception as error:
        log.exception("the pass failed: %s", one_line(error))
        status.failed()
        return
    for one in done:
        for failure in one.failures:
            log.error("left out: %s", failure, extra={"model": one.model})
        if one.added or one.removed:
            log.info("changed", extra={"model": one.model, "added": one.added, "removed": one.removed})
    status.passed(done)


def _described(one: Pass) -> str:
    there = ", ".join(map(str, one.present)) or "none"
    words = (("new", one.added), ("removed", one.removed))
    changes = [f"{word} {', '.join(map(str, found))}" for word, found in words if found]
    return f"{one.model}: versions {there}" + (f" ({'; '.join(changes)})" if changes else "")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError("expected more than 0 and at most 86400 seconds")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.sync",
        description="Keeps the folder of a model server equal to an object store.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="s3://bucket/models, or a model in it; file:///folder likewise"
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the models, or of this model, on this machine")
    parser.add_argument(
        "--interval",
        type=_seconds,
        default=INTERVAL_SECONDS,
        metavar="SECONDS",
        help="between two passes (default: %(default)g)",
    )
    parser.add_argument("--once", action="store_true", help="make one pass and end")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address for /metrics, /livez and /readyz (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=PORT, help="port for them (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
