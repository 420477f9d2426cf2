"""What another channel or number of calls would change, by the model that scored the list."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import profile
from campaigns import what_if
from campaigns.records import Campaign
from data.model_spec import PURCHASE_MODEL
from tests.campaigns.conftest import Desk, list_text
from tests.support.customers import CONTRACT, profiled, synthetic


def answer(row):
    """The telephone is good, each call costs a little."""
    channels = {"telephone": 0.5, "cellular": 0.2}
    return {"probability": channels.get(row["contact"], 0.3) - row["campaign"] / 100, "purchase": 0}


@pytest.fixture
def campaign(desk) -> Campaign:
    inputs, _ = desk.server.models[PURCHASE_MODEL.name]
    desk.server.models[PURCHASE_MODEL.name] = inputs, answer
    scored = desk.run(desk.campaign(list_text([{"contact": None}]), plan={"contact": "cellular"}))
    desk.server.requests.clear()
    return scored


def choices(desk: Desk, campaign: Campaign, trained: profile.Profile | None = None):
    (customer,) = desk.customers(campaign)
    return what_if.choices(desk.server.url, campaign, CONTRACT, customer, trained)


def test_each_column_of_the_call_has_its_values_the_best_first(desk, campaign):
    found = choices(desk, campaign)
    assert list(found) == ["contact", "campaign"]
    best, *_, worst = channels = found["contact"]
    assert (best.cell, best.probability, best.planned) == ("telephone", pytest.approx(0.49), False)
    assert (worst.cell, worst.probability, worst.planned) == ("cellular", pytest.approx(0.19), True)
    assert {channel.cell for channel in channels} == {*CONTRACT.categorical["contact"].values}
    assert [one.cell for one in found["campaign"]] == ["1", "2", "3", "5"]
    assert [one.planned for one in found["campaign"]] == [True, False, False, False]
    for values in found.values():
        assert sum(one.planned for one in values) == 1


def test_all_values_are_asked_for_in_one_request_and_one_column_differs(desk, campaign):
    choices(desk, campaign)
    ((_, rows),) = desk.server.requests
    planned = rows[0]
    assert all(sum(str(row[name]) != str(planned[name]) for name in row) <= 1 for row in rows)


def test_numbers_have_the_deciles_of_the_training_rows(desk, campaign):
    columns = {name: values[:500] for name, values in synthetic(2000).items()}
    columns["campaign"] = np.float32([1, 2, 3, 4, 20] * 100)
    found = choices(desk, campaign, profiled(columns))
    assert [one.cell for one in found["campaign"]] == ["1", "2", "3", "4"]


def test_another_version_is_not_asked(desk, campaign):
    desk.server.version = "2"
    assert choices(desk, campaign) is None


def test_a_contract_without_columns_of_the_call_has_no_choices(desk, campaign):
    (customer,) = desk.customers(campaign)
    contract = CONTRACT.model_copy(update={"at_call": ()})
    assert what_if.choices(desk.server.url, campaign, contract, customer, None) == {}
