"""Addresses in an object store, and what the user is told when it does not do what was asked."""

from __future__ import annotations

import socket

import pytest

from data import object_store
from data.errors import BadFileError, BadOptionError
from data.object_store import StoredFile, locate
from tests.support.failing_store import s3_server


@pytest.fixture
def keys(monkeypatch):
    """Credentials that nobody checks, and no other settings of AWS."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return monkeypatch


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/calls.csv", "s3://bucket/a folder/", "file:///data/x"])
def test_an_address_is_told_from_a_path(url):
    assert object_store.is_url(url)
    assert locate(url).url == url.rstrip("/")


@pytest.mark.parametrize("path", ["calls.csv", "s3:/bucket", "/data/s3/calls.csv", "bank-full"])
def test_a_path_is_no_address(path):
    assert not object_store.is_url(path)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://B/calls.csv",
        "s3://bucket//calls.csv",
        "file://host/calls",
        "file:///",
        "https://x/y",
        "s3://bucket/..",
        "file:///a/../b",
    ],
)
def test_a_wrong_address_says_what_is_expected(url):
    with pytest.raises(BadOptionError, match=r"expected .*file://"):
        locate(url)


def test_a_secret_in_an_address_is_not_repeated():
    with pytest.raises(BadOptionError) as error:
        locate("s3://key:secret@bucket/calls.csv")
    assert "secret@" not in str(error.value)


def test_an_endpoint_that_is_no_address_is_named(keys):
    keys.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    with pytest.raises(BadOptionError, match="AWS_ENDPOINT_URL: got 'localhost:9000', expected"):
        locate("s3://bucket")


def test_files_of_a_folder_are_listed_and_read(tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "x.csv").write_text("one")
    (tmp_path / "y.csv").write_text("three")
    place = locate(tmp_path.as_uri())
    assert [(file.name, file.size) for file in place.files()] == [("a b/x.csv", 3), ("y.csv", 5)]
    assert b"".join((place / "a b/x.csv").blocks()) == b"one"
    assert (place / "none").read() is None
    assert place.folders() == ["a b"]
    (own,) = (place / "y.csv").files()
    assert own == StoredFile("", 5, int((tmp_path / "y.csv").stat().st_mtime))


def test_what_is_written_appears_whole_and_can_be_removed(tmp_path):
    file = locate(tmp_path.as_uri()) / "new" / "file"
    file.write(b"content")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert file.read() == b"content"
    file.parent.remove()
    assert not list(tmp_path.iterdir())
    file.remove()


def test_a_name_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadFileError, match=r"calls\.csv: there is no such file, and none whose name begins with"):
        (locate(tmp_path.as_uri()) / "calls.csv").files()


def test_credentials_are_asked_for_where_access_is_denied(keys):
    with s3_server("denies") as url:
        keys.setenv("AWS_ENDPOINT_URL", url)
        for ask in (lambda place: place.files(), lambda place: place.check(), lambda place: place.write(b"")):
            with pytest.raises(BadFileError, match=r"access denied; expected credentials .*AWS_ACCESS_KEY_ID") as error:
                ask(locate("s3://bucket/calls.csv"))
            assert error.value.exit_code == 2


def test_a_bucket_in_another_region_is_told(keys):
    with s3_server("other region") as url:
        keys.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(BadFileError, match="another region; set AWS_REGION"):
            locate("s3://bucket/calls.csv").files()


def test_a_store_that_does_not_answer_is_told(keys):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    keys.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(BadFileError, match=r"s3://bucket/calls\.csv: the store does not answer"):
        locate("s3://bucket/calls.csv").files()
