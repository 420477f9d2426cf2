"""The Dockerfile as its instructions."""

from __future__ import annotations

import re
from functools import cache

from data.paths import ROOT


@cache
def instructions() -> list[tuple[str, str]]:
    """Keyword and rest of each instruction, continuation lines joined."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", text)
    return [(words[0], words[1]) for line in joined.splitlines() if (words := line.split(maxsplit=1))]


@cache
def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage, beginning with its FROM."""
    sections: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for keyword, rest in instructions():
        if keyword == "FROM":
            name = rest.split(" AS ")[1]
            sections[name] = []
        if sections:
            sections[name].append((keyword, rest))
    return sections


def values(stage: str, keyword: str) -> list[str]:
    """What stands behind a keyword in a stage."""
    return [rest for key, rest in stages()[stage] if key == keyword]
