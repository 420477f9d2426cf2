"""The folder of a server becomes what the store has, and never half of it."""

from __future__ import annotations

import contextlib
import random
import shutil
from pathlib import Path

import pytest

from data import models_config, store_versions
from data.errors import ExpectedError
from data.model_folder import versions
from data.object_store import locate
from serving.sync.folder import sync
from tests.support.failing_store import failing


@pytest.fixture
def store(tmp_path):
    return locate((tmp_path / "store").as_uri())


@pytest.fixture
def served(tmp_path):
    return tmp_path / "serving"


def model(folder, number):
    """A version on this machine whose files all tell its number."""
    path = folder / str(number)
    (path / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/index", "variables/data"):
        (path / name).write_bytes(f"{name} of {number}\n".encode() * 1000)
    return path


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def push(store, tmp_path, *numbers, name="m"):
    for number in numbers:
        source = tmp_path / "pushed" / name
        folder = source / str(number)
        store_versions.push(folder if folder.is_dir() else model(source, number), store / name / str(number))


def label(store, **models):
    (store / models_config.FILE).write(models_config.text(Path("/elsewhere"), models).encode())


def numbers(served, name="m"):
    return [version.version for version in versions(served / name)]


def test_versions_come_and_go_as_in_the_store(store, served, tmp_path):
    push(store, tmp_path, 1, 2)
    (one,) = sync(store, served)
    assert (one.model, one.present, one.added, one.removed, one.failures) == ("m", (1, 2), (1, 2), (), ())
    assert one.bytes == sum(map(len, content(tmp_path / "pushed" / "m").values()))
    assert content(served / "m" / "2") == content(tmp_path / "pushed" / "m" / "2")
    push(store, tmp_path, 3)
    store_versions.remove(store / "m" / "1")
    (one,) = sync(store, served)
    assert (one.present, one.added, one.removed) == ((2, 3), (3,), (1,))
    (one,) = sync(store, served)
    assert (one.added, one.removed, one.bytes) == ((), (), 0)


def test_one_model_and_all_of_them(store, served, tmp_path):
    push(store, tmp_path, 1)
    push(store, tmp_path, 5, name="other")
    assert [one.model for one in sync(store / "m", served / "m")] == ["m"]
    assert not (served / "other").exists()
    assert [one.model for one in sync(store, served)] == ["m", "other"]
    assert numbers(served, "other") == [5]


def test_an_empty_store_changes_nothing(store, served, tmp_path):
    assert list(sync(store, served)) == []
    push(store, tmp_path, 1, 2)
    list(sync(store, served))
    for number in "12":
        store_versions.remove(store / "m" / number)
    (store / "m" / "3" / "saved_model.pb").write(b"an upload that has begun")
    (one,) = sync(store, served)
    assert (one.removed, one.present) == ((1,), (2,)), "the last version stays"


def test_an_upload_without_its_manifest_is_not_taken(store, served, tmp_path):
    push(store, tmp_path, 1, 2)
    (store / "m" / "2" / "manifest.json").remove()
    (one,) = sync(store, served)
    assert (one.present, one.failures) == ((1,), ())


def test_a_damaged_version_is_left_out_and_the_rest_goes_on(store, served, tmp_path):
    push(store, tmp_path, 1, 2, 3)
    (store / "m" / "2" / "variables/data").write(b"damaged")
    (one,) = sync(store, served)
    assert one.present == (1, 3)
    (failure,) = one.failures
    assert "m/2/variables/data: got 7 bytes, expected" in failure


def test_what_a_killed_pass_left_is_removed(store, served, tmp_path):
    push(store, tmp_path, 1)
    for left in (".part-1", ".removed-0"):
        model(served / "m", left)
    list(sync(store, served))
    assert sorted(path.name for path in (served / "m").iterdir()) == [".lock", "1"]


def test_labels_follow_the_versions_that_they_name(store, served, tmp_path):
    push(store, tmp_path, 1, 2)
    label(store, m={"stable": 1, "canary": 2}, elsewhere={})
    list(sync(store, served))
    file = served / models_config.FILE
    assert models_config.read(file) == {"m": {"stable": 1, "canary": 2}}
    assert f'"{served / "m"}"' in file.read_text()

    # The label of a version that has not come yet, or is damaged, stays where it was.
    label(store, m={"stable": 3, "canary": 3})
    (one,) = sync(store, served)
    assert "label stable names version 3, which is not there" in " ".join(one.failures)
    assert models_config.read(file) == {"m": {"stable": 1, "canary": 2}}
    push(store, tmp_path, 3)
    assert next(sync(store, served)).failures == ()
    assert models_config.read(file) == {"m": {"stable": 3, "canary": 3}}


def test_a_labelled_version_goes_only_after_servers_had_time_to_take_up_its_label_elsewhere(store, served, tmp_path):
    push(store, tmp_path, 1, 2)
    label(store, m={"stable": 2, "canary": 2})
    list(sync(store, served))
    store_versions.remove(store / "m" / "2")
    (one,) = sync(store, served)
    assert one.present == (1, 2), "its label is still there"
    label(store, m={"stable": 1, "canary": 1})
    there = []

    def killed(seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(sync(store, served, killed))
    (one,) = sync(store, served, lambda seconds: there.extend([seconds > 0, *numbers(served)]))
    assert there == [True, 1, 2], "also after a kill in between"
    assert one.present == (1,)


def test_a_single_model_takes_its_labels_and_leaves_those_of_others(store, served, tmp_path):
    push(store, tmp_path, 1)
    model(served / "other", 4)
    served.mkdir(exist_ok=True)
    (served / models_config.FILE).write_text(models_config.text(served, {"other": {"stable": 4}}))
    label(store, m={"stable": 1}, other={"stable": 9})
    list(sync(store / "m", served / "m"))
    assert models_config.read(served / models_config.FILE) == {"m": {"stable": 1}, "other": {"stable": 4}}


def look(folder, sources, known):
    """Checks each version that has become visible since the last look."""
    visible = {version.version: version.path for version in versions(folder)}
    for number in visible.keys() - known:
        assert content(visible[number]) == sources[number]
    known.clear()
    known.update(visible)


def test_no_half_version_is_ever_visible_over_200_injected_failures(store, served, tmp_path):
    """Push, withdraw and sync on a store that loses connections and damages what is read."""
    failures, chance = 0, random.Random(1)
    known: set[int] = set()
    sources = {number: content(model(tmp_path / "source", number)) for number in range(1, 13)}
    for seed in range(400):
        bad, network = failing(tmp_path / "store", seed, rate=0.05)
        network.watch = lambda: look(served / "m", sources, known)
        with contextlib.suppress(ExpectedError):
            number = chance.choice(list(sources))
            if chance.random() < 0.8:
                store_versions.push(tmp_path / "source" / str(number), bad / "m" / str(number))
            else:
                store_versions.remove(bad / "m" / str(number))
        before = set(numbers(served))
        with contextlib.suppress(ExpectedError):
            list(sync(bad, served))
        look(served / "m", sources, known)
        assert numbers(served) or not before, "the last version stays"
        failures += network.failures
    assert failures >= 200
    assert {one.present for one in sync(store, served)} == {tuple(store_versions.versions(store / "m"))}
    assert not [path for path in (served / "m").iterdir() if path.name.startswith((".part", ".removed"))]
    shutil.rmtree(served)
    list(sync(store, served))
    assert {version.version: content(version.path) for version in versions(served / "m")} == {
        number: sources[number] for number in store_versions.versions(store / "m")
    }
