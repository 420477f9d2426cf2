"""Opening the database: its migrations, its URL, and what is told when it cannot be used."""

import stat
import threading
from datetime import datetime, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, text

from campaigns.store import campaigns, database, tables
from data.errors import BadOptionError, NotReadyError, ServiceError
from tests.support.campaigns import TERMS, waiting
from tests.support.server import free_port


def test_migrations_make_the_tables_that_the_code_expects(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _is_of_dialect(engine.dialect.name)})
        assert compare_metadata(context, tables.metadata) == []


def _is_of_dialect(dialect):
    """Leaves out the index that only PostgreSQL has; Alembic does not know `ddl_if`."""
    return lambda _, name, *__: dialect == "postgresql" or name != "ix_request_log_time"


def test_the_request_log_of_before_keeps_its_rows_without_their_old_hashes(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        upgrade = database.command.upgrade
        patch.setattr(database.command, "upgrade", lambda configuration, _: upgrade(configuration, "0002"))
        engine = database.open_database(None, tmp_path)
    with engine.begin() as connection:
        row = {"batch": 1, "place": 0, "time": datetime.now(timezone.utc), "customer": "by HMAC", "probability": 0.5}
        row |= {"request": "", "caller": "", "model": "m", "version": "1", "purchase": 1, "seconds": 0.1}
        connection.execute(insert(tables.request_log).values(row))
    engine.dispose()
    engine = database.open_database(None, tmp_path)
    with engine.connect() as connection:
        ((customer, probability),) = connection.execute(text("SELECT customer, probability FROM request_log"))
    assert (customer, probability) == (None, 0.5)
    engine.dispose()


def test_opened_again_it_has_what_was_stored(engine, where):
    id = waiting(engine)
    again = database.open_database(*where)
    assert campaigns.get(again, id) == campaigns.get(engine, id)
    again.dispose()


def test_desks_that_start_at_once_migrate_once(tmp_path):
    _open_at_once(None, tmp_path)


@pytest.mark.e2e
def test_desks_that_start_at_once_on_postgresql_migrate_once(postgres, tmp_path):
    _open_at_once(postgres.new_database(), tmp_path)


def _open_at_once(url, folder):
    opened, together = [], threading.Barrier(4)

    def start():
        together.wait()
        engine = database.open_database(url, folder)
        opened.append(campaigns.create(engine, TERMS, "list.csv", "{}").id)
        engine.dispose()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(opened) == [1, 2, 3, 4]


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    real = database.command.upgrade

    def killed(config, revision):
        real(config, revision)
        raise KeyboardInterrupt

    monkeypatch.setattr(database.command, "upgrade", killed)
    with pytest.raises(KeyboardInterrupt):
        database.open_database(None, tmp_path)
    monkeypatch.undo()
    engine = database.open_database(None, tmp_path)
    assert campaigns.all_campaigns(engine) == []
    engine.dispose()


def test_customers_are_readable_for_the_owner_only(tmp_path):
    engine = database.open_database(None, tmp_path / "a" / "b")
    waiting(engine)
    files = list((tmp_path / "a" / "b").iterdir())
    assert database.FILE in [file.name for file in files]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    engine.dispose()


def test_a_reader_does_not_wait_for_a_writer(tmp_path):
    engine = database.open_database(None, tmp_path)
    id = waiting(engine)
    with engine.begin() as writer:
        campaigns.change(writer, id, {"scored": 7})
        assert campaigns.get(engine, id).scored == 0
    assert campaigns.get(engine, id).scored == 7
    engine.dispose()


def test_a_database_of_a_newer_desk_is_refused(tmp_path):
    engine = database.open_database(None, tmp_path)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(NotReadyError, match=r"newer version of the desk.*9999"):
        database.open_database(None, tmp_path)


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "sqlite:///x", "h:5432", "", "postgresql://h:port/d", "//h"])
def test_another_url_is_refused(url, tmp_path):
    with pytest.raises(BadOptionError, match="expected postgresql://") as refused:
        database.open_database(url, tmp_path)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / database.FILE).write_text("row,probability\n" * 100)
    with pytest.raises(ServiceError, match="file is not a database"):
        database.open_database(None, tmp_path)


def test_a_database_that_does_not_answer(tmp_path):
    with pytest.raises(ServiceError, match="cannot be used: connection") as refused:
        database.open_database(f"postgresql://u:secret@127.0.0.1:{free_port()}/d", tmp_path)
    assert "secret" not in str(refused.value)


@pytest.mark.e2e
def test_a_wrong_password_is_told(postgres, tmp_path):
    url = postgres.new_database().replace("p%40ss", "secret")
    with pytest.raises(ServiceError, match="password authentication failed") as refused:
        database.open_database(url, tmp_path)
    assert "secret" not in str(refused.value)


@pytest.mark.e2e
def test_the_desk_survives_a_restart_of_postgresql(postgres, tmp_path):
    engine = database.open_database(postgres.new_database(), tmp_path)
    id = waiting(engine)
    with postgres.connect() as connection:  # what a restart does to every open connection
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert campaigns.get(engine, id).id == id
    engine.dispose()
