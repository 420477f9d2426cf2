"""Keeps the time: a step whenever it is due, one after the other, until it is stopped.

APScheduler keeps in `artifacts/schedule/jobs.sqlite` when the next step is due. A step that was due while nothing ran
is done once at the next start, and one that was killed is gone on with. The step runs in a process of its own, which
the main thread waits for; APScheduler's thread only says that a step is due.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from data.errors import BadOptionError, NotReadyError
from runs.lock import exclusive
from schedule.retrain import Outcome, retrain
from schedule.settings import schedule_folder
from schedule.step import UNDER_WAY

RETRIES = 2
RETRY_SECONDS = 300
"""Before another try of a step that failed for a reason that may pass."""
_JOB = "step"
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_due = threading.Event()


def serve(artifacts: Path, every: str, arguments: Sequence[str], say: Callable[[str], None]) -> None:
    """Does a step whenever it is due; ends with KeyboardInterrupt.

    Args:
      artifacts: the folder that everything is written to.
      every: when, as in a crontab and in local time.
      arguments: of `python -m schedule --once`.
      say: shows a line to the user.

    Raises:
      BadOptionError: `every` is not a line of a crontab.
      NotReadyError: another process keeps the time in this folder.
    """
    rule = trigger(every)
    folder = schedule_folder(artifacts)
    with exclusive(folder / "service", _refuse), _clock(folder, every, rule, say):
        if (folder / UNDER_WAY).exists():
            say("an earlier step was stopped")
            _due.set()
        while True:
            _due.wait()
            _due.clear()
            _steps(arguments, say)


def trigger(every: str) -> CronTrigger:
    """When a step is due, from five fields of a crontab.

    Raises:
      BadOptionError: they are something else.
    """
    try:
        *fields, weekdays = every.split()
        named = ",".join(map(_weekdays, weekdays.split(",")))
        return CronTrigger.from_crontab(" ".join([*fields, named]))
    except ValueError as error:
        raise BadOptionError(f"--every: got {every!r}, expected five fields such as '0 6 * * *': {error}") from error


def _weekdays(part: str) -> str:
    """A part of the field of weekdays by names, since APScheduler counts from Monday and cron from Sunday."""
    found = re.fullmatch(r"(?:([0-7])(?:-([0-7]))?|\*(?=/))(?:/([1-7]))?", part)
    if found is None:
        return part
    first, last, step = found.groups()
    days = range(int(first or 0), int(last or first or 6) + 1, int(step or 1))
    return ",".join(_WEEKDAYS[day] for day in days)


def wake() -> None:
    """What APScheduler calls when a step is due."""
    _due.set()


@contextmanager
def _clock(folder: Path, every: str, rule: CronTrigger, say: Callable[[str], None]) -> Iterator[None]:
    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{folder / 'jobs.sqlite'}")},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.start(paused=True)
    try:
        job = scheduler.get_job(_JOB)
        if job is None or job.name != every:
            if job is not None and job.next_run_time <= datetime.now(job.next_run_time.tzinfo):
                _due.set()
            job = scheduler.add_job(f"{__name__}:{wake.__name__}", rule, id=_JOB, name=every, replace_existing=True)
        say(f"steps at {every!r}; the next one is due at {job.next_run_time:%Y-%m-%d %H:%M %Z}")
        scheduler.resume()
        yield
    finally:
        scheduler.shutdown(wait=False)


def _steps(arguments: Sequence[str], say: Callable[[str], None]) -> None:
    """A step, and further tries while it fails for a reason that may pass."""
    for _ in range(RETRIES):
        if _step(arguments, say).kind != "failed":
            return
        say(f"another try in {RETRY_SECONDS} seconds")
        threading.Event().wait(RETRY_SECONDS)
    _step(arguments, say)


def _step(arguments: Sequence[str], say: Callable[[str], None]) -> Outcome:
    say(f"step at {datetime.now():%Y-%m-%d %H:%M}")
    return retrain(arguments, lambda line: say(f"  {line}"))


def _refuse(process: str) -> None:
    raise NotReadyError(f"another schedule (process {process}) works on these artifacts")
