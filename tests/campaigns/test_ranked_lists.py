"""Lists in memory are those of the store, and few."""

import numpy as np
import pytest

from analysis.campaigns import plan
from campaigns import ranked_lists
from campaigns.ranked_lists import RankedList, RankedLists
from campaigns.store import customers, groups
from campaigns.store.database import open_database
from tests.support.campaigns import customer, ranked


@pytest.fixture
def engine(tmp_path):
    return open_database(None, tmp_path)


@pytest.fixture
def read(monkeypatch):
    """Ids of the lists that were read from the store."""
    found = []
    probabilities = customers.probabilities
    monkeypatch.setattr(
        ranked_lists.customers, "probabilities", lambda engine, id: (found.append(id), probabilities(engine, id))[1]
    )
    return found


def test_a_list_is_read_once(engine, read):
    id = ranked(engine, [customer(1, 0.2), customer(2, 0.7)])
    groups.keep(engine, id, {"age": np.array([4, 1])})
    lists = RankedLists(engine)
    assert lists.get(id).probabilities.tolist() == [0.7, 0.2]
    assert lists.get(id).groups["age"].tolist() == [4, 1]
    assert read == [id]


def test_only_the_last_lists_are_kept(engine, read):
    first, second, third = (ranked(engine, [customer(1)]) for _ in range(3))
    lists = RankedLists(engine)
    for id in (first, second, first, third, first, second):
        lists.get(id)
    assert read == [first, second, third, second]


def test_a_list_that_has_lost_a_customer_is_read_again(engine, read):
    id = ranked(engine, [customer(1), customer(2)])
    lists = RankedLists(engine)
    lists.get(id)
    customers.clear(engine, id)
    customers.add(engine, id, [customer(1)])
    customers.rank(engine, id)
    assert len(lists.get(id).probabilities) == 1


def test_the_curve_of_a_list_is_drawn_anew_for_other_terms():
    found = RankedList(np.array([0.9, 0.5, 0.1]), {})
    first = found.curve(5.0, 100.0, 0.0, 0.0)
    assert found.curve(5.0, 100.0, 0.0, 0.0) is first
    dearer = found.curve(50.0, 100.0, 0.0, 0.0)
    assert (first.profit[1], dearer.profit[1]) == (85.0, 40.0)
    assert plan(found.probabilities, 50.0, 100.0, 1, known=dearer).curve is dearer
