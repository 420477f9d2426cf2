"""Command line of the server: `python -m serving --help`."""

from __future__ import annotations

import os
import sys
import warnings
from importlib.metadata import version

from data.errors import UserError
from serving import flags


def main(arguments: list[str]) -> int:
    """Runs the server; the exit code: 0 after an orderly stop, 1 if it cannot start, 2 for a wrong command line."""
    if {"--help", "-h"} & set(arguments):
        sys.stdout.write(flags.USAGE)
        return 0
    if "--version" in arguments:
        sys.stdout.write(f"purchase-model server on TensorFlow {version('tensorflow')}\n")
        return 0
    try:
        settings = flags.parse(arguments)
    except UserError as error:
        sys.stderr.write(f"serving: {error}\n")
        return 2
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")
    # TensorFlow takes seconds to import, so it comes after the command line has been read.
    from serving import errors, server

    try:
        server.run(settings)
    except UserError as error:
        sys.stderr.write(f"serving: {error}\n")
        return 2
    except errors.ServingError as error:
        sys.stderr.write(f"serving: Failed to start server. Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
