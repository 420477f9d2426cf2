"""What separates runs from one another."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

from data import contract as contracts
from pipeline import settings
from pipeline.settings import Settings, code_commit, code_fingerprint

RUN = Settings(data=Path("customers.csv"), contract=contracts.load("bank-full"), run_id="1")


def test_models_that_cannot_be_compared_have_no_common_baseline():
    others = [
        RUN,
        replace(RUN, split="time"),
        replace(RUN, with_duration=True),
        replace(RUN, synthetic=True),
        replace(RUN, contract=contracts.load("hackerearth")),
    ]
    assert len({run.pipeline_name for run in others}) == len(others)


def test_other_data_tuning_and_seeds_are_compared_with_the_same_baseline():
    other = replace(RUN, data=Path("more.csv"), trials=1, seed=2, run_id="2", quarantine=True)
    assert other.pipeline_name == RUN.pipeline_name


def test_fingerprint_follows_the_code(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    (tmp_path / "modules").mkdir()
    file = tmp_path / "modules" / "network.py"
    file.write_text("width = 1\n")
    before = code_fingerprint("modules")
    assert code_fingerprint("modules") == before
    file.write_text("width = 2\n")
    assert code_fingerprint("modules") != before


def test_the_commit_says_whether_files_differ_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    assert code_commit() is None
    (tmp_path / "network.py").write_text("width = 1\n")
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    for command in (["init"], ["add", "."], [*identity, "commit", "--message=First"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    first = code_commit()
    assert re.fullmatch("[0-9a-f]{40}", first)
    (tmp_path / "network.py").write_text("width = 2\n")
    assert code_commit() == first + "+"
