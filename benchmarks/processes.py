"""What processes take: CPU time and memory."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

LOOK_SECONDS = 0.1
"""From one look at the processes to the next."""


@dataclass(frozen=True)
class Use:
    """What a command took, all its processes together.

    Attributes:
      seconds: from its start to its end.
      cpu_seconds: as they were shortly before its end.
      peak_bytes: resident memory, at most.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: float


def cpu(process: psutil.Process) -> float:
    """CPU seconds of a process."""
    times = process.cpu_times()
    return times.user + times.system


def cpu_with_children(process: psutil.Process) -> float:
    """The same with its children, those that have ended included."""
    times = process.cpu_times()
    return cpu(process) + times.children_user + times.children_system + sum(map(cpu, process.children()))


def watch(process: psutil.Popen) -> Use:
    """Waits until a command ends, and looks at its processes meanwhile."""
    started, peak, seconds = time.monotonic(), 0.0, 0.0
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            tree = (process, *process.children(recursive=True))
            peak = max(peak, sum(one.memory_info().rss for one in tree))
            seconds = max(seconds, cpu_with_children(process))
        time.sleep(LOOK_SECONDS)
    return Use(time.monotonic() - started, seconds, peak)
