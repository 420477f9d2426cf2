"""How `make` comes by Python 3.10 on a machine that has none; the download is played by a stand-in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

TOOLS = ("bash", "rm", "cat", "touch", "env")
OTHER_PYTHON = "#!/bin/bash\nexit 1\n"
"""A Python that is not 3.10 and has no venv."""
UV = f"""#!/bin/bash
echo "$@" >> uv-was-told
[ "$1" = venv ] || exit 0
[ -z "$NO_INTERNET" ] || {{ echo "error: failed to download" >&2; exit 2; }}
{sys.executable} -m venv --without-pip .venv
"""


@pytest.fixture
def machine(tmp_path):
    """A checkout with a PATH on which no Python 3.10 lies; returns what runs the script there."""
    path = tmp_path / "bin"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool))
    for name, text in {"python3": OTHER_PYTHON, "uv": UV}.items():
        (path / name).write_text(text)
        (path / name).chmod(0o755)
    checkout = tmp_path / "checkout"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "environment", checkout / ".ci")

    def run(**environment: str) -> subprocess.CompletedProcess:
        command = ["bash", ".ci/environment"]
        variables = {"PATH": str(path), "HOME": str(tmp_path), **environment}
        return subprocess.run(command, cwd=checkout, env=variables, capture_output=True, text=True, check=False)

    return checkout, run


def test_uv_fetches_python_310_where_there_is_none(machine):
    checkout, run = machine
    result = run()
    assert result.returncode == 0, result.stderr
    assert "uv fetches one" in result.stdout
    assert os.access(checkout / ".venv" / "bin" / "python", os.X_OK)
    told = (checkout / "uv-was-told").read_text()
    assert "--python 3.10 .venv" in told
    assert "pip install" in told


def test_one_sentence_says_what_to_install_where_it_cannot_be_fetched(machine):
    checkout, run = machine
    result = run(NO_INTERNET="1")
    assert result.returncode == 1
    assert "install it ('uv python install 3.10'" in result.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_310_at_hand_is_used(machine):
    checkout, run = machine
    stand_in = Path(checkout.parent, "bin", "python3.10")
    stand_in.write_text(
        '#!/bin/bash\n[ "$1" = -m ] || exit 0\n'
        "mkdir -p .venv/bin\n"
        'printf "#!/bin/bash\\necho pip: \\"\\$@\\"\\n" > .venv/bin/python; chmod +x .venv/bin/python\n'
    )
    stand_in.chmod(0o755)
    for tool in ("mkdir", "chmod"):
        (stand_in.parent / tool).symlink_to(shutil.which(tool))
    result = run()
    assert result.returncode == 0, result.stderr
    assert "pip: -m pip install" in result.stdout
    assert not (checkout / "uv-was-told").exists()
