"""Each image has what its program needs: it starts as the image's user, is healthy, drains, and keeps to its memory.

`tests/support/image.py` builds the file systems by the Dockerfile and starts the programs by the kernel's namespaces.
Not covered, because no engine and no registry is at hand: the base images, Debian's libraries in them, `pip install`
itself, the training in the stage `trained`, and TensorFlow Serving, for whose binary the embedded server stands in.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from campaigns import settings
from data.paths import ROOT
from tests.support import customers, image, stand_in
from tests.support.dockerfile import stages, values
from tests.support.image import Container, Image

pytestmark = pytest.mark.e2e

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
TINI = Path("/usr/bin/tini-static")


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    if reason := image.why_not():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """What the stage `model` has in its folder artifacts: version 1 of a stand-in for the purchase model."""
    artifacts = tmp_path_factory.mktemp("artifacts")
    stand_in.push(artifacts, 1, customers.synthetic(500))
    return artifacts


@pytest.fixture(scope="module")
def built(tmp_path_factory, model):
    """Builds the image of a stage, once."""
    images: dict[str, Image] = {}

    def build(stage: str) -> Image:
        if stage not in images:
            images[stage] = image.build(stage, tmp_path_factory.mktemp(stage) / "image", model)
        return images[stage]

    return build


@pytest.fixture
def volume(tmp_path) -> Path:
    """A folder that belongs to the user of the images, as a volume that is mounted there does."""
    folder = tmp_path / "volume"
    folder.mkdir()
    os.chown(folder, 10001, 10001)
    return folder


def megabytes(service: str) -> int:
    """The limit of a service of compose."""
    limit = SERVICES[service]["deploy"]["resources"]["limits"]["memory"]
    return int(limit[:-1]) * {"M": 1, "G": 1024}[limit[-1]]


def is_confined(container: Container) -> None:
    """It is another user, may do nothing that root may, and can change nothing of its files."""
    user, group = container.image.user.split(":")
    assert container.status("Uid").split() == [user] * 4
    assert container.status("Gid").split() == [group] * 4
    assert container.status("Groups") == ""
    assert int(container.status("CapEff"), 16) == int(container.status("CapBnd"), 16) == 0
    assert container.status("NoNewPrivs") == "1"
    for path in ("/new", f"{container.image.workdir}/new", "/usr/local/bin/new"):
        refused = container.run(["touch", path])
        assert refused.returncode != 0
        assert "Read-only file system" in refused.stderr
    assert container.run(["touch", "/tmp/new"]).returncode == 0


def predict(connection: http.client.HTTPConnection, rows: int = 1) -> int:
    """The status of a request for some rows."""
    body = json.dumps({"instances": stand_in.instances(customers.synthetic(rows), np.arange(rows))})
    connection.request("POST", "/v1/models/purchase-model:predict", body)
    answer = connection.getresponse()
    answer.read()
    return answer.status


# --- model servers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def serving(built, tmp_path) -> Image:
    """The image of TensorFlow Serving, with the embedded server in place of its binary."""
    if not TINI.exists():
        message = f"{TINI} is not installed (Debian: apt install tini)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    embedded, root = built("embedded"), tmp_path / "serving" / "root"
    shutil.copytree(built("serving").root, root, symlinks=True)
    shutil.copytree(embedded.inside("."), root / "embedded", ignore=shutil.ignore_patterns("artifacts"))
    binary = root / "usr" / "local" / "bin" / "tensorflow_model_server"
    binary.write_text(
        "#!/bin/bash\n"
        'for flag; do [[ "$flag" == --port=* ]] || flags+=("$flag"); done\n'
        'cd /embedded && exec python -m serving --rest_api_host=0.0.0.0 "${flags[@]}"\n'
    )
    binary.chmod(0o755)
    return dataclasses.replace(built("serving"), root=root, packages=embedded.packages)


@pytest.mark.parametrize("stage", ["embedded", "serving"])
def test_a_model_server_serves_drains_and_keeps_to_its_memory(stage, request, built, tmp_path):
    files = request.getfixturevalue("serving") if stage == "serving" else built(stage)
    (port,) = map(int, values(stage, "EXPOSE"))
    with Container(files, tmp_path / "log", megabytes=megabytes("serving")) as server:
        server.wait_until_healthy(files.health)
        is_confined(server)
        with server.connection(port) as connection:
            assert [predict(connection) for _ in range(100)] == [200] * 100
            assert predict(connection, rows=5_000) == 200
            server.terminate()
            while (status := predict(connection)) == 200:
                pass
            assert status == 503, "a client hears that the server ends, and loses no answer"
        assert server.wait() == 0


def test_a_server_that_needs_more_memory_than_it_may_have_is_ended(built, tmp_path):
    with Container(built("embedded"), tmp_path / "log", megabytes=48) as server:
        if server.limit.folder is None:
            pytest.skip("no control group of this kernel limits memory")
        assert server.wait() != 0
        assert "listening" not in server.log.read_text()


def test_the_server_takes_a_model_from_a_volume_that_was_empty_at_its_start(serving, volume, tmp_path):
    with Container(serving, tmp_path / "log", volumes={"/models": volume}) as server:
        deadline = time.monotonic() + 180
        while "listening" not in server.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert server.run(serving.health).returncode != 0, "nothing is served yet"
        shutil.copytree(serving.root / "models", volume, dirs_exist_ok=True)
        server.wait_until_healthy(serving.health)
        server.terminate()
        assert server.wait() == 0


# --- the others -------------------------------------------------------------------------------------------------------


def test_the_exporter_exports_and_ends(built, tmp_path):
    files = built("exporter")
    (port,) = map(int, values("exporter", "EXPOSE"))
    health = SERVICES["exporter"]["healthcheck"]["test"][1:]
    with Container(files, tmp_path / "log", megabytes=megabytes("exporter")) as exporter:
        exporter.wait_until_healthy(health)
        is_confined(exporter)
        status, page = exporter.get(port, "/metrics")
        assert status == 200
        assert 'model_name="purchase-model"' in page, "it reads the folder of the models"
        exporter.terminate()
        assert exporter.wait() == 0


def test_the_desk_asks_for_a_key_serves_and_ends(built, volume, tmp_path):
    files, volumes = built("desk"), {"/app/artifacts/campaigns": volume}
    (port,) = map(int, values("desk", "EXPOSE"))
    with Container(files, tmp_path / "refused", volumes=volumes) as desk:
        assert desk.wait() == 2, "it starts only where there is a key"
    command = ["python", "-m", "campaigns.keys", "add", "ana", "--role", "admin"]
    with Container(files, tmp_path / "key", command, volumes) as keys:
        assert keys.wait() == 0
    with Container(files, tmp_path / "log", volumes=volumes, megabytes=megabytes("desk")) as desk:
        desk.wait_until_healthy(files.health)
        is_confined(desk)
        assert port == settings.PORT
        assert desk.get(port, "/readyz")[0] == 503, "no model server is there"
        assert desk.get(port, "/api/campaigns")[0] == 401
        key = (tmp_path / "key").read_text().split()[-1]
        with desk.connection(port) as connection:
            connection.request("GET", "/api/campaigns", headers={"Authorization": f"Bearer {key}"})
            assert connection.getresponse().status == 200
        desk.terminate()
        assert desk.wait() == 0
        assert "campaigns: stopped" in desk.log.read_text()


@pytest.mark.skipif("sync" not in stages(), reason="the Dockerfile has no stage sync")
def test_the_sidecar_fetches_a_model_and_ends(built, model, volume, tmp_path):
    from data import object_store
    from data.model_spec import PURCHASE_MODEL
    from runs import publish

    files, store = built("sync"), tmp_path / "store"
    publish.publish(model, PURCHASE_MODEL.name, object_store.locate(f"file://{store}"))
    volumes = {"/app/artifacts/serving": volume, "/store": store}
    with Container(files, tmp_path / "log", ["file:///store", "artifacts/serving"], volumes, megabytes=256) as sidecar:
        sidecar.wait_until_healthy(files.health)
        is_confined(sidecar)
        assert (volume / PURCHASE_MODEL.name / "1" / "saved_model.pb").exists()
        sidecar.terminate()
        assert sidecar.wait() == 0


def test_the_training_image_takes_a_step_of_the_schedule(built, volume, tmp_path):
    files, calls = built("training"), tmp_path / "calls"
    calls.mkdir()
    with Container(files, tmp_path / "help") as help_page:
        assert help_page.wait() == 0
    assert "--push" in (tmp_path / "help").read_text()
    command = ["python", "-m", "schedule", "--once", "--inbox", "/calls"]
    volumes = {"/app/artifacts": volume, "/calls": calls}
    with Container(files, tmp_path / "log", command, volumes, megabytes=2048) as step:
        assert step.wait() == 0, step.log.read_text()
    assert "nothing" in (tmp_path / "log").read_text()
