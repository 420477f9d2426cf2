"""The real file where it is at hand, and a profile of the synthetic sample."""

import os
from pathlib import Path

import numpy as np
import pytest

from data import contract as contracts
from data import profile, sample

REAL = Path(__file__).parents[3] / "shared" / "data" / "bank-full.csv"
CONTRACT = contracts.load("bank-full")
FEATURES = CONTRACT.features()


def profiled(columns, rows):
    part = {name: column[rows] for name, column in columns.items()}
    scores = np.full(len(part["age"]), 0.1, np.float32)
    return profile.build(part, scores, CONTRACT, FEATURES)


def model_columns(rows):
    return {name: rows[name].astype(np.float32 if name in CONTRACT.numeric else object) for name in FEATURES}


@pytest.fixture(scope="session")
def real_columns():
    """Feature columns of bank-full.csv in the publisher's order."""
    if not REAL.exists():
        assert "CI" not in os.environ, f"{REAL} is needed in CI"
        pytest.skip(f"{REAL} is not here")
    import pyarrow.csv

    table = pyarrow.csv.read_csv(REAL, parse_options=pyarrow.csv.ParseOptions(delimiter=";"))
    return model_columns({name: table[name].to_numpy() for name in table.column_names})


@pytest.fixture(scope="session")
def sample_columns():
    (rows,) = sample.draw(rows=8000)
    return model_columns(rows)


@pytest.fixture(scope="session")
def sample_profile(sample_columns):
    scores = np.random.default_rng(0).beta(1, 8, 8000).astype(np.float32)
    return profile.build(sample_columns, scores, CONTRACT, FEATURES)
