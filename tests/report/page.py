"""Reads the page of a report, and what every page must keep."""

from __future__ import annotations

from collections import defaultdict
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "path", "circle", "rect", "line"}
PARTS = ("table", "figure", "command", "paragraph", "lines", "card", "part", "kind", "tile", "overview", "notice")


class Page(HTMLParser):
    """What a reader and a screen reader get from a page, by part."""

    def __init__(self, text: str):
        super().__init__()
        self.source, self.tags, self.headings = text, [], []
        self.parts: dict[str, dict[str, list[str]]] = defaultdict(dict)
        """Texts by kind of part and name; one entry for each part of that name."""
        self.sections: dict[str, str] = defaultdict(str)
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: list[str] = []
        self.stray = ""
        """Text of the body outside header, nav, main and footer."""
        self._open: list[tuple[str, dict]] = []
        self.feed(text)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag in VOID:
            return
        self._open.append((tag, attributes))
        for kind in PARTS:
            if f"data-{kind}" in attributes:
                self.parts[kind].setdefault(attributes[f"data-{kind}"], []).append("")
        if "data-table" in attributes:
            assert attributes["data-table"] not in self.tables, "tables have names of their own"
            self.tables[attributes["data-table"]] = []
        if tag == "tr":
            self._table.append([])
        if tag in ("th", "td"):
            self._table[-1].append("")
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, text):
        names = [tag for tag, _ in self._open]
        if "style" in names:
            return
        text = text.replace("\u00a0", " ")
        self.texts.append(text)
        for tag, attributes in self._open:
            for kind in PARTS:
                if f"data-{kind}" in attributes:
                    self.parts[kind][attributes[f"data-{kind}"]][-1] += text
            if tag == "section":
                self.sections[attributes["id"]] += text
        if "body" in names and not {"header", "nav", "main", "footer"} & set(names):
            self.stray += text
        if names and names[-1] in ("th", "td"):
            self._table[-1][-1] += text
        if self.headings and f"h{self.headings[-1][0]}" in names:
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + text)

    @property
    def _table(self) -> list[list[str]]:
        return next(self.tables[a["data-table"]] for _, a in reversed(self._open) if "data-table" in a)

    @property
    def text(self) -> str:
        """As read, in one line."""
        return " ".join("".join(self.texts).split())

    @property
    def cells(self) -> set[str]:
        return {cell for rows in self.tables.values() for row in rows for cell in row}

    def rows(self, table: str) -> list[list[str]]:
        """The rows of a table below its head."""
        return self.tables[table][1:]

    def part(self, kind: str, name: str) -> str:
        """The text of the one part of this name."""
        (text,) = self.parts[kind][name]
        return " ".join(text.split())

    def has(self, kind: str, name: str) -> bool:
        return name in self.parts[kind]
