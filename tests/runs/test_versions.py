"""Champion and challenger: labels, promotion and roll back, and what an interruption leaves."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from data import models_config
from data.errors import UserError
from data.paths import models_folder, serving_folder
from runs import versions
from runs.versions import canary, champion, on_trial, promote, restore, roll_back
from serving.model_config import read_models

MODEL = "m"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(versions, "NOTICE_SECONDS", 0)


def push(artifacts: Path, version: int, content: str | None = None, model: str = MODEL) -> Path:
    folder = serving_folder(artifacts, model) / str(version)
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content or f"model {version}")
    return folder


def on_disk(artifacts: Path, model: str = MODEL) -> dict[int, str]:
    """The content of each version."""
    return {
        int(path.name): (path / "saved_model.pb").read_text()
        for path in serving_folder(artifacts, model).iterdir()
        if path.name.isdigit()
    }


def withdrawn(artifacts: Path) -> set[str]:
    folder = serving_folder(artifacts, MODEL) / versions.WITHDRAWN
    return {path.name for path in folder.iterdir()}


def served(artifacts: Path) -> dict[str, dict[str, int]]:
    """The labels of each model, as a server reads them."""
    return {model.name: model.labels for model in read_models(models_folder(artifacts) / models_config.FILE)}


def test_without_labels_the_newest_version_is_the_champion(tmp_path):
    assert champion(tmp_path, MODEL) is None
    push(tmp_path, 1)
    push(tmp_path, 2)
    assert (champion(tmp_path, MODEL), on_trial(tmp_path, MODEL)) == (2, None)


def test_a_challenger_on_trial_leaves_the_champion_alone(tmp_path):
    push(tmp_path, 1)
    push(tmp_path, 2)
    push(tmp_path, 7, model="other")
    canary(tmp_path, MODEL, 2)
    assert (champion(tmp_path, MODEL), on_trial(tmp_path, MODEL)) == (1, 2)
    assert served(tmp_path) == {MODEL: {"stable": 1, "canary": 2}, "other": {}}
    push(tmp_path, 3)
    canary(tmp_path, MODEL, 3)
    assert (champion(tmp_path, MODEL), on_trial(tmp_path, MODEL)) == (1, 3)


def test_servers_load_every_version_of_a_model_with_labels_and_the_newest_of_others(tmp_path):
    for version in (1, 2, 3):
        push(tmp_path, version)
        push(tmp_path, version, model="other")
    canary(tmp_path, MODEL, 3)
    labelled, other = read_models(models_folder(tmp_path) / models_config.FILE)
    assert labelled.base_path == serving_folder(tmp_path, MODEL)
    assert labelled.policy.choose({1, 2, 3}) == {1, 2, 3}
    assert other.policy.choose({1, 2, 3}) == {3}


def test_the_only_version_cannot_be_a_challenger(tmp_path):
    push(tmp_path, 1)
    with pytest.raises(UserError, match="version 1 is the only one; promote it"):
        canary(tmp_path, MODEL, 1)


def test_a_promoted_challenger_is_the_champion_for_all_requests(tmp_path):
    push(tmp_path, 1)
    push(tmp_path, 2)
    canary(tmp_path, MODEL, 2)
    assert promote(tmp_path, MODEL, 2) == 2
    assert (champion(tmp_path, MODEL), on_trial(tmp_path, MODEL)) == (2, None)
    assert served(tmp_path) == {MODEL: {"stable": 2, "canary": 2}}


def test_an_older_version_is_promoted_under_a_number_above_all(tmp_path):
    for version in (1, 2, 3):
        push(tmp_path, version)
    number = promote(tmp_path, MODEL, 1)
    assert number > 3
    assert on_disk(tmp_path) == {1: "model 1", 2: "model 2", 3: "model 3", number: "model 1"}
    assert champion(tmp_path, MODEL) == max(on_disk(tmp_path))
    assert promote(tmp_path, MODEL, 1) == number, "once more changes nothing"


def test_a_withdrawn_version_comes_back_under_a_number_above_all(tmp_path):
    push(tmp_path, 1)
    push(tmp_path, 2)
    roll_back(tmp_path, MODEL)
    number = promote(tmp_path, MODEL, 2)
    assert number > 2
    assert on_disk(tmp_path) == {1: "model 1", number: "model 2"}
    assert champion(tmp_path, MODEL) == number


def test_a_model_from_elsewhere_becomes_the_champion(tmp_path):
    push(tmp_path, 1)
    source = push(tmp_path / "elsewhere", 5)
    number = restore(tmp_path, MODEL, source)
    assert on_disk(tmp_path)[number] == "model 5"
    assert champion(tmp_path, MODEL) == number == max(on_disk(tmp_path))


@pytest.mark.parametrize("change", [promote, canary, roll_back])
def test_a_version_that_is_not_there_is_named_with_those_that_are(tmp_path, change):
    push(tmp_path, 1)
    push(tmp_path, 2)
    with pytest.raises(UserError, match=r"m: got version 9, expected one that is there: 1, 2"):
        change(tmp_path, MODEL, 9)


def test_a_roll_back_ends_the_trial_of_a_challenger(tmp_path):
    push(tmp_path, 1)
    push(tmp_path, 2)
    canary(tmp_path, MODEL, 2)
    assert roll_back(tmp_path, MODEL) == 1
    assert on_disk(tmp_path) == {1: "model 1"}
    assert withdrawn(tmp_path) == {"2"}
    assert served(tmp_path) == {MODEL: {"stable": 1, "canary": 1}}


def test_a_roll_back_without_a_challenger_returns_to_the_version_before_the_champion(tmp_path):
    for version in (1, 2, 3):
        push(tmp_path, version)
    promote(tmp_path, MODEL, 3)
    assert roll_back(tmp_path, MODEL) == 2
    assert roll_back(tmp_path, MODEL) == 1
    assert on_disk(tmp_path) == {1: "model 1"}
    assert withdrawn(tmp_path) == {"2", "3"}
    with pytest.raises(UserError, match="version 1 is the only one, so there is none to go back to"):
        roll_back(tmp_path, MODEL)


def test_a_roll_back_to_a_version_withdraws_all_newer_ones(tmp_path):
    for version in (1, 2, 3):
        push(tmp_path, version)
    canary(tmp_path, MODEL, 3)
    assert roll_back(tmp_path, MODEL, to=1) == 1
    assert on_disk(tmp_path) == {1: "model 1"}
    assert champion(tmp_path, MODEL) == 1


class EndError(Exception):
    """Stands in for the end of the process."""


def interrupted(monkeypatch, name: str, at: int) -> None:
    """The process ends before the call number `at` of a function of `runs.versions`."""
    calls = iter(range(100))
    real = getattr(versions, name)

    def call(*arguments):
        if next(calls) == at:
            raise EndError
        return real(*arguments)

    monkeypatch.setattr(versions, name, call)


@pytest.mark.parametrize("again", [lambda artifacts: roll_back(artifacts, MODEL), lambda a: roll_back(a, MODEL, 1)])
@pytest.mark.parametrize(("name", "at"), [("_replace", 0), ("_replace", 1), ("sync", 0), ("sync", 1), ("sync", 2)])
def test_an_interrupted_roll_back_is_finished_by_the_next_one(tmp_path, name, at, again):
    for version in (1, 2):
        push(tmp_path, version)
    canary(tmp_path, MODEL, 2)
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, name, at)
        with pytest.raises(EndError):
            roll_back(tmp_path, MODEL)
    assert again(tmp_path) == 1
    assert on_disk(tmp_path) == {1: "model 1"}
    assert withdrawn(tmp_path) == {"2"}
    assert served(tmp_path) == {MODEL: {"stable": 1, "canary": 1}}


def test_any_change_finishes_a_roll_back_that_was_interrupted(tmp_path):
    for version in (1, 2):
        push(tmp_path, version)
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, "_replace", 1)
        with pytest.raises(EndError):
            roll_back(tmp_path, MODEL)
    push(tmp_path, 3)
    canary(tmp_path, MODEL, 3)
    assert on_disk(tmp_path) == {1: "model 1", 3: "model 3"}
    assert (champion(tmp_path, MODEL), on_trial(tmp_path, MODEL)) == (1, 3)


@pytest.mark.parametrize(("name", "at"), [("sync", 0), ("_replace", 0)])
def test_an_interrupted_promotion_of_an_older_version_is_finished_without_a_second_copy(tmp_path, name, at):
    for version in (1, 2):
        push(tmp_path, version)
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, name, at)
        with pytest.raises(EndError):
            promote(tmp_path, MODEL, 1)
    number = promote(tmp_path, MODEL, 1)
    assert on_disk(tmp_path) == {1: "model 1", 2: "model 2", number: "model 1"}


def test_half_a_copy_is_cleared(tmp_path):
    push(tmp_path, 1)
    push(tmp_path, 2)
    left = serving_folder(tmp_path, MODEL) / f"{versions.INCOMING}17"
    left.mkdir()
    promote(tmp_path, MODEL, 1)
    assert not left.exists()


def test_changes_at_the_same_time_happen_one_after_the_other(tmp_path):
    for version in range(1, 9):
        push(tmp_path, version, model=f"m{version}")
    threads = [threading.Thread(target=promote, args=(tmp_path, f"m{version}", version)) for version in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert served(tmp_path) == {f"m{version}": {"stable": version, "canary": version} for version in range(1, 9)}
