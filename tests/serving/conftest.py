"""Toy models and one server process of each kind for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving import conformance
from tests.support.server import ServerProcess


@pytest.fixture(scope="session")
def toy_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("toy-models")
    conformance.write_models(root)
    return root


@pytest.fixture(scope="session")
def start_server(toy_models: Path) -> Iterator[Callable[[str], ServerProcess]]:
    """Gives the servers that conformance cases name: `main`, `cors` and `noprom`; each is started once."""
    running: dict[str, ServerProcess] = {}

    def start(name: str) -> ServerProcess:
        if name not in running:
            running[name] = conformance.start_server(name, toy_models, toy_models / f"{name}.log")
            conformance.wait_until_all_serve(running[name])
        return running[name]

    yield start
    for server in running.values():
        server.stop()


@pytest.fixture(scope="session")
def server(start_server: Callable[[str], ServerProcess]) -> ServerProcess:
    """The main server with the toy models."""
    return start_server("main")


@pytest.fixture(scope="session")
def segment_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 of a stand-in with the segment model's signature."""
    from tests.support import toy_models

    path = tmp_path_factory.mktemp("segment-model") / "1"
    toy_models.segment_model(path)
    return path


@pytest.fixture(scope="session")
def purchase_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 of a stand-in with the purchase model's signature."""
    from tests.support import toy_models

    path = tmp_path_factory.mktemp("purchase-model") / "1"
    toy_models.purchase_model(path)
    return path
