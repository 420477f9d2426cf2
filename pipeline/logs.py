"""What of noise and errors reaches the screen: a line. All that is written to stdout or stderr goes to a log file."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def one_line(error: BaseException) -> str:
    """An error for the screen: its type and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def captured(log: Path, verbose: bool = False) -> Iterator[TextIO]:
    """Sends the process's stdout and stderr to a file and yields a stream that still writes to the screen.

    Works on file descriptors, because TensorFlow's C++ code and child processes write past `sys.stderr`. Stderr is not
    given back: TensorFlow prints harmless tracebacks while the interpreter shuts down, and they belong in the log.

    Args:
      log: the file, appended to.
      verbose: also show on the screen what is written to the file.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    screen = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", buffering=1)
    screen_number = os.dup(1)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
    done = threading.Event()
    follower = threading.Thread(target=_follow, args=(log, screen, done), daemon=True)
    if verbose:
        follower.start()
    try:
        yield screen
    finally:
        sys.stdout.flush()
        done.set()
        if verbose:
            follower.join(timeout=2)
        os.dup2(screen_number, 1)
        os.close(screen_number)
        screen.close()


def _follow(log: Path, screen: TextIO, done: threading.Event) -> None:
    with log.open(encoding="utf-8", errors="replace") as file:
        while True:
            finished = done.wait(0.2)
            screen.write(file.read())
            if finished:
                return
