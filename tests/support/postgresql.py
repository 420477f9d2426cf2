"""A real PostgreSQL on a free port."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.server import free_port

USER, PASSWORD = "desk", "p@ss/word%"
"""A password whose characters mean something in a URL."""


def program(name: str) -> str | None:
    """The path of a program of PostgreSQL; Debian keeps most of them outside the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(installed[-1]) if installed else None)


class PostgresProcess:
    """A running server whose databases nobody else uses.

    Args:
      port: of the server.
      launch: starts its process.
    """

    def __init__(self, port: int, launch: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._port, self._launch = port, launch
        self.start()

    def start(self) -> None:
        """Starts it, at first or after `stop`, and waits until it answers."""
        self.process = self._launch()
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends it and all connections; its databases stay."""
        self.process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        self.process.wait(30)

    def new_database(self) -> str:
        """Creates an empty database; returns its URL."""
        name = f"d{secrets.token_hex(4)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://{USER}:p%40ss%2Fword%25@127.0.0.1:{self._port}/{name}"

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self._port, user=USER, password=PASSWORD, dbname="postgres", autocommit=True
        )

    def wait(self, seconds: float = 60.0) -> None:
        """Waits until the server answers."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


@contextlib.contextmanager
def for_tests() -> Iterator[PostgresProcess]:
    """`running` for a fixture: without PostgreSQL its tests are skipped, and fail in continuous integration."""
    if not program("initdb"):
        message = "PostgreSQL is not installed (Debian: apt install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with running() as server:
        yield server


@contextlib.contextmanager
def running() -> Iterator[PostgresProcess]:
    """Starts a server in a folder of its own and stops it at the end.

    PostgreSQL refuses to run as root, so root starts it as the user `postgres`, which Debian's package creates.
    """
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        raise FileNotFoundError("PostgreSQL is not installed")
    account = "postgres" if os.getuid() == 0 else None
    as_user = {"user": account, "group": account, "extra_groups": []} if account else {}
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # pytest's own folders are closed to other users
    port = free_port()
    try:
        (folder / "password").write_text(PASSWORD)
        if account:
            for path in (folder, folder / "password"):
                shutil.chown(path, account, account)
        arguments = [f"--username={USER}", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256", "--encoding=UTF8"]
        subprocess.run(
            [initdb, f"--pgdata={folder / 'data'}", "--no-sync", "--locale=C.UTF-8", *arguments],
            cwd=folder, check=True, stdout=subprocess.DEVNULL, **as_user,
        )  # fmt: skip
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", f"port={port}")
        command = [postgres, "-D", str(folder / "data"), *(part for setting in settings for part in ("-c", setting))]

        def launch() -> subprocess.Popen[bytes]:
            with (folder / "log").open("ab") as log:
                return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **as_user)

        server = PostgresProcess(port, launch)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
