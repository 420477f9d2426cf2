"""Every text of a page is in every catalogue, with the same values in it."""

import ast
import re
from string import Formatter

import pytest

from pages import texts
from pages.language import ENGLISH, language, languages, ntr, own_name, tr

OTHERS = [code for code in languages() if code != ENGLISH]
CODE = [file for folder in texts.FOLDERS for file in (texts.ROOT / folder).rglob("*.py")]


@pytest.fixture(params=OTHERS)
def catalogue(request):
    return texts.catalogue(texts.CATALOGUES / f"{request.param}.po")


def versions(message):
    """The texts of a message and their translations."""
    one = lambda text: (text,) if isinstance(text, str) else tuple(text)  # noqa: E731
    return one(message.id), one(message.string)


def names(text):
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def ids(catalogue):
    return {message.id for message in catalogue if message.id}


def test_the_template_and_the_catalogue_have_the_texts_of_the_code(catalogue):
    wanted = ids(texts.collected())
    assert ids(texts.catalogue(texts.TEMPLATE)) == wanted, "run make texts"
    assert ids(catalogue) == wanted, "run make texts"


def test_each_text_is_translated(catalogue):
    for message in catalogue:
        if message.id:
            assert all(versions(message)[1]), f"{message.id} is not translated"
            assert not message.fuzzy, f"{message.id} is fuzzy"
            assert len(versions(message)[1]) == (1 if isinstance(message.id, str) else catalogue.num_plurals)


def test_a_translation_has_the_values_and_the_tags_of_its_text(catalogue):
    for message in catalogue:
        if message.id:
            english, translated = versions(message)
            for text in translated:
                assert names(text) == names(english[-1]), text
                assert re.findall("<[^>]*>", text) == re.findall("<[^>]*>", english[-1]), text
                assert text == text.strip()
                assert (text[-1] in ".:?") == (english[-1][-1] in ".:?"), text


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(texts.ROOT)))
def test_texts_in_the_code_are_literal(file):
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("tr", "ntr"):
            arguments = call.args[: 2 if call.func.id == "ntr" else 1]
            assert all(isinstance(one, ast.Constant) for one in arguments), f"line {call.lineno}"


def test_a_text_is_in_the_language_of_the_page():
    def both():
        return tr("Customers {first} to {last} of {count}", first=1, last=2, count=3), tr("Sections")

    assert both() == ("Customers 1 to 2 of 3", "Sections")
    token = language.set("id")
    try:
        assert both() == ("Nasabah 1 sampai 2 dari 3", "Bagian halaman")
        assert ntr("{calls} call", "{calls} calls", 1, calls=1) == "1 panggilan"
        assert tr("A text that no catalogue has, {value}.", value="{x}") == "A text that no catalogue has, {x}."
    finally:
        language.reset(token)
    assert ntr("{calls} call", "{calls} calls", 1, calls=1) == "1 call"


def test_a_language_has_its_own_name():
    assert [own_name(code) for code in ("en", "id")] == ["English", "Bahasa Indonesia"]
