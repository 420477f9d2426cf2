"""Customers in the store: adding, ranking, paging, the call list."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from campaigns.records import Customer
from campaigns.store import campaigns, customers
from campaigns.store.errors import StateError
from tests.support.campaigns import customer, ranked, waiting
from tests.support.properties import RELAXED

LISTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.sampled_from([None, "young", "old"])), max_size=25
)


def of(drawn):
    """Customers with gaps in their rows, as bad rows leave them, and identifiers in another order."""
    return [
        customer(2 * place + 1, probability, segment, f"c{(place * 7) % 26:02d}")
        for place, (probability, segment) in enumerate(drawn)
    ]


def test_a_customer_comes_back_as_it_was_added(engine):
    id = waiting(engine)
    cells = {"z": "", "a": "=1+1", "ü": "O'Hara \N{SMILING FACE WITH SMILING EYES}", 'q"': "\\ \n"}
    added = Customer(7, "Ä-1", cells, 0.1 + 0.2, "over 53", ("age: 200 is above 120", "job: missing"))
    customers.add(engine, id, [added])
    found = customers.one(engine, id, 7)
    assert found == added
    assert list(found.cells) == list(cells)
    assert customers.one(engine, id, 8) is None
    assert customers.one(engine, waiting(engine), 7) is None


def test_a_row_that_is_there_already_is_left(engine):
    id = waiting(engine)
    customers.add(engine, id, [customer(1, 0.1), customer(2, 0.2)])
    customers.add(engine, id, [customer(2, 0.9), customer(3, 0.3)])
    customers.add(engine, id, [])
    assert [customers.one(engine, id, row).probability for row in (1, 2, 3)] == [0.1, 0.2, 0.3]
    assert customers.last_row(engine, id) == 3
    assert customers.last_row(engine, waiting(engine)) == 0


def test_a_chunk_is_added_whole_or_not_at_all(engine):
    id = waiting(engine)
    broken = Customer(3, None, {}, 0.5)
    with pytest.raises(IntegrityError):
        customers.add(engine, id, [customer(1), customer(2), broken])
    assert customers.last_row(engine, id) == 0


def test_nothing_is_ranked_before_rank(engine):
    id = waiting(engine)
    customers.add(engine, id, [customer(1)])
    assert customers.page(engine, id, offset=0, limit=10) == []
    assert customers.count(engine, id) == customers.count(engine, id, decile=1) == 0
    assert customers.probabilities(engine, id).shape == (0,)
    assert customers.one(engine, id, 1).rank is None


def test_ranking_again_replaces_the_ranks(engine):
    id = ranked(engine, [customer(1, 0.5), customer(2, 0.9)])
    customers.add(engine, id, [customer(3, 0.7)])
    customers.rank(engine, id)
    assert [found.row for found in customers.page(engine, id, offset=0, limit=9)] == [2, 3, 1]


def test_a_cleared_campaign_is_scored_anew(engine):
    id, other = ranked(engine, [customer(1), customer(2)]), ranked(engine, [customer(1)])
    customers.clear(engine, id)
    assert (customers.last_row(engine, id), customers.count(engine, id), campaigns.get(engine, id).scored) == (0, 0, 0)
    assert (customers.last_row(engine, other), customers.count(engine, other)) == (1, 1)
    customers.add(engine, id, [customer(1, 0.9)])
    assert customers.one(engine, id, 1).probability == 0.9


@settings(RELAXED, max_examples=40)
@given(
    drawn=LISTS,
    sort=st.sampled_from(["rank", "row", "identifier"]),
    segment=st.sampled_from([None, "old"]),
    decile=st.sampled_from([None, 1, 4, 10]),
    offset=st.sampled_from([0, 2, 30]),
)
def test_ranks_pages_and_counts_are_those_of_a_sorted_list(engine, drawn, sort, segment, decile, offset):
    added = of(drawn)
    id = ranked(engine, added)
    by_rank = sorted(added, key=lambda found: (-found.probability, found.row))
    rank = {found.row: place for place, found in enumerate(by_rank, 1)}
    key = {"rank": lambda found: rank[found.row], "row": lambda found: found.row}.get(
        sort, lambda found: found.identifier
    )
    expected = [
        found.row
        for found in sorted(added, key=key)
        if segment in (None, found.segment) and decile in (None, customers.decile(rank[found.row], len(added)))
    ]
    part = {"segment": segment, "decile": decile}
    assert customers.count(engine, id, **part) == len(expected)
    forth = customers.page(engine, id, offset=offset, limit=3, sort=sort, **part)
    back = customers.page(engine, id, offset=offset, limit=3, sort=f"-{sort}", **part)
    assert [found.row for found in forth] == expected[offset : offset + 3]
    assert [found.row for found in back] == expected[::-1][offset : offset + 3]
    assert all(found.rank == rank[found.row] for found in forth + back)


def test_the_probabilities_of_a_list_are_in_falling_order(engine):
    id, other = waiting(engine), ranked(engine, [customer(1, 0.99)])
    customers.add(engine, id, [customer(1, 0.1 + 0.2), customer(2, 1.0), customer(3, 1e-9)])
    customers.rank(engine, id)
    found = customers.probabilities(engine, id)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [1.0, 0.1 + 0.2, 1e-9])
    np.testing.assert_array_equal(customers.probabilities(engine, other), [0.99])


@given(rows=st.integers(10, 10_000), rank=st.integers(1, 10_000))
def test_deciles_are_ten_parts_of_nearly_one_size(rows, rank):
    deciles = [customers.decile(place, rows) for place in range(1, rows + 1)]
    sizes = np.bincount(deciles)[1:]
    assert deciles == sorted(deciles)
    assert (len(sizes), sizes.sum()) == (10, rows)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("sort", ["rank", "-rank", "row", "-identifier"])
def test_a_page_far_behind_the_end_is_empty(engine, sort):
    id = ranked(engine, [customer(1, segment="a"), customer(2)])
    for segment in (None, "a"):
        assert customers.page(engine, id, offset=10**12, limit=50, sort=sort, segment=segment) == []


def test_segments_are_the_largest_first(engine):
    names = ["a"] * 2 + ["b"] * 5 + ["c"] * 2 + [None] * 9
    id = ranked(engine, [customer(row, segment=name) for row, name in enumerate(names, 1)])
    assert list(customers.segments(engine, id).items()) == [("b", 5), ("a", 2), ("c", 2)]


def test_the_call_list_is_marked_and_frozen(engine):
    id = ranked(engine, [customer(row, 1 / row) for row in range(1, 11)])
    assert list(customers.called(engine, id)) == []
    customers.freeze(engine, id, 3, (3, 5, 10))
    marks = [(found.rank, found.called) for found in customers.called(engine, id)]
    assert marks == [(1, "best"), (2, "best"), (3, "control"), (5, "control"), (10, "control")]
    assert [found.called for found in customers.page(engine, id, offset=3, limit=2)] == [None, "control"]
    frozen = campaigns.get(engine, id)
    assert frozen.state == "frozen"
    assert frozen.frozen >= frozen.created


def test_only_a_ranked_campaign_can_be_frozen_and_only_once(engine):
    id = waiting(engine)
    with pytest.raises(StateError, match=f"campaign {id} is waiting, not ranked"):
        customers.freeze(engine, id, 1, ())
    id = ranked(engine, [customer(1), customer(2)])
    customers.freeze(engine, id, 1, ())
    with pytest.raises(StateError, match=f"campaign {id} is frozen, not ranked"):
        customers.freeze(engine, id, 2, ())
    assert len(list(customers.called(engine, id))) == 1


def test_of_two_who_freeze_at_once_one_is_refused(engine):
    id = ranked(engine, [customer(row) for row in range(1, 9)])
    results, together = {}, threading.Barrier(2)

    def freeze(best):
        together.wait()
        try:
            customers.freeze(engine, id, best, ())
            results[best] = "frozen"
        except StateError:
            results[best] = "refused"

    threads = [threading.Thread(target=freeze, args=(best,)) for best in (2, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results.values()) == ["frozen", "refused"]
    assert len(list(customers.called(engine, id))) == next(
        best for best, result in results.items() if result == "frozen"
    )


def test_the_call_list_can_be_read_by_changing_threads_and_left_halfway(engine):
    """FastAPI reads a streamed answer from whichever thread is free, and a browser may go away."""
    id = ranked(engine, [customer(row) for row in range(1, 6_001)])
    customers.freeze(engine, id, 6_000, ())
    for _ in range(16):  # more than the pool has connections
        stream, rows = customers.called(engine, id), []
        for _ in range(2):
            thread = threading.Thread(target=lambda stream=stream, rows=rows: rows.append(next(stream).rank))
            thread.start()
            thread.join()
        stream.close()
        assert rows == [1, 2]
    assert engine.pool.checkedout() == 0
    assert [found.rank for found in customers.called(engine, id)] == list(range(1, 6_001))


def test_rows_whose_identifier_came_before_are_counted(engine):
    rows = [customer(row, identifier=name) for row, name in enumerate(["a", "b", "a", "a", "c", "b"], 1)]
    assert customers.repeated(engine, ranked(engine, rows)) == 3
    assert customers.repeated(engine, ranked(engine, rows[:2])) == 0
    assert customers.repeated(engine, waiting(engine)) == 0
