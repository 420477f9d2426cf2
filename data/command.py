"""The frame of every command: exit codes, errors in one line, Ctrl-C, and a log for what libraries print."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from data.errors import ExpectedError

DONE, FAILED, BAD_INPUT, NOT_BLESSED = 0, 1, 2, 3
"""Exit codes: done; anything else; the user can put it right; the model was not blessed or not pushed."""


def to_stderr(text: str) -> None:
    """Writes one message to standard error."""
    sys.stderr.write(f"{text}\n")


def guarded(body: Callable[[], int], say: Callable[[str], None] = to_stderr, log: Path | None = None) -> int:
    """Runs the body of a command and returns its exit code, whatever happens.

    An ExpectedError is told by its message alone, wherever it stands in a chain of exceptions, since TFX and Beam wrap
    what a component raises. Any other exception is told in one line, and its traceback goes to standard error.

    Args:
      body: returns the exit code of a good end.
      say: shows a message to the user.
      log: the file that standard error goes to; named where something unexpected happens.
    """
    try:
        return body()
    except KeyboardInterrupt as interrupt:
        say("; ".join(filter(None, ("stopped", str(interrupt)))))
        return FAILED
    except Exception as error:
        expected = _expected(error)
        if expected is not None:
            say(str(expected))
            return expected.exit_code
        traceback.print_exception(error)
        say(f"failed: {one_line(error)}")
        if log is not None:
            say(f"details: {log}")
        return FAILED


def one_line(error: BaseException) -> str:
    """The type of an error and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _expected(error: BaseException | None) -> ExpectedError | None:
    while error is not None and not isinstance(error, ExpectedError):
        error = error.__cause__ or error.__context__
    return error


@contextmanager
def interruptions() -> Iterator[Callable[[], bool]]:
    """Tells whether Ctrl-C was pressed: the KeyboardInterrupt may be lost in a library's destructor or bare except."""
    pressed = []

    def interrupt(number: int, frame: object) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, usual)


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
