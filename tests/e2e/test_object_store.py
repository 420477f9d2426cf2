"""From a file in S3 to answers of a server whose folder a sidecar keeps; S3 is moto's, on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from data import model_folder, models_config, store_versions
from data.model_spec import PURCHASE_MODEL
from data.object_store import Location, locate
from data.paths import downloads_folder, models_folder, serving_folder
from runs import versions
from runs.folder import REPORT, SUMMARY
from runs.publish import publish
from serving.sync.__main__ import main as sync
from tests.e2e.conftest import latest, run, summary
from tests.support import toy_models
from tests.support.moto import environment, moto, needs_moto
from tests.support.predictions import load
from tests.support.server import ServerProcess
from tests.support.sidecar import Sidecar

pytestmark = [pytest.mark.e2e, needs_moto]

NAME = PURCHASE_MODEL.name
SWAPS = 20


@pytest.fixture(scope="module", autouse=True)
def s3(tmp_path_factory) -> Iterator[str]:
    """The address of an S3 with the buckets calls, models and runs, which the environment names."""
    with moto(tmp_path_factory.mktemp("moto"), "calls", "models", "runs") as url, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(url).items():
            patch.setenv(name, value)
        yield url


@dataclass(frozen=True)
class Stored:
    """A run whose rows came from S3, and whose model, report and summary went there.

    Attributes:
      artifacts: of the run.
      options: of its command.
      stdout: what it printed.
    """

    artifacts: Path
    options: tuple[str, ...]
    stdout: str


@pytest.fixture(scope="module")
def stored(tmp_path_factory, sample_csv, contract_file) -> Stored:
    artifacts = tmp_path_factory.mktemp("stored")
    locate("s3://calls/2010/sample.csv").write(sample_csv)
    options = ["--data", "s3://calls/2010/sample.csv", "--contract", str(contract_file), "--trials", "2"]
    options += ["--push-to", "s3://models", "--archive", "s3://runs", "--no-benchmark"]
    result = run(artifacts, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    return Stored(artifacts, tuple(options), result.stdout)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def answers(models: Path, log: Path) -> dict:
    """What a server of a folder of models answers to the golden request."""
    version = model_folder.newest(models / NAME)
    golden = version.golden_request()
    with ServerProcess([f"--models_folder={models}"], log) as server:
        return server.predict(NAME, {"instances": golden.instances})


def test_a_run_takes_its_rows_from_the_store_and_brings_model_and_report_there(stored):
    pushed = summary(stored.artifacts).pushed
    (source,) = downloads_folder(stored.artifacts).glob("*/sample.csv")
    assert summary(stored.artifacts).dataset.source == str(source)
    assert store_versions.versions(locate("s3://models") / NAME) == [int(pushed.version)]
    folder = latest(stored.artifacts)
    archive = locate("s3://runs") / NAME / folder.name
    assert (archive / REPORT).read() == (folder / REPORT).read_bytes()
    assert (archive / SUMMARY).read() == (folder / SUMMARY).read_bytes()
    for said in (
        f"stored at s3://models/{NAME}: versions {pushed.version}",
        f"archived: s3://runs/{NAME}/{folder.name}",
    ):
        assert said in stored.stdout


def test_the_answers_of_a_synced_folder_are_those_of_the_pushed_one(stored, tmp_path):
    assert sync(["s3://models", str(tmp_path / "served"), "--once"]) == 0
    here = answers(models_folder(stored.artifacts), tmp_path / "here.log")
    assert answers(tmp_path / "served", tmp_path / "there.log") == here


def test_a_push_that_failed_is_completed_by_the_same_command(stored):
    pushed = int(summary(stored.artifacts).pushed.version)
    target = locate("s3://models") / NAME / str(pushed)
    (target / store_versions.MANIFEST).remove()
    result = run(stored.artifacts, *stored.options)
    assert result.returncode == 0, result.stdout
    assert store_versions.versions(locate("s3://models") / NAME) == [pushed]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data", "s3://calls/none.csv"], "s3://calls/none.csv: there is no such file"),
        (["--data", "s3://nothing/calls.csv"], "s3://nothing/calls.csv: there is no such bucket"),
        (["--push-to", "s3://nothing/models"], "s3://nothing/models: there is no such bucket"),
        (["--archive", "models"], "got 'models', expected s3://bucket/key"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_trained(options, said, tmp_path):
    result = run(tmp_path, *options)
    assert result.returncode == 2
    assert said in result.stdout + result.stderr
    assert not (tmp_path / "runs").exists()


def test_a_bucket_may_be_a_model(tmp_path, s3):
    httpx.put(f"{s3}/one-model").raise_for_status()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("graph")
    store_versions.push(tmp_path / "1", locate("s3://one-model") / "1")
    assert sync(["s3://one-model", str(tmp_path / "served"), "--once"]) == 0
    assert files(tmp_path / "served" / "1") == files(tmp_path / "1")


class Bucket:
    """A model in the store, whose versions differ by a file with their number.

    Args:
      source: folder of the SavedModel.
      folder: for the versions on this machine.
      url: of the folder of models in the store.
    """

    def __init__(self, source: Path, folder: Path, url: str):
        self._source = source
        self._folder = folder
        self.models = locate(url)
        self.model: Location = self.models / NAME

    def version(self, number: int) -> Path:
        """The version on this machine."""
        folder = self._folder / str(number)
        if not folder.exists():
            shutil.copytree(self._source, folder)
            (folder / "note").write_text(f"version {number}")
        return folder

    def push(self, number: int) -> None:
        store_versions.push(self.version(number), self.model / str(number))

    def push_broken(self, number: int, manifest: bool) -> None:
        """Uploads a version without its manifest, or with one that says something else of a file."""
        there = self.model / str(number)
        local = self.version(number)
        for file in files(local):
            (there / file).write(b"damaged" if file == "saved_model.pb" else local / file)
        if manifest:
            aside = locate(f"file://{self._folder}/aside")
            store_versions.push(local, aside)
            content = (aside / store_versions.MANIFEST).read()
            assert content
            (there / store_versions.MANIFEST).write(content)

    def withdraw(self, number: int) -> None:
        store_versions.remove(self.model / str(number))

    def check(self, served: Path) -> list[int]:
        """The versions in a folder of models, each of which has to be whole."""
        found = model_folder.versions(served / NAME)
        for one in found:
            assert files(one.path) == files(self.version(one.version))
        return [one.version for one in found]


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "1"
    toy_models.purchase_model(folder, constant=0.25)
    return folder


def serving(server: ServerProcess) -> int:
    """The version that answers."""
    status, body, _ = server.request("GET", f"/v1/models/{NAME}/metadata")
    assert status == 200, body
    return int(json.loads(body)["model_spec"]["version"])


def test_versions_are_swapped_under_load_and_no_request_fails(toy, tmp_path):
    bucket, served = Bucket(toy, tmp_path / "versions", "s3://models/swaps"), tmp_path / "served"
    bucket.push(1)
    with Sidecar(bucket.models.url, served, tmp_path / "sidecar.log") as sidecar:
        sidecar.wait_for("/readyz")
        with ServerProcess([f"--models_folder={served}"], tmp_path / "server.log") as server:
            with load(server, "") as counted:
                # An upload without its manifest, and one whose file is not what the manifest says, above all others.
                bucket.push_broken(1000, manifest=False)
                bucket.push_broken(1001, manifest=True)
                for number in range(2, SWAPS + 2):
                    bucket.push(number)
                    bucket.withdraw(number - 1)
                    wait_until(lambda number=number: serving(server) == number, f"version {number}")
            wait_until(lambda: bucket.check(served) == [SWAPS + 1], "the folder to be that of the store")
            assert counted()["", 200] > SWAPS
            assert sidecar.metric("model_sync_failures_total") > 0, "the damaged version is told"
            assert server.predict(NAME, {"instances": [toy_models.row()]})["predictions"][0]["probability"] == 0.25
        assert sidecar.stop() == 0
    log = (tmp_path / "server.log").read_text()
    assert "1001" not in log
    assert "1000" not in log


def test_a_killed_sidecar_leaves_nothing_half_written_and_goes_on(toy, tmp_path):
    bucket, served = Bucket(toy, tmp_path / "versions", "s3://models/killed"), tmp_path / "served"
    cut_short = 0
    for number in range(1, 11):
        bucket.push(number)
        with Sidecar(bucket.models.url, served, tmp_path / "sidecar.log") as sidecar:
            # Killed while it downloads, where it can be caught; else afterwards.
            wait_until(
                lambda: (
                    any(path.name.startswith(store_versions.PART) for path in (served / NAME).glob(".part-*"))
                    or sidecar.status("/readyz") == 200
                ),
                "a download",
            )
            os.kill(sidecar.process.pid, signal.SIGKILL)
            sidecar.process.wait()
        cut_short += number not in bucket.check(served)
    assert cut_short, "no kill hit a download"
    with Sidecar(bucket.models.url, served, tmp_path / "sidecar.log") as sidecar:
        sidecar.wait_for("/readyz")
        assert bucket.check(served) == list(range(1, 11))
        assert not [path for path in (served / NAME).iterdir() if path.name.startswith((".part", ".removed"))]


def test_labels_reach_the_server_and_a_roll_back_fails_no_request(toy, tmp_path):
    artifacts, served, store = tmp_path / "artifacts", tmp_path / "served", locate("s3://models/labelled")
    for number in (1, 2):
        shutil.copytree(toy, serving_folder(artifacts, NAME) / str(number))
        (serving_folder(artifacts, NAME) / str(number) / "note").write_text(f"version {number}")
    versions.canary(artifacts, NAME, 2)
    publish(artifacts, NAME, store, 5)
    with Sidecar(store.url, served, tmp_path / "sidecar.log") as sidecar:
        sidecar.wait_for("/readyz")
        assert models_config.read(served / models_config.FILE) == {NAME: {"stable": 1, "canary": 2}}
        with ServerProcess([f"--models_folder={served}"], tmp_path / "server.log") as server:
            server.wait_for(f"/v1/models/{NAME}/labels/stable/metadata")
            with load(server, "/labels/stable", "/labels/canary", ""):
                versions.roll_back(artifacts, NAME)
                publish(artifacts, NAME, store, 5)
                wait_until(lambda: not (served / NAME / "2").exists(), "version 2 to be withdrawn")
                wait_until(lambda: serving(server) == 1, "version 1")
