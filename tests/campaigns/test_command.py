"""`python -m campaigns` tells in one line why it does not start."""

from __future__ import annotations

import socket

import pytest

from campaigns.__main__ import main


@pytest.fixture(autouse=True)
def _temporary_files(monkeypatch):
    """The command chooses their folder for its whole process."""
    monkeypatch.setattr("tempfile.tempdir", None)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--host", "0.0.0.0"], "python -m campaigns.keys add NAME --role admin"),
        (["--public", "https://desk.bank.example"], "nobody has a key with the role admin"),
        (["--public", "desk.bank.example"], "--public: got 'desk.bank.example'"),
        (["--public", "https://desk.bank.example/desk"], "--public: got"),
        (["--rate", "0"], "--rate: got 0"),
        (["--port", "0"], "--port: got 0"),
        (["--database", "mysql://x"], "--database"),
        (["--retain", "0"], "--retain: got 0, expected at least 1 day"),
        (["--start-server"], "run `make run` first"),
        (["--start-server", "--server", "http://models.example:8501"], "--server: got 'http://models.example:8501'"),
    ],
)
def test_a_wrong_option(options, says, capsys, tmp_path):
    assert main([*options, "--artifacts", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert says in errors
    assert errors.count("\n") == 1


def test_a_port_that_is_taken(capsys, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--artifacts", str(tmp_path)]) == 2
    assert f"port {port} cannot be opened" in capsys.readouterr().err
