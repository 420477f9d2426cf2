"""What a run says at its end about the version that it pushed."""

from __future__ import annotations

from types import SimpleNamespace

from data.command import DONE
from data.paths import serving_folder
from pipeline.launch import _conclude
from pipeline.settings import PurchaseSettings
from runs import versions
from tests.support import summaries


def said(artifacts) -> str:
    """The last lines of a run that pushed version 2."""
    lines: list[str] = []
    settings = SimpleNamespace(spec=PurchaseSettings(), artifacts=artifacts, run_folder=artifacts / "run")
    screen = SimpleNamespace(say=lambda text, **_: lines.append(text))
    assert _conclude(settings, summaries.summary(pushed__version="2"), screen) == DONE
    return "\n".join(lines)


def test_a_version_that_does_not_become_the_champion_says_how_it_may(tmp_path):
    for version in (1, 2):
        (serving_folder(tmp_path, PurchaseSettings().model.name) / str(version)).mkdir(parents=True)
    assert "champion" not in said(tmp_path)
    assert f"python -m serving --models_folder={tmp_path / 'serving'}" in said(tmp_path)
    versions.canary(tmp_path, PurchaseSettings().model.name, 2)
    text = said(tmp_path)
    assert "version 1 stays the champion, with the label stable" in text
    assert "python -m runs.promote --version 2" in text
