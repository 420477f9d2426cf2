"""What a run says at its end about the version that it pushed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from data import store_versions
from data.command import DONE
from data.errors import BadFileError
from data.object_store import locate
from data.paths import serving_folder
from pipeline.launch import _archive, _conclude, _publish
from pipeline.settings import PurchaseSettings
from runs import versions
from tests.support import summaries
from tests.support.failing_store import failing


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


@pytest.fixture
def run(tmp_path):
    """A run that pushed version 1, and what it says."""
    lines: list[str] = []
    folder = tmp_path / "artifacts" / "run"
    folder.mkdir(parents=True)
    for name in ("summary.json", "report.html", "pipeline.log"):
        (folder / name).write_text(name)
    version = serving_folder(folder.parent, PurchaseSettings().model.name) / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_text("graph")
    settings = SimpleNamespace(spec=PurchaseSettings(), artifacts=folder.parent, run_folder=folder)
    return SimpleNamespace(settings=settings, lines=lines, say=lambda text, **_: lines.append(text))


def test_a_pushed_version_goes_to_the_store(run, tmp_path):
    store = locate((tmp_path / "store").as_uri())
    _publish(store, run.settings, run)
    _publish(store, run.settings, run)
    assert store_versions.versions(store / "purchase-model") == [1]
    assert run.lines == [
        f"stored at {store.url}/purchase-model: versions 1",
        f"stored at {store.url}/purchase-model: no version that was not there",
    ]


def test_a_store_that_fails_ends_the_run_with_an_error_that_says_how_to_go_on(run, tmp_path):
    store, _ = failing(tmp_path / "store", seed=1, rate=1)
    with pytest.raises(BadFileError, match=r"on this machine alone; `python -m runs\.publish file://") as error:
        _publish(store, run.settings, run)
    assert error.value.exit_code == 2


def test_summary_and_report_are_archived_and_a_store_that_fails_changes_nothing(run, tmp_path):
    store = locate((tmp_path / "store").as_uri()) / "20261201-100000"
    _archive(store, run.settings.run_folder, run)
    assert {file.name for file in store.files()} == {"summary.json", "report.html", "manifest.json"}
    bad, _ = failing(tmp_path / "store" / "other", seed=1, rate=1)
    _archive(bad, run.settings.run_folder, run)
    assert run.lines[0] == f"archived: {store.url}"
    assert run.lines[1].startswith(f"not archived: {bad.url}")
    assert run.lines[1].endswith("the run is complete")
