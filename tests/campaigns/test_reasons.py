"""Reasons are the strongest contributions, in the contract's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.reasons import LEAST, MOST, phrase, reasons
from data import contract as contracts

CONTRACT = contracts.load("bank-full")
NAMES = CONTRACT.features()


@pytest.mark.parametrize(
    ("contract", "column", "cell", "words"),
    [
        ("bank-full", "previous", "0", "previous: no calls before this campaign"),
        ("bank-full", "previous", "1", "previous: 1 call before this campaign"),
        ("bank-full", "campaign", "3", "campaign: 3 calls in this campaign"),
        ("bank-full", "job", "retired", "job: retired"),
        ("bank-full", "balance", "1200", "balance: 1,200 euros per year"),
        ("bank-full", "balance", "0", "balance: 0 euros per year"),
        ("bank-full", "balance", "-1e3", "balance: -1,000 euros per year"),
        ("bank-full", "age", "41.0", "age: 41 years"),
        ("bank-full", "day", "5", "day: 5 (day of month)"),
        ("bank-full", "pdays", "-1", "pdays: no value"),
        ("bank-full", "pdays", " -1.0", "pdays: no value"),
        ("hackerearth", "customer_age", "", "customer_age: no value"),
        ("hackerearth", "customer_age", "nan", "customer_age: no value"),
        ("hackerearth", "marital", "", "marital: no value"),
        ("bank-additional", "euribor3m", "4.963", "euribor3m: 4.963 (Euribor three-month rate, percent, daily)"),
    ],
)
def test_values_are_told_in_the_contracts_words(contract, column, cell, words):
    assert phrase(column, cell, contracts.load(contract)) == words


CONTRIBUTIONS = st.fixed_dictionaries({name: st.floats(-3, 3) for name in NAMES})
CELLS = st.fixed_dictionaries(
    {name: st.text(max_size=12) | st.floats().map(str) | st.decimals().map(str) for name in NAMES}
)


@given(CONTRIBUTIONS, CELLS)
def test_the_strongest_contributions_are_the_reasons(contributions, cells):
    found = reasons(contributions, cells, CONTRACT)
    for phrases, sign in ((found.supporting, 1), (found.opposing, -1)):
        names = [text.partition(": ")[0] for text in phrases]
        sizes = [sign * contributions[name] for name in names]
        assert sizes == sorted(sizes, reverse=True)
        rest = [sign * contributions[name] for name in NAMES if name not in names]
        if len(names) < MOST:
            assert max(rest) < LEAST
        else:
            assert max(rest) <= sizes[-1]
        assert all(size >= LEAST for size in sizes)
    assert not {*found.supporting} & {*found.opposing}


def test_a_customer():
    cells = dict.fromkeys(NAMES, "0") | {"job": "retired", "balance": "1200", "contact": "unknown"}
    contributions = dict.fromkeys(NAMES, 0.001) | {"job": 0.5, "balance": 0.7, "previous": -0.2, "contact": -0.9}
    assert reasons(contributions, cells, CONTRACT) == (
        ("balance: 1,200 euros per year", "job: retired"),
        ("contact: unknown", "previous: no calls before this campaign"),
    )


def test_digits_without_end_are_left_as_they_are():
    assert len(phrase("balance", "1e999999", CONTRACT)) < 60
    assert len(phrase("balance", "1e-999999", CONTRACT)) < 60
