"""Identifiers become hashes with a secret of the desk."""

from __future__ import annotations

import stat
import threading

import pytest

from campaigns.request_log import key
from data.errors import NotReadyError


def test_a_secret_is_made_once_and_for_the_owner_only(tmp_path):
    assert not key.exists(tmp_path)
    made = key.load(tmp_path / "desk")
    assert key.load(tmp_path / "desk") == made
    assert key.exists(tmp_path / "desk")
    assert stat.S_IMODE((tmp_path / "desk" / key.FILE).stat().st_mode) == 0o600
    assert key.load(tmp_path / "other") != made
    assert [file.name for file in (tmp_path / "desk").iterdir()] == [key.FILE]


def test_desks_that_start_at_once_have_the_same_secret(tmp_path):
    found, together = [], threading.Barrier(4)

    def start():
        together.wait()
        found.append(key.load(tmp_path))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_the_environment_may_give_it(tmp_path, monkeypatch):
    monkeypatch.setenv(key.VARIABLE, "x" * 40)
    assert key.load(tmp_path) == b"x" * 40
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("secret", ["", "short", " " * 50])
def test_a_secret_that_can_be_guessed_is_refused(secret, tmp_path, monkeypatch):
    monkeypatch.setenv(key.VARIABLE, secret)
    with pytest.raises(NotReadyError, match=f"{key.VARIABLE}.*expected at least 32"):
        key.load(tmp_path)
    monkeypatch.delenv(key.VARIABLE)
    (tmp_path / key.FILE).write_text(secret)
    with pytest.raises(NotReadyError, match=r"log\.key"):
        key.load(tmp_path)


def test_hashes_differ_by_customer_and_by_secret():
    secrets = (b"a" * 32, b"b" * 32, b"a" * 100, b"a" * 101)
    hashes = {key.hasher(secret)(customer) for secret in secrets for customer in ("1", "2", "Ü", "\ud800")}
    assert len(hashes) == 16
    assert all(len(one) == 32 for one in hashes)
    assert key.hasher(b"a" * 32)("1") == key.hasher(b"a" * 32)("1")
