"""Campaigns in the store."""

from dataclasses import replace
from datetime import datetime, timezone

import pytest
from sqlalchemy import select

from campaigns.records import Bad, Outcome, SoFar, Standing, Terms
from campaigns.store import campaigns, customers, outcomes, removal, standings, tables
from campaigns.store.errors import StateError
from tests.support.campaigns import TERMS, customer, ranked, waiting


def test_a_campaign_comes_back_as_it_was_made(engine):
    terms = Terms(
        name="Größe 'x'; DROP TABLE campaigns", cost=0.1, margin=1e9, plan={"z": "1", "a": "ü"}, quarantine=True
    )
    before = datetime.now(timezone.utc)
    made = campaigns.create(engine, terms, "Liste März.csv", '{"name": "bank"}')
    assert before <= made.created <= datetime.now(timezone.utc)
    assert made.created.utcoffset().total_seconds() == 0
    assert (made.terms, made.state, made.source, made.contract) == (
        terms, "waiting", "Liste März.csv", '{"name": "bank"}',
    )  # fmt: skip
    assert list(made.terms.plan) == ["z", "a"]
    assert campaigns.get(engine, made.id) == made


def test_an_unknown_campaign(engine):
    assert campaigns.get(engine, 10**6) is None
    with pytest.raises(StateError, match="no campaign 1000000"):
        campaigns.update(engine, 10**6, state="scoring")


def test_text_that_postgresql_cannot_store_is_replaced(engine):
    id = campaigns.create(engine, replace(TERMS, name="a\0b\ud800"), "\0", "{}").id
    assert campaigns.get(engine, id).terms.name == "a\N{REPLACEMENT CHARACTER}b?"
    assert customers.count(engine, id, segment="\0") == 0


def test_the_newest_campaign_is_first_and_the_oldest_is_done_first(engine):
    ids = [waiting(engine) for _ in range(4)]
    campaigns.update(engine, ids[1], state="scoring")
    campaigns.update(engine, ids[2], state="failed", problem="line 3: bad\nline 4: bad")
    assert [campaign.id for campaign in campaigns.all_campaigns(engine)][:4] == ids[::-1]
    assert [campaign.id for campaign in campaigns.unfinished(engine)][-3:] == [ids[0], ids[1], ids[3]]


def test_update_changes_the_named_fields_only(engine):
    id = waiting(engine)
    before = campaigns.get(engine, id)
    campaigns.update(engine, id, state="scoring", model="purchase-model", version="17", rows=10, scored=5, bad=1)
    expected = replace(before, state="scoring", model="purchase-model", version="17", rows=10, scored=5, bad=1)
    assert campaigns.get(engine, id) == expected
    campaigns.update(engine, id, problem="the model server does not answer")
    assert campaigns.get(engine, id) == replace(expected, problem="the model server does not answer")


def test_terms_change_until_the_campaign_is_frozen(engine):
    id = ranked(engine, [customer(1), customer(2)])
    changed = Terms(name="summer", cost=1.0, margin=2.0, calls=1)
    campaigns.change_terms(engine, id, changed)
    assert campaigns.get(engine, id).terms == changed
    customers.freeze(engine, id, 1, ())
    frozen = campaigns.get(engine, id)
    for change in (
        lambda: campaigns.change_terms(engine, id, TERMS),
        lambda: campaigns.update(engine, id, state="ranked"),
        lambda: campaigns.add_bad(engine, id, [Bad(3, "x", "y")]),
        lambda: customers.add(engine, id, [customer(3)]),
        lambda: customers.rank(engine, id),
        lambda: customers.clear(engine, id),
    ):
        with pytest.raises(StateError, match=f"campaign {id} is frozen"):
            change()
    assert campaigns.get(engine, id) == frozen
    assert customers.last_row(engine, id) == 2
    assert campaigns.bad(engine, id) == []


def test_bad_rows_come_back_in_the_order_of_the_file_and_once(engine):
    id, other = waiting(engine), waiting(engine)
    first, second = Bad(3, "age: 'x' is no number", 'x;"a ""b""";\0'), Bad(12, "12 cells, expected 11", "=1+1\tä")
    campaigns.add_bad(engine, id, [second])
    campaigns.add_bad(engine, id, [first, second])
    campaigns.add_bad(engine, id, [])
    assert campaigns.bad(engine, id) == [
        replace(first, text=first.text.replace("\0", "\N{REPLACEMENT CHARACTER}")),
        second,
    ]
    assert campaigns.bad(engine, other) == []


def test_a_removed_campaign_takes_its_rows_along_and_leaves_the_others(engine):
    id, other = ranked(engine, [customer(1), customer(2)]), ranked(engine, [customer(1)])
    customers.freeze(engine, id, 1, ())
    bought = [Outcome("c1", True, True, datetime.now(timezone.utc))]
    for one in (id, other):
        outcomes.record(engine, one, bought)
        standings.note(engine, one, STANDING)
    failed = waiting(engine)
    campaigns.add_bad(engine, failed, [Bad(3, "x", "y")])
    campaigns.update(engine, failed, state="failed")
    for one in (id, failed):
        assert removal.remove_campaign(engine, one, "it goes")
    with engine.connect() as connection:
        for table in tables.metadata.tables.values():
            if "campaign_id" in table.c and table.name != "request_log":
                ids = set(connection.scalars(select(table.c.campaign_id)))
                assert not ids & {id, failed}, table.name
                assert table.name not in ("customers", "ranking", "outcomes", "standings") or other in ids
    assert campaigns.get(engine, id) is None
    assert waiting(engine) > failed


def test_campaigns_come_in_pages(engine):
    ids = [waiting(engine) for _ in range(3)]
    assert [campaign.id for campaign in campaigns.page(engine, 0, 2)] == [ids[2], ids[1]]
    assert [campaign.id for campaign in campaigns.page(engine, 2, 1)] == [ids[0]]
    assert campaigns.page(engine, 2**31 - 1, 20) == []
    assert campaigns.count(engine) == len(campaigns.all_campaigns(engine))


STANDING = Standing(10, 1.5, 0.25, 3.5, 70.0, 2, SoFar(5, 1, 0.75, 0.0, 2.0, -20.5, True, None))


def test_the_newest_note_about_a_campaign_counts(engine):
    id, other = waiting(engine), waiting(engine)
    assert standings.of(engine, [id, other]) == {}
    standings.note(engine, id, replace(STANDING, so_far=None))
    standings.note(engine, id, STANDING)
    assert standings.of(engine, [id, other]) == {id: STANDING}
