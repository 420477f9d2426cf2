"""Customers as columns, real ones and synthetic ones, and a profile of the latter."""

import numpy as np
import pytest

from analysis import profile
from data import contract as contracts
from data import sample

CONTRACT = contracts.load("bank-full")
FEATURES = CONTRACT.features()


def profiled(columns, rows):
    part = {name: column[rows] for name, column in columns.items()}
    scores = np.full(len(part["age"]), 0.1, np.float32)
    return profile.build(part, scores, CONTRACT, FEATURES)


def model_columns(rows):
    return {name: rows[name].astype(np.float32 if name in CONTRACT.numeric else object) for name in FEATURES}


def read_bank_full(folder):
    """Feature columns of bank-full.csv in the publisher's order."""
    import pyarrow.csv

    options = pyarrow.csv.ParseOptions(delimiter=";")
    table = pyarrow.csv.read_csv(folder / "bank-full.csv", parse_options=options)
    return model_columns({name: table[name].to_numpy() for name in table.column_names})


@pytest.fixture(scope="session")
def real_columns(real_data):
    return read_bank_full(real_data)


@pytest.fixture(scope="session")
def sample_columns():
    (rows,) = sample.draw(rows=8000)
    return model_columns(rows)


@pytest.fixture(scope="session")
def sample_profile(sample_columns):
    scores = np.random.default_rng(0).beta(1, 8, 8000).astype(np.float32)
    return profile.build(sample_columns, scores, CONTRACT, FEATURES)
