"""Data that tests share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data import sample

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = ROOT.parent / "shared" / "data"
STAGES = {
    "ContractExampleGen",
    "StatisticsGen",
    "ContractSchema",
    "ExampleValidator",
    "AnomalyCheck",
    "Transform",
    "Tuner",
    "Trainer",
    "LatestBlessedModel",
    "Evaluator",
    "Scorer",
    "NewestMonths",
    "ServingProbe",
    "Benchmark",
    "Importance",
    "AtomicPusher",
}
"""The components of a run with tuning, as `summary.json` names them."""


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands send the log of libraries to a file of theirs, which is gone when the next test runs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real customer files, which are never committed."""
    if not REAL_DATA.is_dir():
        message = f"the real data is not at {REAL_DATA}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return REAL_DATA


@pytest.fixture(scope="session")
def sample_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4,000 synthetic customers in the shape of bank-full."""
    file = tmp_path_factory.mktemp("sample") / "sample.csv"
    sample.write(file, rows=4_000, seed=7)
    return file
