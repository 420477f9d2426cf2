"""Collects the texts of pages for translators: `make texts`.

Writes `languages/messages.pot`, the texts as they are in the code, and brings each catalogue beside it up to date: a
text that the code no longer has is dropped, and a new one is added without a translation. A new language is a copy of
`messages.pot` with the language's code as its name, such as `pt_BR.po`.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from pages.language import CATALOGUES

TEMPLATE = CATALOGUES / "messages.pot"
ROOT = Path(__file__).parent.parent
FOLDERS = ("campaigns", "pages")
"""Whose texts are translated; the report is in English."""
_METHODS = [("**.py", "python"), ("**.j2", "jinja2")]
_KEYWORDS = {"tr": None, "ntr": (1, 2), "gettext": None}
_REMARK = "translators:"
"""Begins a comment in the code that is meant for translators."""
_HEADER = "# Texts of the campaign desk's pages."
_WIDTH = 110


def collected() -> Catalog:
    """The texts of the code."""
    found = Catalog(project="Campaign desk", header_comment=_HEADER, fuzzy=False)
    for folder in FOLDERS:
        for file, _, text, comments, _ in extract_from_dir(
            ROOT / folder, _METHODS, keywords=_KEYWORDS, comment_tags=[_REMARK], strip_comment_tags=True
        ):
            found.add(text, locations=[(f"{folder}/{file}", 0)], auto_comments=comments)
    return found


def catalogue(file: Path) -> Catalog:
    """What a file holds."""
    with file.open("rb") as content:
        return read_po(content, None if file == TEMPLATE else Locale.parse(file.stem))


def main() -> None:
    texts = collected()
    if TEMPLATE.exists():
        now, texts.creation_date = texts.creation_date, catalogue(TEMPLATE).creation_date
        if _written(texts) != TEMPLATE.read_bytes():
            texts.creation_date = now
    TEMPLATE.write_bytes(_written(texts))
    for file in CATALOGUES.glob("*.po"):
        translated = catalogue(file)
        translated.update(texts, no_fuzzy_matching=True)
        file.write_bytes(_written(translated))


def _written(texts: Catalog) -> bytes:
    for message in texts:
        message.flags -= {"python-format", "python-brace-format"}  # Babel takes `95 % interval` for a format
    output = BytesIO()
    write_po(output, texts, width=_WIDTH, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return output.getvalue()


if __name__ == "__main__":
    main()
