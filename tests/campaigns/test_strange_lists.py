"""Lists with strange identifiers, names and cells are text on every page and in every file, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from starlette.testclient import TestClient

from campaigns import app
from campaigns.settings import Settings
from tests.campaigns.browsing import ADDRESS, Browser
from tests.campaigns.conftest import TYPICAL


def quoted(rows: list[dict[str, str]]) -> str:
    """A list in which every name and cell is quoted; each row differs from TYPICAL in the given cells."""
    full = [{**TYPICAL, **row} for row in rows]
    lines = [[*full[0]], *([row[name] for name in full[0]] for row in full)]
    return "\n".join(";".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines) + "\n"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)])
def browser(request, tmp_path, model_server) -> Iterator[Browser]:
    database = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
    model_server.explains = True
    settings = Settings(model_server.url, artifacts=tmp_path / "artifacts", database=database)
    with TestClient(app.create(settings), base_url=ADDRESS, raise_server_exceptions=False) as client:
        yield Browser(client)


def pages(browser: Browser):
    paths = ("/", "/campaigns/1", "/campaigns/1/customers/1", "/campaigns/1/budget", "/campaigns/1/outcomes")
    return [browser.open(path) for path in (*paths, "/campaigns/1/delete")]


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "two\nlines", "{{ 7*7 }}", "{name}", "%s", "a\"b'c", "=1+1", "x" * 5_000]
)
def test_any_name_of_a_column_is_text(browser, name):
    browser.start(quoted([{name: "=2+2", "id": "a"}, {name: name, "id": "b"}]))
    page = browser.ended()
    assert page.status == 200
    assert "a" in page.links
    for page in pages(browser):
        assert page.status == 200
        assert "img" not in page.tags
        assert page.scripts == ["/static/desk.js"]
    assert " ".join(name.split()) in browser.open("/campaigns/1/customers/2").text
    browser.send(browser.open("/campaigns/1/budget"), "freeze")
    assert browser.client.get("/campaigns/1/calls.csv").status_code == 200
    assert browser.client.get("/campaigns/1/calls.xlsx").status_code == 200


def test_nul_in_a_cell_is_a_fault_of_its_row_and_in_a_name_refuses(browser):
    browser.start(quoted([{"id": "a\0b"}, {"id": "b"}]))
    assert "without NUL" in browser.ended().notices["problem"]
    assert browser.client.get("/campaigns/1/bad.csv").status_code == 200
    assert "name" in browser.start(quoted([{}]), name="x\0y").notices["problem"]
    assert browser.start(quoted([{"a\0b": "1"}])).status == 400


@pytest.mark.parametrize("length", [500, 10_000])
def test_an_identifier_has_a_length_that_an_index_can_take(browser, length):
    random = Random(length)
    identifier = "".join(random.choices("\N{SNOWMAN}\N{GRINNING FACE}\N{GREEK SMALL LETTER ALPHA}", k=length))
    browser.start(quoted([{"id": "a"}, {"id": identifier}]))
    page = browser.ended()
    if length > 500:
        assert "row 2: got an identifier of 10,000 characters" in page.notices["problem"]
    else:
        assert identifier in page.links


def test_identifiers_may_be_missing_or_come_twice(browser):
    rows = [("a", "70"), ("a", "60"), ("", "50"), ("  ", "40"), ("3", "30"), ("4", "20")]
    browser.start(quoted([{"id": identifier, "age": age} for identifier, age in rows]), calls="6", control_share="0")
    page = browser.ended()
    assert "1 row has the identifier of another one" in page.text
    assert {"a", "row 3", "row 4", "3", "4"} <= {*page.links}
    browser.send(browser.open("/campaigns/1/budget"), "freeze")
    file = b"identifier,called,bought\na,yes,yes\nrow 3,yes,no\n3,yes,yes\n"
    judged = browser.send(browser.open("/campaigns/1/outcomes"), "outcomes", file=file)
    assert "3 new, 0 corrected, 0 unchanged" in judged.notices["recorded"].replace("as before", "unchanged")
    assert "4 of 6" in judged.text
