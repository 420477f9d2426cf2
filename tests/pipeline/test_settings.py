"""What separates runs from one another."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

from data import contract as contracts
from data.model_spec import PURCHASE_MODEL
from pipeline import settings
from pipeline.settings import PurchaseSettings, Settings, TrainingData, code_commit

DATA = TrainingData(Path("customers.csv"), contracts.load("bank-full"))
RUN = Settings(DATA, run_id="1", spec=PurchaseSettings())


def test_models_that_cannot_be_compared_have_no_common_baseline():
    others = [
        RUN,
        replace(RUN, data=replace(DATA, split="time")),
        replace(RUN, spec=PurchaseSettings(with_after_call=True)),
        replace(RUN, spec=PurchaseSettings(model=replace(PURCHASE_MODEL, name="loans"))),
        replace(RUN, data=replace(DATA, synthetic=True)),
        replace(RUN, data=replace(DATA, contract=contracts.load("hackerearth"))),
    ]
    assert len({run.pipeline_name for run in others}) == len(others)


def test_other_data_tuning_and_seeds_are_compared_with_the_same_baseline():
    more = replace(DATA, path=Path("more.csv"), quarantine=True)
    assert Settings(more, "2", PurchaseSettings(trials=1, seed=2)).pipeline_name == RUN.pipeline_name


def test_each_model_has_its_own_folders():
    loans = replace(RUN, spec=PurchaseSettings(model=replace(PURCHASE_MODEL, name="loans")))
    assert loans.serving.name == "loans"
    assert loans.run_folder.parent.name == "loans"
    assert RUN.run_folder.parent.name == "purchase-model"


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
