"""How the settings and the data of two runs differ."""

from __future__ import annotations

import re
from typing import Any

from pages.blocks import Block, Paragraph, Table
from pages.formatting import any_value
from runs.compare import differences
from runs.summary import RunSummary

DIGEST = 12
"""Characters of a digest that are shown."""


def settings_that_differ(before: RunSummary, now: RunSummary) -> Block:
    """A table of the settings that differ, or a sentence where none does."""
    differing = [(_setting(key), *map(_short, values)) for key, values in differences((before, now)).items()]
    if not differing:
        return Paragraph("same-settings", "Settings and data are the same.")
    head = ("Setting", "Last blessed", "This run")
    caption = "Settings and data that differ"
    return Table("changed-settings", caption, head, differing, frozenset({0, 1, 2}), narrow=True)


def _setting(key: str) -> str:
    """`model.hyperparameters.weight_decay` -> `weight decay`."""
    return key.rsplit(".", 1)[-1].replace("_", " ")


def _short(value: Any) -> str:
    """The beginning of a digest; other values as they are."""
    text = any_value(value)
    return f"{text[:DIGEST]}…" if re.fullmatch(r"[0-9a-f]{40,64}[+]?", text) else text
