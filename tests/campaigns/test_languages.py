"""A page is in the language that the browser asks for or that a person has chosen; programs get English."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from campaigns import app
from campaigns.languages import negotiated
from campaigns.settings import Settings
from tests.campaigns.browsing import ADDRESS, Browser
from tests.campaigns.conftest import list_text

INDONESIAN = {"Accept-Language": "id-ID,id;q=0.9,en;q=0.8"}


@pytest.fixture
def browser(tmp_path, model_server) -> Iterator[Browser]:
    settings = Settings(model_server.url, artifacts=tmp_path / "artifacts")
    with TestClient(app.create(settings), base_url=ADDRESS) as client:
        yield Browser(client)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("id", "id"),
        ("ID-id", "id"),
        ("id-ID,id;q=0.9,en;q=0.8", "id"),
        ("en-US,en;q=0.9,id;q=0.8", "en"),
        ("en;q=0.5, id;q=0.7", "id"),
        ("de,id;q=0.3", "id"),
        ("de, *;q=0.5, id;q=0.3", "en"),
        ("id;q=0", "en"),
        ("id;q=0.000", "en"),
        ("id;q=much, en", "en"),
        ("idx", "en"),
        ("pt", "en"),
        ("pt-br, id;q=0.9", "pt_BR"),
        ("pt-BR-x-own", "pt_BR"),
        ("de", "en"),
    ],
)
def test_the_language_that_a_browser_likes_best(header, code):
    assert negotiated(header, ("en", "id", "pt_BR")) == code


@given(st.text(alphabet="id-ENen*;=q.,019 \t\x00ü"))
def test_any_header_gives_a_language(header):
    assert negotiated(header, ("en", "id")) in ("en", "id")


def test_a_page_says_its_language(browser):
    english, other = browser.client.get("/"), browser.client.get("/", headers=INDONESIAN)
    assert '<html lang="en">' in english.text
    assert '<html lang="id">' in other.text
    assert (english.headers["content-language"], other.headers["content-language"]) == ("en", "id")
    assert "Accept-Language" in other.headers["vary"]
    assert "sedang aktif" in other.text
    assert "sedang aktif" not in browser.client.get("/").text


def test_pages_of_errors_have_the_language_too(browser):
    for path, status in (("/campaigns/7", 404), ("/nothing", 404), ("/campaigns/1?sort=name", 422)):
        response = browser.client.get(path, headers=INDONESIAN)
        assert (response.status_code, '<html lang="id">' in response.text) == (status, True)


def test_the_page_of_an_unexpected_error_has_the_language(tmp_path, model_server, monkeypatch):
    application = app.create(Settings(model_server.url, artifacts=tmp_path / "artifacts"))
    with TestClient(application, base_url=ADDRESS, raise_server_exceptions=False) as client:
        monkeypatch.setattr("campaigns.views.home.screen", None)
        response = client.get("/", headers=INDONESIAN)
    assert (response.status_code, "Tidak berhasil" in response.text) == (500, True)


def test_a_chosen_language_stays(browser):
    page = browser.open("/")
    assert page.links["Bahasa Indonesia"] == "?language=id"
    assert '<html lang="id">' in browser.open("/?language=id").html
    again = browser.open("/campaigns/new")
    assert '<html lang="id">' in again.html
    browser.open(f"/campaigns/new{again.links['English']}")
    assert '<html lang="en">' in browser.client.get("/", headers=INDONESIAN).text


@pytest.mark.parametrize("code", ["xx", "", "id%0d%0aSet-Cookie:%20a=b", "../id", "de"])
def test_only_languages_that_there_are_can_be_chosen(browser, code):
    response = browser.client.get(f"/?language={code}", headers={"Accept-Language": "en"})
    assert '<html lang="en">' in response.text
    assert "language" not in response.cookies


@pytest.mark.parametrize("cookie", ["xx", '"', "i d", ""])
def test_a_strange_cookie_is_no_choice(browser, cookie):
    response = browser.client.get("/", headers={"Cookie": f"language={cookie}x"})
    assert '<html lang="en">' in response.text


def test_the_choice_keeps_the_part_of_the_list(browser):
    browser.start(list_text([{"age": str(20 + row)} for row in range(60)]))
    browser.ended()
    page = browser.open("/campaigns/1?page=2&sort=row&language=en")
    assert page.links["Bahasa Indonesia"] == "?page=2&sort=row&language=id"
    other = browser.open(f"/campaigns/1{page.links['Bahasa Indonesia']}")
    assert "Nasabah 51 sampai 60 dari 60" in other.text


def test_an_answer_to_a_form_offers_no_other_language(browser):
    page = browser.start("", cost="much")
    assert page.status == 400
    assert "Bahasa Indonesia" not in page.links


def test_the_progress_is_told_in_the_language_of_the_page(browser, model_server):
    model_server.before = lambda: time.sleep(0.3)
    browser.client.headers.update(INDONESIAN)
    page = browser.start(list_text([{"age": "30"}, {"age": "60"}]))
    (address,) = page.events
    told = browser.client.get(address).text
    assert "sedang diperiksa" in told or "telah diberi skor" in told


def test_programs_get_english(browser):
    browser.client.headers.update(INDONESIAN)
    browser.start(list_text([{"id": "a", "age": "30"}, {"id": "b", "age": "60"}]), calls="2", control_share="0")
    browser.ended()
    browser.send(browser.open("/campaigns/1/budget"), "freeze")
    outcomes = b"identifier,called,bought\na,yes,no\nb,yes,yes\n"
    browser.send(browser.open("/campaigns/1/outcomes"), "outcomes", file=outcomes)
    assert "No control group shows" in browser.client.get("/api/campaigns/1/results").json()["verdict"]
    assert "content-language" not in browser.client.get("/api/campaigns").headers
    calls = browser.client.get("/campaigns/1/calls.csv").text
    assert ("0.3" in calls, "0,3" in calls) == (True, False)


def test_a_model_that_does_not_serve_is_said_in_the_language(browser, model_server):
    model_server.models.clear()
    page = browser.open("/?language=id")
    assert "Tidak ada model yang aktif." in page.notices["no-model"]
