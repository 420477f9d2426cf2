"""A folder in a store is there as a whole, or not at all."""

from __future__ import annotations

import json

import pytest

from data import store_versions
from data.errors import BadFileError
from data.object_store import locate
from data.store_versions import MANIFEST, Manifest


@pytest.fixture
def version(tmp_path):
    """A version of a model on this machine."""
    folder = tmp_path / "here" / "7"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph" * 100)
    (folder / "variables" / "data").write_bytes(bytes(range(256)))
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture
def model(tmp_path):
    """The model's folder in the store."""
    return locate((tmp_path / "store" / "m").as_uri())


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_version_is_the_same_after_push_and_fetch(version, model, tmp_path):
    assert store_versions.push(version, model / "7")
    assert store_versions.versions(model) == [7]
    assert store_versions.fetch(model / "7", tmp_path / "there" / "7") == sum(map(len, content(version).values()))
    assert content(tmp_path / "there" / "7") == content(version)
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["7"]


def test_the_manifest_says_size_and_sha256_of_each_file(version, model):
    store_versions.push(version, model / "7")
    files = json.loads((model / "7" / MANIFEST).read())["files"]
    assert [file["name"] for file in files] == ["empty", "saved_model.pb", "variables/data"]
    assert files[0] == {
        "name": "empty",
        "size": 0,
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }


def test_a_version_that_is_there_is_not_pushed_again_and_never_changed(version, model):
    assert store_versions.push(version, model / "7")
    assert not store_versions.push(version, model / "7")
    (version / "empty").write_bytes(b"no more")
    with pytest.raises(BadFileError, match="another folder of this name"):
        store_versions.push(version, model / "7")


def test_a_version_without_manifest_is_not_there_until_it_is_pushed_again(version, model, tmp_path):
    store_versions.push(version, model / "7")
    (model / "7" / MANIFEST).remove()
    assert store_versions.versions(model) == []
    with pytest.raises(BadFileError, match="the upload is not complete"):
        store_versions.fetch(model / "7", tmp_path / "7")
    assert store_versions.push(version, model / "7")
    assert store_versions.versions(model) == [7]


def test_a_manifest_that_was_cut_is_written_again(version, model, tmp_path):
    store_versions.push(version, model / "7")
    (model / "7" / MANIFEST).write((model / "7" / MANIFEST).read()[:100])
    with pytest.raises(BadFileError, match="not a manifest"):
        store_versions.fetch(model / "7", tmp_path / "7")
    assert store_versions.push(version, model / "7")
    store_versions.fetch(model / "7", tmp_path / "7")
    assert content(tmp_path / "7") == content(version)


@pytest.mark.parametrize("damage", [b"grapH" * 100, b"graph", b""])
def test_a_damaged_file_leaves_nothing(version, model, tmp_path, damage):
    store_versions.push(version, model / "7")
    (model / "7" / "saved_model.pb").write(damage)
    target = tmp_path / "there" / "7"
    with pytest.raises(BadFileError, match=r"saved_model\.pb: .*expected"):
        store_versions.fetch(model / "7", target)
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b", MANIFEST, "", "a//b"])
def test_a_manifest_whose_names_lead_elsewhere_is_refused(name):
    file = {"name": name, "size": 1, "sha256": "0" * 64}
    with pytest.raises(ValueError, match="wrong name"):
        Manifest.from_json(json.dumps({"files": [file]}).encode())


def test_names_that_are_no_version_are_not_listed(version, model):
    for name in ("7", "07", "latest", ".part-8"):
        store_versions.push(version, model / name)
    assert store_versions.versions(model) == [7]


def test_what_is_removed_is_gone_at_once(version, model):
    store_versions.push(version, model / "7")
    store_versions.remove(model / "7")
    assert store_versions.versions(model) == []
    assert model.folders() == []
