"""Data files from an object store: whole or not at all, and not twice."""

from __future__ import annotations

import os

import pytest

from data import spans, store_data
from data.errors import BadFileError
from data.object_store import Location, StoredFile
from data.paths import downloads_folder
from tests.support.failing_store import s3_server


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store" / "calls"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("age\n1\n")
    (folder / "b.csv").write_text("age\n2\n")
    return folder


def local(store, artifacts):
    said: list[str] = []
    return store_data.local(store.as_uri(), artifacts, said.append), len(said)


def test_a_path_stays_as_it_is(tmp_path):
    path, said = tmp_path / "x.csv", []
    assert store_data.local(str(path), tmp_path, said.append) == path
    assert not said
    assert not list(tmp_path.iterdir())


def test_a_file_is_downloaded_once_until_it_changes(store, tmp_path):
    file = store / "a.csv"
    first, downloads = local(file, tmp_path)
    assert (first.name, first.read_text(), downloads) == ("a.csv", "age\n1\n", 1)
    assert local(file, tmp_path) == (first, 0)
    file.write_text("age\n3\n")
    os.utime(file, (1, 1))
    second, downloads = local(file, tmp_path)
    assert (second.read_text(), downloads) == ("age\n3\n", 1)
    assert first.read_text() == "age\n1\n", "whoever reads it sees no change"


def test_a_folder_is_downloaded_as_a_whole(store, tmp_path):
    (store / "below").mkdir()
    (store / "below" / "c.csv").write_text("")
    path, _ = local(store, tmp_path)
    assert path.name == "calls"
    assert {str(file.relative_to(path)) for file in path.rglob("*.csv")} == {"a.csv", "b.csv", "below/c.csv"}
    assert local(store, tmp_path) == (path, 0)


def test_a_connection_lost_half_way_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with s3_server("hangs up", b"age\n" + b"1\n" * 1_000_000) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(BadFileError, match=r"s3://bucket/calls\.csv: .*connection was lost") as error:
            store_data.local("s3://bucket/calls.csv", tmp_path, lambda text: None)
    assert error.value.exit_code == 2
    assert [path.name for path in downloads_folder(tmp_path).iterdir()] == [".lock"]


@pytest.mark.parametrize("name", ["../outside.csv", "/outside.csv"])
def test_a_name_that_leads_out_of_the_folder_is_refused(store, tmp_path, monkeypatch, name):
    monkeypatch.setattr(Location, "files", lambda self: [StoredFile(name, 1, 1)])
    with pytest.raises(BadFileError, match="leads out of the folder"):
        local(store, tmp_path)
    assert not list(tmp_path.rglob("outside.csv"))


def test_what_a_killed_download_left_is_removed(store, tmp_path):
    left = downloads_folder(tmp_path) / ".part-0123"
    left.mkdir(parents=True)
    (left / "half.csv").write_text("age\n")
    path, _ = local(store, tmp_path)
    assert sorted(one.name for one in downloads_folder(tmp_path).iterdir()) == [".lock", path.parent.name]


def test_spans_take_a_file_from_a_store(tmp_path, sample_csv, capsys):
    arguments = ["add", sample_csv.as_uri(), "--artifacts", str(tmp_path)]
    assert spans.main(arguments) == 0
    assert spans.spans(spans.folder(tmp_path, "bank-full"))
    assert spans.main(arguments) == 0
    assert "nothing new" in capsys.readouterr().out
