"""The screen shows what the run says, the log everything else."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

PROGRAM = """
import os, pathlib, sys
from data.command import captured
with captured(pathlib.Path(sys.argv[1]), verbose=sys.argv[2] == "verbose") as screen:
    screen.write("for people\\n")
    print("printed")
    os.write(1, b"from C++ to stdout\\n")
    os.write(2, b"from C++ to stderr\\n")
    os.system("echo from a child")
print("afterwards")
"""
NOISE = ("printed", "from C++ to stdout", "from C++ to stderr", "from a child")


@pytest.mark.parametrize("mode", ["quiet", "verbose"])
def test_noise_goes_to_the_log_and_to_the_screen_only_if_asked_for(tmp_path, mode):
    log = tmp_path / "pipeline.log"
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, log, mode], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "for people" in result.stdout
    assert "afterwards" in result.stdout
    for line in NOISE:
        assert line in log.read_text()
        assert (line in result.stdout) == (mode == "verbose")
    assert result.stderr == ""
