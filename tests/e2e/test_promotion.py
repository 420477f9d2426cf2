"""A model that a real run pushed, after it was pruned: promoted from the artifact of its run, and served."""

from __future__ import annotations

import json
import shutil

import pytest

from data.model_folder import ModelFolder, newest
from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder, serving_folder
from runs import decisions, summary, versions
from tests.e2e.conftest import run
from tests.support.server import ServerProcess

pytestmark = pytest.mark.e2e

NAME = PURCHASE_MODEL.name


@pytest.fixture
def pruned(first, tmp_path):
    """A copy of the first run's artifacts in which another version took the place of the pushed one."""
    artifacts, _, found = first
    copy = tmp_path / "artifacts"
    for part in ("runs", "serving"):
        shutil.copytree(artifacts / part, copy / part, symlinks=True)
    shutil.copy(artifacts / "metadata.sqlite", copy)
    pushed = serving_folder(copy, NAME) / found.pushed.version
    pushed.rename(pushed.with_name("17"))
    (pushed.with_name("17") / "saved_model.pb").write_bytes(b"another model")
    return copy, found


def test_the_best_run_is_promoted_from_its_artifact_and_serves(pruned, tmp_path):
    artifacts, found = pruned
    result = run(artifacts, "--by", "accuracy,f1", module="runs.promote")
    assert result.returncode == 0, result.stderr
    assert f"run {found.run_id} is the best of 1 blessed runs by accuracy" in result.stdout
    champion = versions.champion(artifacts, NAME)
    folder = newest(serving_folder(artifacts, NAME))
    assert folder
    assert folder.version == champion > 17
    (decision,) = decisions.read(decisions.ledger(artifacts, NAME))
    assert (decision.action, decision.run_id, decision.champion) == ("promote", found.run_id, champion)
    known = summary.of_version(runs_folder(artifacts, NAME), str(champion))
    assert known
    assert known.run_id == found.run_id
    golden = ModelFolder(folder.path).golden_request()
    with ServerProcess(
        [f"--models_folder={artifacts / 'serving'}", "--max_num_load_retries=0"], tmp_path / "log"
    ) as server:
        body = json.dumps({"instances": golden.instances})
        for path in ("", "/labels/stable", "/labels/canary"):
            status, answer, _ = server.request("POST", f"/v1/models/{NAME}{path}:predict", body)
            assert status == 200, answer
            assert json.loads(answer)["predictions"][0][PURCHASE_MODEL.score] == pytest.approx(
                golden.predictions[0][PURCHASE_MODEL.score], abs=1e-5
            )
