"""Customers as columns, real and synthetic ones, and reference profiles of them."""

import numpy as np

from analysis import profile
from data import columns, sample
from data import contract as contracts

CONTRACT = contracts.load("bank-full")
FEATURES = CONTRACT.features()


def model_columns(rows):
    """The features as a model gets them: numbers float32, text objects."""
    return {name: rows[name].astype(np.float32 if name in CONTRACT.numeric else object) for name in FEATURES}


def bank_full(folder):
    """Feature columns of bank-full.csv in the publisher's order."""
    read = columns.read(folder / "bank-full.csv", CONTRACT)
    return {
        name: read[name] if name in CONTRACT.numeric else np.char.decode(read[name].astype(bytes)).astype(object)
        for name in FEATURES
    }


def synthetic(rows=8000):
    """Feature columns of the synthetic sample, in date order."""
    (chunk,) = sample.draw(rows=rows)
    return model_columns(chunk)


def profiled(columns, rows=slice(None)):
    """The reference profile of some rows, with scores that are drawn at random."""
    part = {name: column[rows] for name, column in columns.items()}
    scores = np.random.default_rng(0).beta(1, 8, len(part["age"])).astype(np.float32)
    return profile.build(part, scores, CONTRACT, FEATURES, "probability")
