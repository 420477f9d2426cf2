"""Forms say what they ask for, send what is needed, and hold texts and no markup."""

from __future__ import annotations

import re

from pages import html
from pages.blocks import Link, Links, Notice, Progress, Section, Table
from pages.forms import Field, Form

ATTACK = "<script>\"'x"


def page(tmp_path, *blocks) -> str:
    template = tmp_path / "page.html.j2"
    template.write_text('{% extends "base.html.j2" %}')
    return html.render(template, title="A page", sections=[Section("only", "Only section", blocks)])


def test_every_field_has_a_label_and_its_hint(tmp_path):
    kinds = ("text", "number", "file", "check", "choice")
    fields = [Field(kind, f"Label {kind}", kind, hint=f"Hint {kind}", choices=[("a", "A")]) for kind in kinds]
    text = page(tmp_path, Form("f", "/go", fields, "Send", {"token": "t"}))
    for kind in kinds:
        assert f'<label for="f-{kind}">Label {kind}</label>' in text
        assert re.search(rf'id="f-{kind}" name="{kind}"[^>]*aria-describedby="f-{kind}-hint"', text)
    assert 'method="post" enctype="multipart/form-data"' in text
    assert '<input type="hidden" name="token" value="t">' in text


def test_a_form_that_asks_for_a_page_sends_no_body(tmp_path):
    text = page(tmp_path, Form("f", "/go", [Field("n", "N", "number", "3", low=1, whole=True)], "Show", asks=True))
    assert 'method="get">' in text
    assert 'step="1" min="1" value="3"' in text


def test_the_choice_at_the_start_is_selected(tmp_path):
    field = Field("c", "C", "choice", "b", choices=[("a", "A"), ("b", "B")])
    assert '<option value="b" selected>B</option>' in page(tmp_path, Form("f", "/go", [field], "Send"))


def test_texts_are_text(tmp_path):
    fields = [
        Field(ATTACK, ATTACK, kind, ATTACK, ATTACK, [(ATTACK, ATTACK)])
        for kind in ("text", "number", "check", "choice")
    ]
    text = page(
        tmp_path,
        Form("f", ATTACK, fields, ATTACK, {ATTACK: ATTACK}),
        Notice("n", ATTACK, [ATTACK], "bad"),
        Progress("p", ATTACK, 1, 2),
        Links("l", [Link(ATTACK, ATTACK)]),
        Table("t", ATTACK, [Link(ATTACK, ATTACK)], [[Link(ATTACK, ATTACK)]], sorted=(0, "ascending")),
    )
    assert "<script" not in text
    assert "\"'x" not in text


def test_bad_news_is_told_at_once_and_progress_without_a_total_has_no_value(tmp_path):
    text = page(tmp_path, Notice("n", "No.", ["a"], "bad"), Notice("m", "Yes.", ["b"]), Progress("p", "P", 0, None))
    assert 'role="alert" data-notice="n"' in text
    assert 'role="status" data-notice="m"' in text
    assert '<progress id="p"></progress>' in text
