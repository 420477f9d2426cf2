"""The language of pages: English in the code, other languages from the catalogues in `languages/`.

A text is English where it is used, `tr("The list has {rows} rows.", rows=number(9000))`, and that English text is its
key in a catalogue: `languages/id.po`. A text that a catalogue lacks stays English.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

CATALOGUES = Path(__file__).parent / "languages"
ENGLISH = "en"

language: ContextVar[str] = ContextVar("language", default=ENGLISH)
"""Of the page that is being made, one of `languages()`."""


@lru_cache
def languages() -> tuple[str, ...]:
    """The languages that pages can be in, English first."""
    return ENGLISH, *sorted(file.stem for file in CATALOGUES.glob("*.po"))


def own_name(code: str) -> str:
    """The name of a language in that language; a catalogue has it as its translation of `English`."""
    return _translations(code).gettext("English")


def tr(text: str, **values: object) -> str:
    """A text in the page's language, with values in the place of their names in braces."""
    return _filled(_translations(language.get()).gettext(text), values)


def ntr(one: str, many: str, count: int, **values: object) -> str:
    """`tr` for a text that depends on a count: `ntr("{n} call", "{n} calls", calls, n=number(calls))`."""
    return _filled(_translations(language.get()).ngettext(one, many, count), values)


def _filled(text: str, values: dict[str, object]) -> str:
    return text.format(**values) if values else text


@lru_cache
def _translations(code: str) -> NullTranslations:
    if code == ENGLISH:
        return NullTranslations()
    with (CATALOGUES / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
