"""Keys in the store."""

import pytest
from sqlalchemy import select

from campaigns.store import audit, keys, tables
from data.errors import BadOptionError


def test_a_key_is_found_by_its_text_until_it_is_revoked(engine):
    text = keys.add(engine, "ana", "score")
    assert text.startswith("desk_")
    assert len(text) == len("desk_") + 43
    found = keys.valid(engine)[keys.hashed(text)]
    assert (found.name, found.role, found.revoked) == ("ana", "score", None)
    keys.revoke(engine, "ana")
    assert keys.hashed(text) not in keys.valid(engine)
    assert [key.name for key in keys.all_keys(engine) if key.revoked] == ["ana"]


def test_the_store_does_not_have_the_key_itself(engine):
    text = keys.add(engine, "ben", "read")
    with engine.connect() as connection:
        rows = connection.execute(select(tables.keys)).all() + connection.execute(select(tables.audit)).all()
    assert text.removeprefix(keys.PREFIX) not in repr(rows)


def test_a_name_is_given_once_since_the_audit_log_speaks_of_it(engine):
    keys.add(engine, "carla", "admin")
    with pytest.raises(BadOptionError, match="'carla' is or was the name of a key"):
        keys.add(engine, "carla", "read")
    keys.revoke(engine, "carla")
    with pytest.raises(BadOptionError, match="choose another"):
        keys.add(engine, "carla", "read")


@pytest.mark.parametrize("name", ["", "this machine", "a'b", "x" * 61, "é", "a\nb", "<b>"])
def test_what_is_no_name(engine, name):
    with pytest.raises(BadOptionError, match="expected 1 to 60 letters"):
        keys.add(engine, name, "read")


def test_a_key_that_is_not_there_cannot_be_revoked(engine):
    keys.add(engine, "dora", "read")
    with pytest.raises(BadOptionError, match="did you mean 'dora'"):
        keys.revoke(engine, "doar")
    keys.revoke(engine, "dora")
    with pytest.raises(BadOptionError, match="no valid key 'dora'"):
        keys.revoke(engine, "dora")


def test_the_audit_log_tells_of_keys_that_were_made_and_revoked(engine):
    keys.add(engine, "emil", "read")
    keys.revoke(engine, "emil")
    revoked, added = audit.latest(engine, 2)
    assert (added.action, added.subject, added.caller) == ("key added", "emil (read)", "this machine")
    assert (revoked.action, revoked.subject) == ("key revoked", "emil")
