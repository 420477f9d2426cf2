"""The periods of a backtest in a contract: months in order, on dated rows."""

from __future__ import annotations

import pytest

from data import contract as contracts
from data.errors import BadContractError
from tests.support import dated

PERIODS = {"dev": ("2008-11", "2009-07"), "confirm": ("2009-08", "2010-11")}


def test_the_bank_contracts_name_the_same_periods():
    for name in ("bank-full", "bank-additional"):
        assert contracts.load(name).backtest.periods == PERIODS


def test_a_contract_keeps_its_periods_as_json():
    contract = dated.contract(backtest=PERIODS)
    assert contracts.Contract.model_validate_json(contract.model_dump_json()).backtest == contract.backtest
    assert dated.contract().backtest is None


@pytest.mark.parametrize(
    ("periods", "message"),
    [
        ("{dev: [2009-02, 2009-01], confirm: [2009-03, 2009-04]}", "backtest: dev: the first month 2009-02 is after"),
        ("{dev: [2009-01, 2009-02], confirm: [2009-04, 2009-03]}", "backtest: confirm: the first month 2009-04"),
        ("{dev: [2009-01, 2009-02], confirm: [2009-02, 2009-03]}", "backtest: confirm: begins with 2009-02"),
        ("{dev: [2009-01, 2009-02]}", "backtest.confirm: this key is required"),
        ("{dev: [2009-1, 2009-02], confirm: [2009-03, 2009-04]}", "backtest.dev.0: "),
        ("{dev: [2009-00, 2009-02], confirm: [2009-03, 2009-04]}", "backtest.dev.0: "),
        ("{dev: [2009-01], confirm: [2009-03, 2009-04]}", "backtest.dev.1: this key is required"),
        ("{dev: [2009-01, 2009-02], confirm: [2009-03, 2009-04], tset: []}", "backtest.tset: unknown key"),
    ],
)
def test_a_wrong_period_is_named_with_its_key(periods, message):
    text = dated.contract().model_dump_json().replace('"backtest":null', f'"backtest": {periods}')
    with pytest.raises(BadContractError) as refusal:
        contracts.parse(text, "calls.yaml")
    assert f"calls.yaml: {message}" in str(refusal.value)


def test_without_dates_there_are_no_months():
    with pytest.raises(ValueError, match="backtest needs call_date"):
        dated.contract(backtest=PERIODS, call_date=None, derived=None)
