"""A model that learned wrong outcomes of the newest months does not replace the champion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data import contract as contracts
from data import reader
from data.command import NOT_BLESSED
from data.model_folder import versions
from data.model_spec import PURCHASE_MODEL
from data.paths import serving_folder
from modules.examples import SPLITS
from modules.ingest import random_splits
from tests.e2e.conftest import run, summary

pytestmark = pytest.mark.e2e

FIRST_WRONG = 43_390
"""The first call of April 2010, from 0."""
YES, NO = '"yes"', '"no"'


@pytest.fixture(scope="module")
def wrong_outcomes(real_data, tmp_path_factory) -> Path:
    """bank-full, with the labels of April to November 2010 shuffled among the rows that a model learns from.

    The held-out rows keep theirs, so that they can tell what was learned.
    """
    head, *rows = (real_data / "bank-full.csv").read_text().splitlines()
    file = tmp_path_factory.mktemp("calls") / "bank-full.csv"
    label = np.array([row.endswith(YES) for row in rows])
    flipped = [row.removesuffix(YES) + NO if row.endswith(YES) else row.removesuffix(NO) + YES for row in rows]
    learned = _splits(file, head, rows) != SPLITS.index("test")
    shuffled = np.flatnonzero(learned & (np.arange(len(rows)) >= FIRST_WRONG))
    wrong = label.copy()
    wrong[shuffled] = np.random.default_rng(1).permutation(label[shuffled])
    # Another label is another row, which may belong to another split.
    changed = (wrong != label) & (_splits(file, head, flipped) != SPLITS.index("test"))
    file.write_text("\n".join([head, *np.where(changed, flipped, rows)]) + "\n")
    assert changed.sum() > 500
    return file


def _splits(file: Path, head: str, rows: list[str]) -> np.ndarray:
    file.write_text("\n".join([head, *rows]) + "\n")
    return np.concatenate([random_splits(block.batch) for block in reader.read(file, contracts.load("bank-full"))])


def test_a_model_of_wrong_outcomes_is_refused_and_the_champion_stays(
    real_data, wrong_outcomes, contract_file, tmp_path
):
    options = ("--contract", contract_file, "--no-tune", "--no-benchmark")
    first = run(tmp_path, "--data", real_data / "bank-full.csv", *options)
    assert first.returncode == 0, first.stdout
    assert "not compared with a champion" in first.stdout
    (champion,) = versions(serving_folder(tmp_path, PURCHASE_MODEL.name))

    second = run(tmp_path, "--data", wrong_outcomes, *options)
    assert second.returncode == NOT_BLESSED, second.stdout
    assert versions(serving_folder(tmp_path, PURCHASE_MODEL.name)) == [champion]
    (said,) = [line for line in second.stdout.splitlines() if "nothing pushed" in line]
    assert "newest_months_log_loss_gain_upper on 108 calls of 2010-09 to 2010-11" in said

    refused = summary(tmp_path)
    assert refused.trial.champion == champion.version
    assert refused.trial.trial.months == ("2010-09", "2010-10", "2010-11")
    assert refused.trial.trial.predicts_worse
    assert {check.metric.removesuffix("_gain_upper") for check in refused.gate.failed} <= {
        "newest_months_auc",
        "newest_months_log_loss",
    }, "no other bound of the gate found it"

    third = run(tmp_path, "--data", real_data / "bank-full.csv", *options)
    assert third.returncode == 0, third.stdout
    again = summary(tmp_path)
    assert again.trial.champion == champion.version
    assert again.trial.trial.faults == ()
    assert [stage.name for stage in again.stages if not stage.cached and stage.name in ("Trainer", "NewestMonths")] == [
        "NewestMonths"
    ], "another champion is a reason to compare anew, and none to train anew"
