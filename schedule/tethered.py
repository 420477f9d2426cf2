"""Runs a command that ends when its parent ends: `python -m schedule.tethered PARENT COMMAND...`.

A parent that is killed by SIGKILL cannot stop its children, so the kernel has to do it (PR_SET_PDEATHSIG, Linux). The
signal comes when the thread that started the child ends, so that thread has to wait for it. This is a process of its
own, since Python code between fork and exec (`preexec_fn`) may hang in a program with threads, such as TensorFlow's.
Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

_SET_PDEATHSIG = 1
STOP_SECONDS = 30
"""Given to a command to end in order, before it is killed with all of its own children."""


def run(command: Sequence[str], folder: Path, say: Callable[[str], None]) -> int:
    """Runs a command in a process group of its own; whatever interrupts the caller stops the command too.

    Args:
      command: with its arguments.
      folder: to run it in.
      say: gets each line that it prints.

    Returns:
      The exit code, below 0 where a signal ended it.
    """
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), str(os.getpid()), *command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            say(line.rstrip("\n"))
        return child.wait()
    finally:
        _stop(child)
        child.stdout.close()


def _stop(child: subprocess.Popen) -> None:
    """Ends a command that still runs: as Ctrl-C does, and if that takes too long by force."""
    try:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _become(parent: int, command: list[str]) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the kernel knew
        sys.exit(1)
    # A shell starts programs in the background so that they ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(command[0], command)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
