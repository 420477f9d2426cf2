"""Groups of a list's customers in the store, and the cells that they come from."""

import numpy as np
import pytest

from campaigns.store import campaigns, customers, groups
from campaigns.store.errors import StateError
from tests.support.campaigns import customer, ranked


def test_cells_are_read_in_the_order_of_the_file(engine):
    id = ranked(engine, [customer(2, 0.9), customer(1, 0.1), customer(4, 0.5)])
    ((rows, (ages, jobs, lacking)),) = groups.cells(engine, id, ["age", "job", "no.such"])
    assert [*rows] == [1, 2, 4]
    assert [*ages] == ["21", "22", "24"]
    assert [*jobs] == ["retired"] * 3
    assert [*lacking] == [None] * 3
    assert groups.rows_by_rank(engine, id).tolist() == [2, 4, 1]


def test_groups_are_kept_and_replaced(engine):
    id, other = ranked(engine, [customer(1)]), ranked(engine, [customer(1)])
    groups.keep(engine, id, {"age": np.array([1, 0, 600]), "job": np.array([3, 3, 3])})
    groups.keep(engine, other, {"age": np.array([9])})
    groups.keep(engine, id, {"age": np.array([2, 300])})
    assert {name: numbers.tolist() for name, numbers in groups.get(engine, id).items()} == {"age": [2, 300]}
    assert groups.get(engine, other)["age"].tolist() == [9]


def test_the_groups_of_a_frozen_list_stay(engine):
    id = ranked(engine, [customer(1)])
    customers.freeze(engine, id, 1, [])
    with pytest.raises(StateError):
        groups.keep(engine, id, {"age": np.array([1])})
    assert campaigns.get(engine, id).state == "frozen"


def test_the_ranks_behind_removed_ones_close_up(engine):
    id = ranked(engine, [customer(1)])
    groups.keep(engine, id, {"age": np.array([5, 1, 4, 2]), "job": np.array([0, 1, 2, 3])})
    with engine.begin() as connection:
        groups.remove(connection, id, [3, 1])
    assert {name: numbers.tolist() for name, numbers in groups.get(engine, id).items()} == {
        "age": [1, 2],
        "job": [1, 3],
    }
