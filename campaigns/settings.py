"""How a desk is started."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from data.paths import ARTIFACTS
from serving.client import DEFAULT_URL

PORT = 8600
PROMETHEUS_PORT = 9090
RATE = 600
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """Options of the desk.

    Attributes:
      server: address of the model server.
      host, port: where the desk listens.
      database: address of a PostgreSQL database; None for an SQLite file in the desk's folder.
      artifacts: the folder that pipeline runs write to.
      public: address under which browsers reach the desk through a proxy, such as `https://desk.bank.example`, without
        a slash at its end; None where there is no proxy.
      rate: requests that a key, or an address without a key, may send in a minute.
      log_inputs: whether the request log keeps the rows that were scored, and not only their probabilities.
      retain: days after which lists and logs are removed; None keeps them.
      uploads: address in an object store for copies of lists that are still to be scored; None for none.
    """

    server: str = DEFAULT_URL
    host: str = LOOPBACK[0]
    port: int = PORT
    database: str | None = None
    artifacts: Path = ARTIFACTS
    public: str | None = None
    rate: int = RATE
    log_inputs: bool = False
    retain: int | None = None
    uploads: str | None = None

    @property
    def needs_keys(self) -> bool:
        """Whether others than the people of this machine can reach the desk, directly or through a proxy."""
        return self.host not in LOOPBACK or self.public is not None

    @property
    def folder(self) -> Path:
        """Uploaded lists and the SQLite file."""
        return self.artifacts / "campaigns"

    @property
    def address(self) -> str:
        """Of the first page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options by which a command finds the store of a desk."""
    parser.add_argument("--database", metavar="URL", help="as given to python -m campaigns")
    parser.add_argument(
        "--artifacts", type=Path, default=ARTIFACTS, metavar="FOLDER", help="as given to python -m campaigns"
    )


def of_store(options: argparse.Namespace) -> Settings:
    """The settings that the options of `add_store_options` say."""
    return Settings(database=options.database, artifacts=options.artifacts.resolve())
