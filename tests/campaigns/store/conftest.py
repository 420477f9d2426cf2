"""Databases: every test of the store runs on SQLite and on a real PostgreSQL."""

import pytest

from campaigns.store import database

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)]


@pytest.fixture(scope="module", params=DATABASES)
def where(request, tmp_path_factory):
    """The URL and the folder of an empty database."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return server and server.new_database(), tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="module")
def engine(where):
    """An open database, which the tests of a file share: each makes campaigns of its own."""
    engine = database.open_database(*where)
    yield engine
    engine.dispose()
