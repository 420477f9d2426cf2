"""Two runs never work in one artifacts folder at once."""

import os
import subprocess
import sys

from runs.lock import exclusive
from tests.conftest import ROOT

HOLD = """
import sys
from runs.lock import exclusive
with exclusive(__import__("pathlib").Path(sys.argv[1]), lambda pid: print("waits for", pid, flush=True)):
    print("has it", flush=True)
    sys.stdin.read()
"""


def test_the_second_run_says_whom_it_waits_for_and_then_goes_on(tmp_path):
    with exclusive(tmp_path, lambda pid: None):
        second = subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert second.stdout.readline() == f"waits for {os.getpid()}\n"
    assert second.stdout.readline() == "has it\n"
    second.communicate("")
    assert second.returncode == 0


def test_a_killed_run_releases_the_folder(tmp_path):
    victim = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout.readline() == "has it\n"
    victim.kill()
    victim.wait()
    waited = []
    with exclusive(tmp_path, waited.append):
        assert waited == []
