"""The schedule as processes: one step at a time, a quiet end, and nothing that runs on alone."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from data.errors import BadOptionError
from data.paths import ROOT
from schedule.retrain import retrain
from schedule.service import trigger
from schedule.settings import schedule_folder
from schedule.step import UNDER_WAY

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {SLEEPER}"
PARENT = f"""
from pathlib import Path
from schedule import tethered
tethered.STOP_SECONDS = 1
tethered.run(["{sys.executable}", "-c", "import os; print(os.getpid(), flush=True); " + {{child!r}}], Path("/"), print)
"""


def start(*command: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        **options,
    )


def schedule(*arguments: str | Path) -> subprocess.Popen:
    return start("-m", "schedule", *map(str, arguments))


def once(*arguments: str | Path) -> tuple[int, str]:
    process = schedule("--once", *arguments)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("child", [SLEEPER, STUBBORN], ids=["obedient", "stubborn"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_a_child_ends_with_its_parent(child, how):
    parent = start("-c", PARENT.format(child=child))
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "up\n"
    parent.send_signal(how)
    until(lambda: not alive(pid))
    parent.communicate()


def test_a_child_obeys_ctrl_c_although_the_shell_started_it_in_the_background():
    quiet = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    parent = start(
        "-c",
        quiet
        + PARENT.format(child="print(signal.getsignal(signal.SIGINT).__name__)").replace(
            "import os;", "import os, signal;"
        ),
    )
    output, _ = parent.communicate(timeout=60)
    assert output.splitlines()[1] == "default_int_handler"


def test_a_step_without_calls_has_nothing_to_do(tmp_path):
    result = tmp_path / "result.json"
    code, output = once("--artifacts", tmp_path / "artifacts", "--json", result)
    assert (code, output) == (0, "nothing to do: no version serves\n")
    assert json.loads(result.read_text())["kind"] == "nothing to do"


def test_retrain_says_what_the_step_said(tmp_path):
    said: list[str] = []
    outcome = retrain(["--artifacts", str(tmp_path)], said.append)
    assert (outcome.kind, outcome.exit_code) == ("nothing to do", 0)
    assert said == [outcome.text]


def test_retrain_needs_the_standard_library_alone():
    """Prefect's environment has nothing of the product's."""
    command = [sys.executable, "-S", "-c", "import schedule.retrain"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)


def test_retrain_tells_refused_options_and_crashes_apart(tmp_path):
    refused = retrain(["--contract", "no-such"], lambda line: None)
    assert (refused.kind, refused.exit_code) == ("bad input", 2)
    assert "no contract named 'no-such'" in refused.text
    (tmp_path / "schedule").write_text("in the way of the folder")
    assert retrain(["--artifacts", str(tmp_path), "--nonsense"], lambda line: None).kind == "bad input"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--once", "--inbox", "missing"], "--inbox"),
        (["--once", "--desk", "missing"], "--desk"),
        (["--once", "--mlflow", "sqlite:///x"], "sqlite"),
        (["--train"], "--once"),
        (["--every", "at noon"], "expected five fields"),
    ],
)
def test_wrong_options_are_said(tmp_path, arguments, message):
    process = schedule("--artifacts", tmp_path, *arguments)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert message in output


def test_a_second_step_waits_for_the_first_one(tmp_path):
    lock = schedule_folder(tmp_path) / ".lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        held.write("4711")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        process = schedule("--once", "--artifacts", tmp_path)
        assert process.stdout
        assert process.stdout.readline() == "waiting for another step (process 4711)\n"
        assert process.poll() is None
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "nothing to do: no version serves\n")


def test_a_step_that_waits_is_stopped_quietly(tmp_path):
    lock = schedule_folder(tmp_path) / ".lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = schedule("--once", "--artifacts", tmp_path)
        assert process.stdout
        process.stdout.readline()
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "stopped; the next step goes on from here\n")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_schedule_is_stopped_quietly(tmp_path, how):
    process = schedule("--artifacts", tmp_path)
    assert process.stdout
    assert process.stdout.readline().startswith("steps at '0 6 * * *'; the next one is due at ")
    process.send_signal(how)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "stopped\n")


def test_two_schedules_do_not_share_artifacts(tmp_path):
    first = schedule("--artifacts", tmp_path)
    assert first.stdout
    first.stdout.readline()
    try:
        second = schedule("--artifacts", tmp_path)
        output, _ = second.communicate(timeout=60)
        assert second.returncode == 2
        assert output == f"another schedule (process {first.pid}) works on these artifacts\n"
    finally:
        first.terminate()
        first.communicate()


def test_a_step_that_was_missed_is_done_once_at_the_start(tmp_path):
    """The first process is killed before a step is due; the second one starts after several were."""
    soon = datetime.now() + timedelta(minutes=2)
    first = schedule("--artifacts", tmp_path, "--every", f"{soon.minute} {soon.hour} * * *")
    assert first.stdout
    first.stdout.readline()
    first.kill()
    first.communicate()
    _make_due(schedule_folder(tmp_path) / "jobs.sqlite")
    second = schedule("--artifacts", tmp_path, "--every", f"{soon.minute} {soon.hour} * * *")
    assert second.stdout
    lines = [second.stdout.readline() for _ in range(3)]
    second.terminate()
    rest, _ = second.communicate(timeout=60)
    assert lines[1].startswith("step at ")
    assert lines[2] == "  nothing to do: no version serves\n"
    assert rest == "stopped\n"


def test_another_time_misses_nothing_either(tmp_path):
    first = schedule("--artifacts", tmp_path)
    assert first.stdout
    first.stdout.readline()
    first.kill()
    first.communicate()
    _make_due(schedule_folder(tmp_path) / "jobs.sqlite")
    second = schedule("--artifacts", tmp_path, "--every", "0 5 1 1 *")
    assert second.stdout
    lines = [second.stdout.readline() for _ in range(2)]
    second.terminate()
    second.communicate()
    assert lines[0].startswith("steps at '0 5 1 1 *'")
    assert lines[1].startswith("step at ")


def _make_due(jobs: Path) -> None:
    """Sets the clock of the stored job back, as if the process had been down for three days."""
    changed = """
import sys
from datetime import datetime, timedelta
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
scheduler = BackgroundScheduler(jobstores={"default": SQLAlchemyJobStore(url="sqlite:///" + sys.argv[1])})
scheduler.start(paused=True)
job = scheduler.get_job("step")
job.modify(next_run_time=job.next_run_time - timedelta(days=3))
"""
    subprocess.run([sys.executable, "-c", changed, str(jobs)], cwd=ROOT, check=True)


def test_a_step_that_was_killed_is_gone_on_with_at_the_start(tmp_path):
    folder = schedule_folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / UNDER_WAY).touch()
    process = schedule("--artifacts", tmp_path)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(4)]
    process.terminate()
    process.communicate()
    assert lines[1] == "an earlier step was stopped\n"
    assert lines[3] == "  nothing to do: no version serves\n"
    assert not (folder / UNDER_WAY).exists()


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("0 6 * * *", "2026-12-02 06:00"),
        ("0 6 * * 0", "2026-12-06 06:00"),  # Sunday
        ("0 6 * * 7", "2026-12-06 06:00"),
        ("0 6 * * 1", "2026-12-07 06:00"),
        ("30 6 * * 1-5", "2026-12-02 06:30"),
        ("30 6 * * 0-1,6-7", "2026-12-05 06:30"),  # Saturday to Monday
        ("0 6 * * */2", "2026-12-03 06:00"),  # Sunday, Tuesday, Thursday, Saturday
        ("0 6 * * sun", "2026-12-06 06:00"),
        ("0 6 1 * *", "2027-01-01 06:00"),
    ],
)
def test_days_of_the_week_count_as_in_cron(every, expected):
    tuesday = datetime(2026, 12, 1, 12).astimezone()
    rule = trigger(every)
    due = rule.get_next_fire_time(None, tuesday.astimezone(rule.timezone))
    assert f"{due:%Y-%m-%d %H:%M}" == expected


@pytest.mark.parametrize("every", ["", "at noon", "61 6 * * *", "0 6 * *", "0 6 * * 9"])
def test_what_is_no_line_of_a_crontab_is_refused(every):
    with pytest.raises(BadOptionError, match="expected five fields"):
        trigger(every)
