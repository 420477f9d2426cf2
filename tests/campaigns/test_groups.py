"""Customers of a list are put into the groups of the contract's sensitive columns."""

import numpy as np
import pytest

from campaigns import groups
from campaigns.groups import Group
from campaigns.store import groups as store
from data.contract import Contract
from data.contract import load as load_contract
from tests.campaigns.conftest import list_text
from tests.support.customers import CONTRACT

HACKEREARTH = load_contract("hackerearth")
AGES = [Group("age", None, low, high) for low, high in [(None, 30), (30, 40), (40, 50), (50, 60), (60, None)]]


def test_groups_are_in_the_order_of_the_contract():
    assert groups.of_column(CONTRACT, "age") == [*AGES, Group("age")]
    marital = [Group("marital", value) for value in ("divorced", "married", "single")]
    assert groups.of_column(CONTRACT, "marital") == [*marital, Group("marital")]


def test_each_customer_of_a_ranked_list_is_in_a_group(desk):
    rows = [("20", "single"), ("60", "married"), ("old", "single"), ("59", "divorced"), ("30", "widowed")]
    campaign = desk.campaign(list_text([{"age": age, "marital": marital} for age, marital in rows]), quarantine=True)
    assert desk.run(campaign).state == "ranked"
    stored = store.get(desk.engine, campaign.id)  # by rank: the oldest is the most likely
    assert {name: numbers.tolist() for name, numbers in stored.items()} == {
        "age": [4, 3, 1, 0],
        "marital": [1, 0, 3, 2],
    }
    age, marital = groups.compare(CONTRACT, stored, np.array([1, 4]))
    assert [(group, of.listed, of.called) for group, of in age.groups] == [
        (AGES[0], 0.25, 0.5),
        (AGES[1], 0.25, 0.0),
        (AGES[3], 0.25, 0.0),
        (AGES[4], 0.25, 0.5),
    ]
    assert marital.groups[-1][0] == Group("marital")


@pytest.mark.parametrize(
    ("cell", "number"),
    [("29.9", 0), ("30", 1), (" 61 ", 4), ("", 5), (None, 5), ("?", 5)],
)
def test_a_number_is_in_its_band(cell, number):
    assert groups._finder(HACKEREARTH, "customer_age")[cell] == number


def test_a_contract_without_sensitive_columns_has_no_groups(desk):
    contract: Contract = CONTRACT.model_copy(update={"sensitive": ()})
    campaign = desk.campaign(list_text([{"age": "30"}]), contract)
    desk.run(campaign)
    assert store.get(desk.engine, campaign.id) == {}
    assert groups.compare(contract, {}, np.array([1])) == []


def test_nobody_called_gives_columns_without_groups():
    (age, _) = groups.compare(
        CONTRACT, {name: np.zeros(3, np.uint16) for name in CONTRACT.sensitive}, np.array([], int)
    )
    assert age.groups == []
