"""Versions appear whole, newest last, and only when there is something new."""

import pytest

from pipeline.components.pusher import push, versions


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def test_a_version_is_a_copy_of_the_model(model, tmp_path):
    version = push(model, tmp_path / "served", keep=3)
    assert version.name.isdecimal()
    assert (version / "saved_model.pb").read_bytes() == b"graph"
    assert (version / "variables" / "variables.index").read_bytes() == b"index"


def test_the_same_model_is_not_pushed_twice(model, tmp_path):
    first = push(model, tmp_path / "served", keep=3)
    assert push(model, tmp_path / "served", keep=3) == first
    assert versions(tmp_path / "served") == [first]


def test_versions_rise_within_one_second_and_old_ones_go(model, tmp_path):
    pushed = []
    for number in range(5):
        (model / "saved_model.pb").write_bytes(b"graph %d" % number)
        pushed.append(push(model, tmp_path / "served", keep=2))
    assert [int(v.name) for v in pushed] == sorted({int(v.name) for v in pushed})
    assert sorted(versions(tmp_path / "served")) == pushed[-2:]


def test_old_versions_go_although_the_model_is_the_newest_already(model, tmp_path):
    for number in range(3):
        (model / "saved_model.pb").write_bytes(b"graph %d" % number)
        newest = push(model, tmp_path / "served", keep=3)
    assert push(model, tmp_path / "served", keep=1) == newest
    assert versions(tmp_path / "served") == [newest]


def test_a_model_pushed_before_the_newest_becomes_a_version_again(model, tmp_path):
    first = push(model, tmp_path / "served", keep=3)
    (model / "saved_model.pb").write_bytes(b"other")
    push(model, tmp_path / "served", keep=3)
    (model / "saved_model.pb").write_bytes(b"graph")
    assert int(push(model, tmp_path / "served", keep=3).name) > int(first.name)


def test_what_a_killed_push_left_is_cleared_and_was_never_a_version(model, tmp_path):
    leftover = tmp_path / "served" / ".incoming-17"
    leftover.mkdir(parents=True)
    assert versions(tmp_path / "served") == []
    push(model, tmp_path / "served", keep=3)
    assert not leftover.exists()


def test_foreign_folders_are_left_alone(model, tmp_path):
    notes = tmp_path / "served" / "notes"
    notes.mkdir(parents=True)
    push(model, tmp_path / "served", keep=1)
    assert notes.is_dir()
