"""A job compiled for Kubeflow, played without a cluster: each task by the command that its container would run."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from data.command import DONE
from data.model_spec import PURCHASE_MODEL, RAW_SIGNATURE
from data.paths import serving_folder
from tests.e2e.conftest import run
from tests.support.kubeflow import Player

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def played(tmp_path_factory, sample_csv, contract_file):
    """A job that was compiled and played, and the artifacts folder that it pushed to."""
    folder = tmp_path_factory.mktemp("kubeflow")
    file, artifacts = folder / "job.yaml", folder / "artifacts"
    arguments = (file, "--to", "kubeflow", "--image", "registry/training:1", "--trials", "2")
    rows = ("--data", sample_csv, "--contract", contract_file)
    result = run(artifacts, *arguments, *rows, module="pipeline.compile")
    assert result.returncode == DONE, result.stderr
    player = Player(yaml.safe_load(file.read_text()), folder / "tasks", {"run-id": "first"})
    player.play()
    return player, artifacts


def test_every_container_runs_its_compiled_command(played):
    player, _ = played
    containers = {name for name in player.tasks if not name.startswith("LatestBlessedModel")}
    assert player.commands.keys() == containers
    assert len(player.commands["ContractExampleGen"]) == 2  # its driver as well


def test_the_last_task_pushes_a_version_that_loads(played):
    import tensorflow as tf

    player, artifacts = played
    (pushed,) = player.made["AtomicPusher", "pushed_model"]
    assert pushed["metadata"]["pushed"] == 1
    (version,) = serving_folder(artifacts, PURCHASE_MODEL.name).iterdir()
    assert version.name == pushed["metadata"]["pushed_version"]
    serve = tf.saved_model.load(str(version)).signatures[RAW_SIGNATURE]
    rows = {
        name: tf.constant(["?", "?"]) if spec.dtype == tf.string else tf.constant([30, 60], spec.dtype)
        for name, spec in serve.structured_input_signature[1].items()
    }
    probability = serve(**rows)[PURCHASE_MODEL.score].numpy()
    assert probability.shape == (2,)
    assert np.all((probability > 0) & (probability < 1))


@pytest.mark.parametrize("judge", ["ServingProbe", "NewestMonths"])  # two ways to read a verdict
def test_a_model_that_a_judge_refuses_is_not_pushed(played, tmp_path, judge):
    player, artifacts = played
    before = sorted(serving_folder(artifacts, PURCHASE_MODEL.name).iterdir())
    (blessing,) = player.made[judge, "blessing"]
    assert blessing["metadata"]["blessed"] == 1
    refused = {(judge, "blessing"): [{**blessing, "metadata": {**blessing["metadata"], "blessed": 0}}]}
    again = Player(player.job, tmp_path, {"run-id": "second"})
    again.made.update(player.made | refused)
    again.run("AtomicPusher")
    (pushed,) = again.made["AtomicPusher", "pushed_model"]
    assert pushed["metadata"]["pushed"] == 0
    assert sorted(serving_folder(artifacts, PURCHASE_MODEL.name).iterdir()) == before
