"""A customer is removed everywhere, and what is known of the others stays right."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from campaigns import forget, forgetting, lists, standing
from campaigns.records import Bad, Customer, Outcome, Terms
from campaigns.request_log import key
from campaigns.request_log.destination import connect
from campaigns.request_log.rows import batch
from campaigns.request_log.spool import FOLDER, Spool
from campaigns.served import contract_to_json
from campaigns.store import audit, campaigns, customers, groups, outcomes, standings, tables
from campaigns.store.database import FILE
from tests.support.customers import CONTRACT
from tests.support.request_log import entry

TERMS = Terms(name="Spring", cost=4.5, margin=80.0, calls=20, control_share=0.2)
RECORDED = datetime(2026, 11, 1, tzinfo=timezone.utc)


@pytest.fixture
def home(where, engine):
    """The desk's folder, with an empty store."""
    with engine.begin() as connection:
        for table in (tables.campaigns, tables.request_log, tables.audit):
            connection.execute(delete(table))
    spool = Spool(where[1] / FOLDER)
    for file in spool.files():
        spool.remove(file)
    return where[1]


@pytest.fixture
def run(where, home, capsys):
    """Runs the command; returns its exit code and what it says."""

    def command(*arguments):
        artifacts = home / "artifacts"
        artifacts.mkdir(exist_ok=True)
        if not (artifacts / "campaigns").exists():
            (artifacts / "campaigns").symlink_to(home)
        database = ["--database", where[0]] if where[0] else []
        code = forget.main([*arguments, "--artifacts", str(artifacts), *database])
        return code, "".join(capsys.readouterr())

    return command


def listed(engine, identifiers, column="id", bad=(), **fields) -> int:
    """A ranked campaign of customers with these identifiers; the first is the most likely buyer."""
    id = campaigns.create(engine, TERMS, "list.csv", contract_to_json(CONTRACT)).id
    cells = {"age": "30", "job": "services"}
    rows = [
        Customer(
            row,
            identifier,
            {**cells, column: identifier} if column else cells,
            1.0 - row / 1_000,
            ("young", "old")[row % 2],
        )
        for row, identifier in enumerate(identifiers, 1)
    ]
    customers.add(engine, id, rows)
    campaigns.add_bad(engine, id, bad)
    customers.rank(engine, id)
    campaigns.update(engine, id, state="ranked", rows=len(rows) + len(bad), scored=len(rows), bad=len(bad), **fields)
    return id


def names(count: int) -> list[str]:
    return [f"C{number}" for number in range(1, count + 1)]


def ranks(engine, id):
    query = select(tables.ranking.c.rank, tables.ranking.c.identifier, tables.ranking.c.probability)
    with engine.connect() as connection:
        return connection.execute(query.where(tables.ranking.c.campaign_id == id).order_by(tables.ranking.c.rank)).all()


def test_a_customer_of_a_frozen_list(engine, run, home):
    id = listed(engine, names(50))
    groups.keep(engine, id, {"age": np.arange(50)})
    customers.freeze(engine, id, 16, [20, 30, 40, 50])
    outcomes.record(engine, id, [Outcome(name, True, True, RECORDED) for name in ("C3", "C4", "C30")])
    code, said = run("C3")
    assert (code, said) == (
        0,
        f"Removed of 'C3':\n  campaign {id} (Spring): scored rows 1, on the call list 1, outcomes 1\n",
    )
    others = [name for name in names(50) if name != "C3"]
    assert [(rank, name) for rank, name, _ in ranks(engine, id)] == list(enumerate(others, 1))
    assert groups.get(engine, id)["age"].tolist() == [0, 1, *range(3, 50)]
    assert customers.called_ranks(engine, id).tolist() == [*range(1, 16), 19, 29, 39, 49]
    called = list(customers.called(engine, id))
    assert [one.identifier for one in called if one.called == "control"] == ["C20", "C30", "C40", "C50"]
    assert (len(called), customers.listed(engine, id)) == (19, 19)
    campaign = campaigns.get(engine, id)
    assert campaign
    assert (campaign.state, campaign.rows, campaign.scored) == ("frozen", 49, 49)
    assert "C3" not in [one.identifier for one in called]
    assert outcomes.joined(engine, id).probability.size == 2
    assert standing.brought(engine, campaign, None).listed == 19
    noted = standings.of(engine, [id])[id]
    assert (noted.calls, noted.so_far.calls) == (20, 2)
    assert run("C3") == (0, "Removed of 'C3':\n  nothing\n")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gone=st.sets(st.integers(1, 30), min_size=1, max_size=30))
def test_pages_counts_and_deciles_stay_whole(engine, home, gone):
    """Also where the list has the customer more than once."""
    id = listed(engine, ["X" if row in gone else f"C{row}" for row in range(1, 31)])
    expected = [f"C{row}" for row in range(1, 31) if row not in gone]
    forgetting.remove(engine, home, forgetting.find(engine, home, "X")[0], "X")
    left = len(expected)
    pages = [customers.page(engine, id, offset=start, limit=7) for start in range(0, 30, 7)]
    assert [one.identifier for page in pages for one in page] == expected
    backwards = customers.page(engine, id, offset=0, limit=30, sort="-rank")
    assert [one.identifier for one in backwards] == expected[::-1]
    assert customers.count(engine, id) == left == campaigns.get(engine, id).scored
    by_decile = [customers.page(engine, id, offset=0, limit=30, decile=tenth) for tenth in range(1, 11)]
    assert [one.identifier for page in by_decile for one in page] == expected
    assert [customers.count(engine, id, decile=tenth) for tenth in range(1, 11)] == [len(page) for page in by_decile]
    assert sum(customers.count(engine, id, segment=name) for name in ("young", "old")) == left
    assert np.all(np.diff(customers.probabilities(engine, id)) < 0)
    assert [rank for rank, _, _ in ranks(engine, id)] == list(range(1, left + 1))


def test_all_campaigns_and_no_other_customer(engine, run):
    first, second, third = listed(engine, names(5)), listed(engine, ["C2", "C22", "c2"]), listed(engine, ["D1"])
    code, said = run("C2")
    assert code == 0
    assert said.count("scored rows 1") == 2
    assert f"campaign {third}" not in said
    assert [name for _, name, _ in ranks(engine, first)] == ["C1", "C3", "C4", "C5"]
    assert [name for _, name, _ in ranks(engine, second)] == ["C22", "c2"]


def test_a_row_number_is_no_customer(engine, run):
    numbered, own = listed(engine, ["1", "2", "3"], column=None), listed(engine, ["2", "7"])
    outcomes.record(engine, numbered, [Outcome("2", True, False, RECORDED)])
    code, said = run("2")
    assert code == 0
    assert f"campaign {numbered} (Spring): not row 2, which has no identifier but its number" in said
    assert f"campaign {own} (Spring): scored rows 1" in said
    assert len(ranks(engine, numbered)) == 3
    assert outcomes.joined(engine, numbered).probability.size == 1
    assert len(ranks(engine, own)) == 1


def test_rows_that_were_set_aside(engine, run):
    bad = [
        Bad(2, "list.csv:2: column 'age'", "old;services;C7"),
        Bad(3, "list.csv:3: column 'age'", 'old;services;"C7"'),
        Bad(4, "list.csv:4: column 'age'", "old;C7;C8"),
        Bad(5, "list.csv:5: cells", "C7;1;2;3;4"),
        Bad(6, "list.csv:6: cells", "C77;1;2;3;4"),
        Bad(7, "list.csv:7: column 'age'", "old;services;C77"),
    ]
    problem = "list.csv:2: column 'age'\nlist.csv:20: column 'age'\n6 of 8 rows are bad"
    id = listed(engine, ["C1", "C2"], bad=bad, problem=problem)
    code, said = run("C7")
    assert (code, "rows set aside 3" in said) == (0, True), said
    assert [one.line for one in campaigns.bad(engine, id)] == [4, 6, 7]
    campaign = campaigns.get(engine, id)
    assert (campaign.rows, campaign.bad, campaign.scored) == (5, 3, 2)
    assert campaign.problem == "list.csv:20: column 'age'\n6 of 8 rows are bad"


def test_the_request_log_and_its_spool(engine, run, where, home):
    secret, hashed = key.load(home), key.hasher(key.load(home))
    log = connect(where[0], str(home / FILE))
    entries = entry(3), entry(2, campaign_id=4), entry(2)
    one, two, waiting = (batch(number, [of], secret) for number, of in enumerate(entries, 1))
    log.write([one, two])
    log.close()
    Spool(home / FOLDER).add(waiting)
    code, said = run("c1", "--dry-run")
    assert (code, said) == (0, "Stored of 'c1':\n  request log: rows 2, rows that wait on disk 1\n")
    code, said = run("c1")
    assert (code, said) == (0, "Removed of 'c1':\n  request log: rows 2, rows that wait on disk 1\n")
    with engine.connect() as connection:
        left = connection.scalars(select(tables.request_log.c.customer)).all()
    assert sorted(left) == sorted([hashed("c0")] * 2 + [hashed("c2")])
    assert [len(one.rows) for file in Spool(home / FOLDER).files() for one in Spool(home / FOLDER).read(file)[0]] == [1]


def test_the_audit_log_says_so_without_the_name(engine, run):
    listed(engine, ["Franziska"])
    for arguments in (("Franziska", "--dry-run"), ("Franziska",), ("Nobody",)):
        run(*arguments)
    (noted,) = [one for one in audit.latest(engine, 50) if one.action == "forget"]
    assert noted.caller == "this machine"
    assert noted.subject.startswith("customer ")
    assert "Franziska" not in noted.subject


def test_a_dry_run_removes_nothing(engine, run):
    id = listed(engine, names(3))
    code, said = run("C2", "--dry-run")
    assert (code, said) == (0, f"Stored of 'C2':\n  campaign {id} (Spring): scored rows 1\n")
    assert len(ranks(engine, id)) == 3


def test_a_list_that_is_still_to_be_scored(engine, run, home):
    ranked_too = listed(engine, ["C2", "C3"])
    id = campaigns.create(engine, TERMS, "list.csv", contract_to_json(CONTRACT)).id
    file = lists.place(home, id)
    file.write_text("id;age\nC1;30\nC2;40\n")
    code, said = run("C2")
    assert code == 2
    assert f"campaign {ranked_too} (Spring): scored rows 1" in said
    assert f"the uploaded list of campaign {id} has the customer" in said
    file.write_text("id;age\nC1;30\n")
    assert run("C2")[0] == 0


def test_without_the_secret_nothing_is_claimed(engine, run, home, where):
    secret = key.load(home)
    log = connect(where[0], str(home / FILE))
    log.write([batch(1, [entry(1)], secret)])
    log.close()
    (home / key.FILE).rename(home / "away")
    try:
        code, said = run("c0")
    finally:
        (home / "away").rename(home / key.FILE)
    assert code == 2
    assert "cannot be searched without its secret" in said


def test_no_copy_stays_in_the_files_of_sqlite(engine, run, where, home):
    if where[0] is not None:
        pytest.skip("PostgreSQL overwrites removed rows when it vacuums")
    listed(engine, ["Hieronymus-4711", "C2"])
    assert any(b"Hieronymus" in file.read_bytes() for file in home.glob(f"{FILE}*"))
    run("Hieronymus-4711")
    assert not any(b"Hieronymus" in file.read_bytes() for file in home.glob(f"{FILE}*"))


def test_a_store_that_is_not_there(tmp_path, capsys):
    assert forget.main(["C1", "--artifacts", str(tmp_path)]) == 2
    assert "there is no such database" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_terms_stay(engine, run):
    id = listed(engine, names(4))
    campaigns.change_terms(engine, id, replace(TERMS, calls=3))
    run("C1")
    assert campaigns.get(engine, id).terms.calls == 3
