"""The campaign desk: `python -m campaigns`."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from campaigns.settings import LOOPBACK, PORT, PROMETHEUS_PORT, RATE, Settings
from data.command import DONE, guarded, to_stderr
from data.errors import BadOptionError
from data.paths import ARTIFACTS
from serving.client import DEFAULT_URL

EPILOG = """\
examples:
  python -m campaigns                               beside `python -m serving`
  python -m campaigns --start-server                starts the model server too
  python -m campaigns --server http://models:8501   with another model server
  python -m campaigns --host 0.0.0.0                for others too, who need keys: see python -m campaigns.keys

exit codes: 0 stopped, 2 a wrong option or something is missing, 1 anything else
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m campaigns",
        description="From a list of customers to calls that pay, and back: pages and a JSON API.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--server", default=DEFAULT_URL, metavar="URL", help="model server (default: %(default)s)")
    parser.add_argument("--start-server", action="store_true", help="start the model server too")
    parser.add_argument("--start-monitoring", action="store_true", help="start Prometheus too, where it is installed")
    parser.add_argument(
        "--prometheus-port", type=int, default=PROMETHEUS_PORT, metavar="PORT", help="default: %(default)s"
    )
    parser.add_argument(
        "--host",
        default=LOOPBACK[0],
        help="where to listen; but for loopback, keys are needed (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, default=PORT, help="default: %(default)s")
    parser.add_argument(
        "--database",
        metavar="URL",
        help="postgresql://user:password@host:port/database (default: an SQLite file in artifacts/campaigns)",
    )
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=ARTIFACTS,
        metavar="FOLDER",
        help="as given to pipeline.run (default: artifacts/)",
    )
    parser.add_argument("--public", metavar="URL", help="address for browsers, where a proxy stands before the desk")
    parser.add_argument(
        "--rate", type=int, default=RATE, metavar="N", help="requests a minute for each key (default: %(default)s)"
    )
    parser.add_argument("--log-inputs", action="store_true", help="keep scored rows in the request log")
    parser.add_argument("--retain", type=int, metavar="DAYS", help="remove lists and logs that are older")
    parser.add_argument(
        "--uploads",
        metavar="URL",
        help="also keep lists that are still to be scored in an object store, such as s3://bucket/uploads",
    )
    options = parser.parse_args(arguments)
    return guarded(lambda: _main(options), say=lambda message: to_stderr(f"campaigns: {message}"))


def _main(options: argparse.Namespace) -> int:
    if not 0 < options.port < 65536:
        raise BadOptionError(f"--port: got {options.port}, expected 1 to 65535")
    if options.rate < 1:
        raise BadOptionError(f"--rate: got {options.rate}, expected 1 or more requests a minute")
    if options.retain is not None and options.retain < 1:
        raise BadOptionError(f"--retain: got {options.retain}, expected at least 1 day")
    settings = Settings(
        options.server,
        options.host,
        options.port,
        options.database,
        options.artifacts.resolve(),
        _origin(options.public),
        options.rate,
        options.log_inputs,
        options.retain,
        options.uploads,
    )
    from campaigns import model_server, monitoring, running

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            if options.start_server:
                stack.enter_context(model_server.started(settings))
            if options.start_monitoring:
                says = stack.enter_context(monitoring.started(settings, options.prometheus_port))
                to_stderr(f"campaigns: {says}")
            running.run(settings)
    except KeyboardInterrupt:
        to_stderr("campaigns: stopped")
    return DONE


def _origin(public: str | None) -> str | None:
    """`https://desk.bank.example/` -> `https://desk.bank.example`, as browsers name it in a request."""
    if public is None:
        return None
    origin = public.rstrip("/").lower()
    if not re.fullmatch(r"https?://([\w.-]+|\[[0-9a-f:]+\])(:\d+)?", origin, re.ASCII):
        raise BadOptionError(f"--public: got {public!r}, expected an address such as https://desk.bank.example")
    return origin


if __name__ == "__main__":
    sys.exit(main())
