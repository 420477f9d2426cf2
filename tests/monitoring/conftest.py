"""Synthetic customers and a reference profile of them."""

import pytest

from tests.support.customers import profiled, synthetic


@pytest.fixture(scope="session")
def sample_columns():
    return synthetic()


@pytest.fixture(scope="session")
def sample_profile(sample_columns):
    return profiled(sample_columns)
