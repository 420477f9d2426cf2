"""Cells are shaded by how far they are from the average, and texts in blocks are never markup."""

import re
from pathlib import Path

import pytest

from pages import html
from pages.blocks import Card, Fact, Facts, Lines, Section, Table
from pages.marks import badge

ATTACK = "<script>alert(1)</script>"


@pytest.fixture
def page(tmp_path):
    """Renders blocks as a page."""

    def page(*blocks) -> str:
        template = Path(tmp_path, "page.html.j2")
        template.write_text('{% extends "base.html.j2" %}')
        return html.render(template, title="A page", sections=[Section("only", "Only section", blocks)])

    return page


def shades(text: str) -> list[str]:
    body = text.partition("<tbody>")[2]
    return [
        shade[0] if (shade := re.findall(r"(?:warm|cold)\d", cell)) else "" for cell in re.findall("<td[^>]*>", body)
    ]


def test_cells_are_shaded_by_their_distance_from_the_average(page):
    heat = [[-2.0, -1.0, -0.3, 0.05, 0.0, 0.3, 1.0, None]]
    text = page(Table("t", "A table", list("abcdefghi"), [["row", *"12345678"]], heat=heat))
    assert shades(text) == ["cold4", "cold4", "cold1", "", "", "warm1", "warm4", ""]
    assert set(shades(page(Table("t", "A table", ["a", "b"], [["row", "1"]])))) == {""}


def test_texts_of_cards_and_lines_are_text(page):
    card = Card(
        "c", badge(0), ATTACK, ATTACK, ATTACK, [ATTACK], [Facts("p", ATTACK, [Fact(ATTACK, ATTACK, ATTACK)], ATTACK)]
    )
    text = page(card, Lines("l", [ATTACK]))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 10
