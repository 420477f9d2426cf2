"""Versions come and go as TensorFlow Serving's manager lets them, here with loads that are only pretended."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import ClassVar

import pytest

from serving.errors import Code, ServingError
from serving.manager import LoadOptions, Manager, State
from serving.metrics import Metrics
from serving.model_config import ModelConfig, VersionPolicy
from serving.servable import LoadTimes, RuntimeOptions


class FakeServable:
    """Loads where the directory holds a file `good`; counts its users like the real bench."""

    loads: ClassVar[list[tuple[str, int]]] = []

    def __init__(self, model: str, version: int, path: Path, options: RuntimeOptions):
        self.loads.append((model, version))
        if not (path / "good").exists():
            raise ServingError(Code.DATA_LOSS, "broken")
        self.model, self.version, self.load_times = model, version, LoadTimes(0.0, 0.0, None)
        self.closed = threading.Event()
        self.users = 0

    def acquire(self) -> bool:
        self.users += not self.closed.is_set()
        return not self.closed.is_set()

    def release(self) -> None:
        self.users -= 1

    def close(self) -> None:
        while self.users:
            time.sleep(0.005)
        self.closed.set()


class Bench:
    """A manager over a directory, and waiting for what it does."""

    def __init__(
        self,
        root: Path,
        configs: list[ModelConfig] | None = None,
        reread=None,
        announce=lambda servable: None,
        **options,
    ):
        FakeServable.loads = []
        self.root = root
        self.metrics = Metrics()
        options = {"poll_seconds": 0.02, "max_retries": 2, "retry_seconds": 0.05, **options}
        self.manager = Manager(
            configs or [ModelConfig("m", root)],
            LoadOptions(**options),
            RuntimeOptions(),
            self.metrics,
            reread=reread,
            announce=announce,
            load=FakeServable,
        )

    def push(self, version: int | str, good: bool = True) -> None:
        staged = self.root / f"staged-{version}"
        staged.mkdir()
        if good:
            (staged / "good").touch()
        staged.rename(self.root / str(version))

    def states(self, model: str = "m") -> dict[int, str]:
        try:
            return {number: state.name for number, state, _ in self.manager.status(model)}
        except ServingError:
            return {}

    def wait_for(self, wanted: dict[int, str], model: str = "m") -> None:
        deadline = time.monotonic() + 10
        while self.states(model) != wanted:
            assert time.monotonic() < deadline, f"{self.states(model)}, expected {wanted}"
            time.sleep(0.005)


@pytest.fixture
def start(tmp_path):
    benches = []

    def create(*arguments, **options) -> Bench:
        bench = Bench(tmp_path, *arguments, **options)
        bench.manager.start()
        benches.append(bench)
        return bench

    yield create
    for bench in benches:
        bench.manager.stop()


def test_it_waits_for_the_first_version(start):
    bench = start()
    assert bench.manager.not_ready() == ["m"]
    with pytest.raises(ServingError, match=r"NOT_FOUND: Servable not found for request: Latest\(m\)"):
        bench.manager.acquire("m")
    bench.push(1)
    bench.wait_for({1: "AVAILABLE"})
    assert bench.manager.not_ready() == []
    assert bench.manager.acquire("m").version == 1


def test_a_new_version_replaces_the_old_one_which_finishes_its_requests(start):
    bench = start()
    bench.push(1)
    bench.wait_for({1: "AVAILABLE"})
    held = bench.manager.acquire("m")
    bench.push(2)
    bench.wait_for({2: "AVAILABLE", 1: "UNLOADING"})
    assert bench.manager.acquire("m").version == 2
    assert not held.closed.is_set()
    held.release()
    bench.wait_for({2: "AVAILABLE", 1: "END"})
    with pytest.raises(ServingError, match=r"Specific\(m, 1\)"):
        bench.manager.acquire("m", version=1)


def test_versions_go_on_coming_after_one_that_could_not_be_announced(start):
    def announce(servable):
        raise ValueError("a golden request cut in half")

    bench = start(announce=announce)
    bench.push(1)
    bench.wait_for({1: "AVAILABLE"})
    bench.push(2)
    bench.wait_for({2: "AVAILABLE", 1: "END"})


def test_a_broken_version_is_retried_then_given_up_and_never_displaces_a_good_one(start):
    bench = start()
    bench.push(1)
    bench.wait_for({1: "AVAILABLE"})
    bench.push(2, good=False)
    bench.wait_for({2: "END", 1: "AVAILABLE"})
    assert FakeServable.loads == [("m", 1)] + [("m", 2)] * 3
    assert [(state, error and error.code) for _, state, error in bench.manager.status("m")] == [
        (State.END, Code.DATA_LOSS),
        (State.AVAILABLE, None),
    ]
    page = bench.metrics.page().decode()
    assert f':load_attempt_count{{model_path="{bench.root}/2",status="fail"}} 3' in page
    assert f':load_attempt_count{{model_path="{bench.root}/1",status="success"}} 1' in page


def test_a_copy_that_is_complete_at_a_retry_is_served(start):
    bench = start(max_retries=1000)
    bench.push(1, good=False)
    bench.wait_for({1: "LOADING"})
    (bench.root / "1" / "good").touch()
    bench.wait_for({1: "AVAILABLE"})


def test_a_given_up_version_is_tried_again_when_it_comes_back(start):
    bench = start(max_retries=0)
    bench.push(1, good=False)
    bench.wait_for({1: "END"})
    shutil.rmtree(bench.root / "1")
    time.sleep(0.1)
    bench.push(1)
    bench.wait_for({1: "AVAILABLE"})


def test_a_better_version_ends_the_retries_of_a_broken_one(start):
    bench = start(max_retries=1000, retry_seconds=30)
    bench.push(1, good=False)
    bench.wait_for({1: "LOADING"})
    bench.push(2)
    bench.wait_for({2: "AVAILABLE", 1: "END"})


def test_without_the_highest_version_the_next_one_serves(start):
    bench = start()
    bench.push(2)
    bench.push(1)  # second, because a version that is looked for between the two would have served
    bench.wait_for({2: "AVAILABLE"})
    shutil.rmtree(bench.root / "2")
    bench.wait_for({2: "END", 1: "AVAILABLE"})


def test_without_any_version_nothing_serves(start):
    bench = start()
    bench.push(1)
    bench.wait_for({1: "AVAILABLE"})
    shutil.rmtree(bench.root / "1")
    bench.wait_for({1: "END"})


def test_a_base_path_that_vanishes_leaves_what_serves_and_other_models_alone(start, tmp_path):
    roots = [tmp_path / "a", tmp_path / "b"]
    for root in roots:
        root.mkdir()
    two = start([ModelConfig(root.name, root) for root in roots])
    for root in roots:
        two.root = root
        two.push(1)
        two.wait_for({1: "AVAILABLE"}, root.name)
    (tmp_path / "a").rename(tmp_path / "gone")
    two.push(2)
    two.wait_for({2: "AVAILABLE", 1: "END"}, "b")
    assert two.states("a") == {1: "AVAILABLE"}


def test_directories_with_leading_zeros_count_and_other_names_do_not(start):
    bench = start()
    bench.push("007")
    bench.push("latest")
    bench.wait_for({7: "AVAILABLE"})


def test_labels_need_loaded_versions_unless_allowed(start, tmp_path):
    labelled = ModelConfig("m", tmp_path, VersionPolicy(latest=0), {"stable": 1})
    with pytest.raises(ServingError, match="Request to assign label to version 1 of model m, which is not currently"):
        start([labelled])
    bench = start([labelled], labels_for_unavailable=True)
    with pytest.raises(ServingError, match=r"NOT_FOUND: Servable not found for request: Specific\(m, 1\)"):
        bench.manager.acquire("m", label="stable")
    bench.push(1)
    bench.wait_for({1: "AVAILABLE"})
    assert bench.manager.acquire("m", label="stable").version == 1
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: Unrecognized servable version label: nope"):
        bench.manager.acquire("m", label="nope")


def test_a_reloaded_configuration_replaces_the_models_and_moves_labels(start, tmp_path):
    roots = {name: tmp_path / name for name in "ab"}
    for root in roots.values():
        (root / "1").mkdir(parents=True)
        (root / "1" / "good").touch()
    current = [ModelConfig("a", roots["a"])]
    bench = start(list(current), reread=lambda: tuple(current), config_poll_seconds=0.02)
    bench.wait_for({1: "AVAILABLE"}, "a")
    current.append(ModelConfig("b", roots["b"]))
    bench.wait_for({1: "AVAILABLE"}, "b")
    current[0] = ModelConfig("a", roots["a"], labels={"stable": 9})  # refused: 9 is not there
    current.pop()
    time.sleep(0.1)
    assert bench.states("b") == {1: "AVAILABLE"}
    current[0] = ModelConfig("a", roots["a"], labels={"stable": 1})
    bench.wait_for({}, "b")
    assert bench.manager.acquire("a", label="stable").version == 1


def test_states_are_metrics(start):
    bench = start()
    bench.push(1)
    bench.wait_for({1: "AVAILABLE"})
    assert 'model_version_info{model_name="m",version="1",state="AVAILABLE"} 1' in bench.metrics.page().decode()
