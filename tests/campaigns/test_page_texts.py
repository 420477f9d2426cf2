"""No page shows a text that translators do not get.

The pages are opened in a language whose catalogue puts every text of the code in brackets. What stands outside of
brackets must be data: numbers, cells of the list, names that people gave, reasons in the contract's words, and what
says of itself that it is English.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from campaigns import app
from campaigns.settings import Settings
from data.model_folder import CONTRACT as CONTRACT_FILE
from data.model_folder import ModelFolder
from data.model_spec import PURCHASE_MODEL
from data.paths import serving_folder
from pages import language, texts
from tests.campaigns.browsing import ADDRESS, Browser
from tests.campaigns.conftest import TYPICAL, list_text
from tests.campaigns.test_roles import routes
from tests.support import stand_in
from tests.support.customers import CONTRACT

LIST = list_text([{"id": f"c{row}", "age": str(20 + row % 60), "job": "guru"} for row in range(1, 201)])
VALUES = {value for rule in CONTRACT.categorical.values() for value in rule.values}
DATA = {*TYPICAL, *TYPICAL.values(), *CONTRACT.features(), *VALUES} | {
    "id", "guru", "spring", "purchase-model", "list.csv", "make serve", "young", "old",
}  # fmt: skip
PATTERNS = [
    r"python -m data\.spans add artifacts/campaigns/training/1\.csv --month \d{4}-\d\d --source campaign-1",
    r"c?\d+",
    r"[−+\d.,%\xa0 –×€()]+(\xa0(rb|jt))?",
    r"\d+ \w{3} \d{4} \d\d\.\d\d UTC",
    r"(young|old) \(\d+\)",
    r"\d{4}-\d\d",
    r"age: \d+( years)?",  # a reason
    r"job: 'guru' is not a value of the contract",
]
NO_PAGE = r"^/api\b|\.\w+$|/events$|^/(livez|readyz|metrics)$"
"""Addresses of no pages, and of the page of the API, whose descriptions are English as in its document."""
SPOKEN = (
    *("aria-label", "alt", "placeholder", "title"),
    *("data-drop", "data-says", "data-uploading", "data-checking", "data-broken", "data-failed"),
)


class Words(HTMLParser):
    """The texts that a page shows or that a screen reader says."""

    def __init__(self, html: str):
        super().__init__()
        self.found: list[str] = []
        self._within: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "input", "br", "img"):
            self._within.append("english" if ("lang", "en") in attrs else tag)
        self.found += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag):
        if self._within and self._within[-1] in (tag, "english"):
            self._within.pop()

    def handle_data(self, data):
        if not {"style", "script", "english"} & {*self._within} and data.strip():
            self.found.append(data.strip())


def untranslated(html: str) -> list[str]:
    """Texts outside of brackets that are no data."""
    whole = "\n".join(Words(html).found)
    while "⟦" in whole:
        whole = re.sub(r"⟦[^⟦⟧]*⟧", "", whole)
    left = [line.strip() for line in whole.splitlines()]
    return [line for line in left if line and line not in DATA and not any(re.fullmatch(one, line) for one in PATTERNS)]


@pytest.fixture
def bracketed(tmp_path, monkeypatch) -> Iterator[None]:
    """A catalogue of Indonesian with each English text in brackets."""
    catalogue = texts.catalogue(texts.CATALOGUES / "id.po")
    for message in catalogue:
        if message.id:
            message.string = f"⟦{message.id}⟧" if isinstance(message.id, str) else (f"⟦{message.id[1]}⟧",)
    (tmp_path / "id.po").write_bytes(texts._written(catalogue))
    monkeypatch.setattr(language, "CATALOGUES", tmp_path)
    language._translations.cache_clear()
    yield
    language._translations.cache_clear()


@pytest.fixture
def browser(tmp_path, model_server, bracketed) -> Iterator[Browser]:
    model_server.explains = True
    settings = Settings(model_server.url, artifacts=tmp_path / "artifacts")
    with TestClient(app.create(settings), base_url=ADDRESS, headers={"Accept-Language": "id"}) as client:
        yield Browser(client)


class Walk:
    """Opens pages.

    Attributes:
      left: paths of the application, with names for their parts, that are pages and have not been opened.
    """

    def __init__(self, browser: Browser):
        self._client = browser.client
        found = (route.split(" ") for route in routes(browser.client.app))
        self.left = {path for method, path in found if method == "GET" and not re.search(NO_PAGE, path)}

    def __call__(self, path: str, status: int = 200) -> None:
        response = self._client.get(path)
        assert response.status_code == status
        assert '<html lang="id">' in response.text
        assert untranslated(response.text) == [], path
        plain = path.partition("?")[0]
        self.left -= {one for one in self.left if re.fullmatch(re.sub("{[^}]*}", "[^/]+", one), plain)}


def test_every_page_gets_all_its_texts_from_the_catalogue(browser, tmp_path, model_server):
    walk = Walk(browser)
    walk("/")
    walk("/performance")
    stand_in.write_summary(tmp_path / "artifacts", 1, synthetic=True)
    contract = ModelFolder(serving_folder(tmp_path / "artifacts", PURCHASE_MODEL.name) / "1").extra(CONTRACT_FILE)
    contract.parent.mkdir(parents=True)
    contract.write_text(CONTRACT.model_dump_json())
    browser.start(LIST, calls="50")
    browser.ended()
    for path in ("", "?decile=1", "?page=99", "/customers/60", "/budget", "/outcomes"):
        walk(f"/campaigns/1{path}")
    walk("/")
    walk("/campaigns/new")
    frozen = browser.send(browser.open("/campaigns/1/budget"), "freeze")
    assert untranslated(frozen.html) == []
    for path in ("", "/customers/60", "/budget"):
        walk(f"/campaigns/1{path}")
    walk("/performance")
    for text in ("identifier,called,bought\nc1,yes,yes\nx9,no,\n", outcomes_of(browser), "identifier\nc1\n"):
        answer = browser.send(browser.open("/campaigns/1/outcomes"), "outcomes", file=text.encode())
        assert untranslated(answer.html) == []
    walk("/campaigns/1/outcomes")
    walk("/performance")

    browser.start(list_text([{"age": "30"}, {"age": "old"}]))
    browser.ended(2)
    walk("/campaigns/2")
    walk("/campaigns/2/delete")
    browser.start(list_text([{"age": "30"}, {"age": "old"}]), quarantine="yes", control_share="0", calls="")
    browser.ended(3)
    model_server.explains = False
    for path in ("", "/customers/1", "/budget"):
        walk(f"/campaigns/3{path}")
    walk("/campaigns/4", 404)
    walk("/campaigns/2/budget", 409)
    assert untranslated(browser.start("", cost="much").html) == []
    model_server.models.clear()
    walk("/")
    walk("/campaigns/new", 503)
    walk("/login")
    walk("/logout")
    wrong = browser.send(browser.open("/login"), "login", {"key": "desk_x"})
    assert (wrong.status, untranslated(wrong.html)) == (401, [])
    assert walk.left == set()


def test_the_page_of_a_running_campaign_gets_its_texts_from_the_catalogue(browser, model_server):
    go_on = threading.Event()
    model_server.before = lambda: go_on.wait(10)
    page = browser.start(LIST)
    try:
        assert untranslated(page.html) == []
        for path in ("/campaigns/1?follow=no", "/campaigns/1/delete", "/?page=9"):
            assert untranslated(browser.open(path).html) == []
        browser.send(page, "cancel")
    finally:
        go_on.set()
    assert untranslated(browser.ended().html) == []


def outcomes_of(browser: Browser) -> str:
    lines = browser.client.get("/campaigns/1/calls.csv").text.splitlines()[1:]
    bought = (f"{line.partition(',')[0]},yes,{'yes' if number < 20 else 'no'}" for number, line in enumerate(lines))
    return "\n".join(["identifier,called,bought", *bought]) + "\n"
