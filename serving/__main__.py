"""Command line of the server: `python -m serving --help`."""

from __future__ import annotations

import os
import sys
import warnings
from functools import partial
from importlib.metadata import version

from data.command import DONE, guarded, to_stderr
from serving import flags


def main(arguments: list[str]) -> int:
    """Runs the server.

    Returns:
      The exit code: 0 after an orderly stop, 1 if the server cannot start, 2 for a wrong command line.
    """
    return guarded(partial(_main, arguments), say=lambda message: to_stderr(f"serving: {message}"))


def _main(arguments: list[str]) -> int:
    if {"--help", "-h"} & set(arguments):
        sys.stdout.write(flags.usage())
        return DONE
    if "--version" in arguments:
        sys.stdout.write(f"TensorFlow Serving's REST API on TensorFlow {version('tensorflow')}\n")
        return DONE
    settings = flags.parse(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")
    # TensorFlow takes seconds to import, so the command line is read first.
    from serving import server

    server.run(settings)
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
