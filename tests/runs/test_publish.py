"""The store gets the versions and labels that are served here."""

from __future__ import annotations

import shutil

import pytest

from data import models_config, store_versions
from data.object_store import locate
from data.paths import serving_folder
from runs import versions
from runs.publish import main, publish


@pytest.fixture
def artifacts(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "NOTICE_SECONDS", 0.0)
    for number in (1, 2):
        add(tmp_path, number)
    return tmp_path


@pytest.fixture
def store(tmp_path):
    return locate((tmp_path / "store").as_uri())


def add(artifacts, number):
    folder = serving_folder(artifacts, "m") / str(number)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(f"graph {number}")


def stored(store):
    return store_versions.versions(store / "m")


def labels(store):
    return models_config.parse((store / models_config.FILE).read().decode())


def test_versions_are_pushed_once(artifacts, store):
    assert publish(artifacts, "m", store, 5) == (1, 2)
    assert stored(store) == [1, 2]
    assert publish(artifacts, "m", store, 5) == ()
    assert (store / models_config.FILE).read() is None, "no version has a label here"


def test_old_versions_go_and_those_with_a_label_stay(artifacts, store):
    publish(artifacts, "m", store, 5)
    versions.canary(artifacts, "m", 2)
    for number in (3, 4):
        add(artifacts, number)
    assert publish(artifacts, "m", store, 1) == (4,)
    assert stored(store) == [1, 2, 4]
    assert labels(store) == {"m": {"stable": 1, "canary": 2}}


def test_a_withdrawn_version_is_withdrawn_from_the_store(artifacts, store):
    versions.promote(artifacts, "m", 2)
    publish(artifacts, "m", store, 5)
    versions.roll_back(artifacts, "m")
    assert publish(artifacts, "m", store, 5) == ()
    assert stored(store) == [1]
    assert labels(store) == {"m": {"stable": 1, "canary": 1}}


def test_versions_and_labels_of_other_machines_stay(artifacts, store):
    versions.canary(artifacts, "m", 2)
    publish(artifacts, "m", store, 5)
    shutil.rmtree(serving_folder(artifacts, "m").parent)
    add(artifacts, 3)
    assert publish(artifacts, "m", store, 5) == (3,)
    assert stored(store) == [1, 2, 3]
    assert labels(store) == {"m": {"stable": 1, "canary": 2}}


def test_the_command_says_what_the_store_has(artifacts, store, capsys):
    command = [store.url, "--artifacts", str(artifacts), "--model", "m"]
    assert main(command) == 0
    assert main(command) == 0
    assert capsys.readouterr().out == (
        f"{store.url}/m: versions 1, 2; new: 1, 2\n{store.url}/m: versions 1, 2; new: none\n"
    )


def test_the_command_needs_a_version_and_a_store(artifacts, store, capsys):
    assert main([store.url, "--artifacts", str(artifacts), "--model", "none"]) == 2
    assert main(["models", "--artifacts", str(artifacts), "--model", "m"]) == 2
    said = capsys.readouterr().err
    assert "no model has been pushed yet" in said
    assert "expected s3://bucket/key" in said
