"""A browser without JavaScript, as far as the tests of the desk's pages need one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

ADDRESS = "http://127.0.0.1:8600"
TERMS = {"name": "spring", "cost": "5", "margin": "100", "control_share": "0.1"}


class Page(HTMLParser):
    """A page: its text, links and forms.

    Attributes:
      links: addresses by text.
      forms: by name the address, the method and the hidden answers.
      notices: texts by name.
      tags: names of all tags.
      scripts: addresses of the scripts; None for one that stands in the page.
      events: addresses of streams of events that a script listens to.
      tables: the cells of each row, by the table's name.
    """

    def __init__(self, response: Any):
        super().__init__()
        self.status, self.html = response.status_code, response.text
        self.links: dict[str, str] = {}
        self.forms: dict[str, tuple[str, str, dict[str, str]]] = {}
        self.notices: dict[str, str] = {}
        self.tags: set[str] = set()
        self.scripts: list[str | None] = []
        self.events: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self._link = self._form = self._notice = None
        self._table, self._in_cell = "", False
        self.feed(self.html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.add(tag)
        if tag == "a":
            self._link = values["href"]
        if tag == "form":
            self._form = values["data-form"]
            self.forms[self._form] = (values["action"], values["method"], {})
        if tag == "input" and values["type"] == "hidden":
            self.forms[self._form][2][values["name"]] = values["value"]
        if tag == "div":
            self._notice = values.get("data-notice")
            self.events += [values["data-events"]] if "data-events" in values else []
        if tag == "script":
            self.scripts.append(values.get("src"))
        if tag == "table":
            self._table = values["data-table"]
            self.tables[self._table] = []
        if tag == "tr":
            self.tables[self._table].append([])
        if tag in ("td", "th"):
            self.tables[self._table][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        if tag == "a":
            self._link = None
        if tag == "div":
            self._notice = None
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data):
        if self.lasttag in ("style", "script"):
            return
        self.words.append(data)
        if self._in_cell:
            self.tables[self._table][-1][-1] += data
        if self._link:
            self.links[data] = self._link
        if self._notice:
            self.notices[self._notice] = f"{self.notices.get(self._notice, '')} {data}".strip()


class Browser:
    """Opens pages of a desk and sends their forms."""

    def __init__(self, client: TestClient):
        self.client = client

    def open(self, path: str) -> Page:
        return Page(self.client.get(path))

    def send(self, page: Page, form: str, answers: Mapping[str, str] = {}, file: bytes | None = None) -> Page:
        """Sends a form of a page and follows where it leads."""
        address, method, hidden = page.forms[form]
        if method == "get":
            return Page(self.client.get(address, params={**hidden, **answers}))
        files = {"file": ("list.csv", file)} if file is not None else None
        return Page(self.client.post(address, data={**hidden, **answers}, files=files))

    def start(self, file: str, **answers: str) -> Page:
        """Starts a campaign; the page that follows."""
        return self.send(self.open("/campaigns/new"), "new", {**TERMS, **answers}, file.encode())

    def ended(self, campaign_id: int = 1) -> Page:
        """The page of a campaign when its scoring has ended."""
        deadline = time.monotonic() + 30
        while self.client.get(f"/api/campaigns/{campaign_id}").json()["state"] in ("waiting", "scoring"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return self.open(f"/campaigns/{campaign_id}")
