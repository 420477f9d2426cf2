"""The real pipeline, run as a user runs it: what it pushes, what it caches, what it refuses."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from data import contract as contracts
from data.model_folder import ModelFolder, versions
from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder, serving_folder
from modules.purchase import baselines
from runs.outputs import COMPARISON, EXAMPLES, IMPORTANCE, SCORES, connect, outputs
from tests.conftest import ROOT, STAGES
from tests.e2e.conftest import latest, run, start, summary

pytestmark = pytest.mark.e2e


def test_a_first_run_pushes_a_version(first):
    artifacts, result, found = first
    (version,) = versions(serving_folder(artifacts, PURCHASE_MODEL.name))
    assert str(version.path) == found.pushed.path
    assert str(version.version) == found.pushed.version
    assert "pushed version" in result.stdout
    assert "python -m serving" in result.stdout


def test_every_stage_is_reported(first):
    _, result, found = first
    assert sorted(stage.name for stage in found.stages) == sorted(STAGES)
    assert all(stage in result.stdout for stage in STAGES)
    assert not any(stage.cached for stage in found.stages)


def test_every_row_is_accounted_for(first):
    _, _, found = first
    data = found.dataset
    assert data.read == 4_000 == data.rows + data.quarantined
    assert sum(split.rows for split in found.splits.values()) == data.rows
    assert 0.68 < found.splits["train"].rows / 4_000 < 0.72


def test_the_usual_models_are_measured_on_the_same_rows(first):
    artifacts, result, found = first
    network, *others = found.comparison
    assert network.key == "network"
    assert network.metrics == found.metrics["test"]
    assert network.threshold == found.model.threshold
    assert [model.key for model in others] == list(baselines.MODELS)
    assert all(model.name in result.stdout for model in found.comparison)
    for model in found.comparison:
        counts = ("true_positives", "false_positives", "true_negatives", "false_negatives")
        assert sum(getattr(model.metrics, name) for name in counts) == found.splits["test"].rows
        assert model.metrics.auc > 0.6
        assert model.train_seconds > 0
        assert model.score_microseconds > 0
    made = outputs(connect(artifacts / "metadata.sqlite"), found.run_id)
    written = json.loads(Path(made.uri(COMPARISON), "comparison.json").read_text())
    assert [model["metrics"]["auc"] for model in written["models"]] == [model.metrics.auc for model in found.comparison]


def test_every_feature_has_its_importance_on_the_test_rows(first):
    artifacts, _, found = first
    made = outputs(connect(artifacts / "metadata.sqlite"), found.run_id)
    written = json.loads(Path(made.uri(IMPORTANCE), "importance.json").read_text())
    assert written["split"] == "test"
    assert written["rows"] == found.splits["test"].rows
    assert written["auc"] == pytest.approx(found.metrics["test"].auc, abs=1e-6)
    assert sorted(entry["name"] for entry in written["features"]) == sorted(found.features)
    drops = [entry["auc_drop"] for entry in written["features"]]
    assert drops == sorted(drops, reverse=True)
    assert drops[0] > 0.02


def test_duration_is_no_feature_unless_asked_for(first):
    assert "duration" not in first[2].features


def test_library_noise_is_in_the_log_and_not_on_the_screen(first):
    artifacts, result, _ = first
    log = (latest(artifacts) / "pipeline.log").read_text()
    assert "INFO:absl" in log
    assert "INFO:" not in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_the_pushed_model_answers_raw_customers(first):
    _artifacts, _, found = first
    import tensorflow as tf

    version = Path(found.pushed.path)
    golden = ModelFolder(version).golden_request()
    model = tf.saved_model.load(str(version))
    row = {name: tf.constant([value]) for name, value in golden.instances[0].items()}
    numbers = contracts.load("bank-full").numeric
    row = {name: tf.cast(value, tf.float32) if name in numbers else value for name, value in row.items()}
    answer = model.signatures["serving_default"](**row)
    assert set(row) == set(found.features)
    assert answer["probability"].numpy()[0] == pytest.approx(golden.predictions[0]["probability"], abs=1e-6)
    assert answer["purchase"].numpy()[0] == golden.predictions[0]["purchase"]
    strange = dict(row, job=tf.constant(["astronaut"]), balance=tf.constant([float("nan")]), age=tf.constant([1e30]))
    assert 0 <= model.signatures["serving_default"](**strange)["probability"].numpy()[0] <= 1


def test_served_and_evaluated_probabilities_are_the_same(first):
    """Rows of the file, sent raw to the pushed model, get the probabilities that the metrics were computed from."""
    artifacts, _, found = first
    import tensorflow as tf

    made = outputs(connect(artifacts / "metadata.sqlite"), found.run_id)
    evaluated = np.load(Path(made.uri(SCORES), "test.npz"))
    files = list(Path(made.uri(EXAMPLES), "Split-test").iterdir())
    rows = next(iter(tf.data.TFRecordDataset(files, "GZIP").batch(10_000)))
    contract = contracts.load("bank-full")
    spec = {
        name: tf.io.FixedLenFeature([], tf.float32 if name in contract.numeric else tf.string)
        for name in found.features
    }
    raw = tf.io.parse_example(rows, spec)
    served = tf.saved_model.load(found.pushed.path).signatures["serving_default"](**raw)["probability"].numpy()
    np.testing.assert_allclose(served, evaluated["probability"], atol=1e-6)
    right = (served > 0.5) == evaluated["label"]
    assert found.metrics["test"].accuracy == pytest.approx(right.mean())


def test_warmup_requests_and_profile_lie_beside_the_model(first):
    extras = Path(first[2].pushed.path) / "assets.extra"
    assert {"tf_serving_warmup_requests", "golden_request.json", "profile.json", "model.json"} <= {
        f.name for f in extras.iterdir()
    }


def test_a_model_of_another_name_has_its_cache_its_runs_and_its_versions(tmp_path, sample_csv, contract_file):
    arguments = ("--data", sample_csv, "--no-tune", "--no-benchmark", "--model-name", "loans", "--contract")
    assert run(tmp_path, *arguments, contract_file).returncode == 0
    first = summary(tmp_path, "loans")
    assert first.model_name == "loans"
    assert Path(first.pushed.path).parent == serving_folder(tmp_path, "loans")
    again = run(tmp_path, *arguments, contract_file)
    assert again.returncode == 0, again.stdout
    second = summary(tmp_path, "loans")
    recomputed = {stage.name for stage in second.stages if not stage.cached}
    # The first model is now the baseline, so the Evaluator has a new question to answer.
    assert recomputed == {"LatestBlessedModel", "LatestHyperparameters", "Evaluator", "AtomicPusher"}
    assert second.pushed == first.pushed, "the same model is not pushed twice"
    assert "auc_against_last_blessed" in {check.metric for check in second.gate.checks}

    document = yaml.safe_load(contract_file.read_text())
    document["numeric"]["age"]["max"] = 120
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(document))
    assert run(tmp_path, *arguments, changed).returncode in (0, 3)
    third = summary(tmp_path, "loans")
    recomputed = {stage.name for stage in third.stages if not stage.cached}
    assert recomputed >= {"ContractExampleGen", "ContractSchema", "Transform", "Trainer", "Evaluator"}

    pruned = subprocess.run(
        [sys.executable, "-m", "runs.prune", "--keep", "1", "--model", "loans", "--artifacts", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # The run with the newest blessing stays too, since its model is the next baseline.
    gone = {first.run_id} if not third.gate.blessed else {first.run_id, second.run_id}
    assert set(re.findall(r"\d{8}-\d{6}\S*", pruned.stdout.replace(",", ""))) == gone
    left = {folder.name for folder in runs_folder(tmp_path, "loans").glob("2*")}
    assert left == {first.run_id, second.run_id, third.run_id} - gone
    kept = outputs(connect(tmp_path / "metadata.sqlite"), third.run_id)
    assert all(Path(artifact.uri).exists() for artifact in kept.artifacts.values() if artifact.uri)


def test_a_model_with_other_inputs_does_not_replace_the_one_that_serves(tmp_path, sample_csv, contract_file):
    quick = ("--no-tune", "--no-benchmark")
    assert run(tmp_path, "--data", sample_csv, "--contract", contract_file, *quick).returncode == 0
    served = summary(tmp_path).pushed
    document = yaml.safe_load(contract_file.read_text())
    document |= {"name": "without-loan", "identifiers": ["loan"]}
    del document["categorical"]["loan"]
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(document))
    arguments = ("--data", sample_csv, "--contract", other, *quick)

    refused = run(tmp_path, *arguments)
    assert refused.returncode == 3, refused.stdout
    assert "has other inputs" in refused.stdout.partition("done")[0], "told before the run takes its time"
    assert "push refused, nothing pushed: same_inputs_as_serving" in refused.stdout
    result = summary(tmp_path)
    assert result.gate.blessed
    assert [check.metric for check in result.gate.failed] == ["same_inputs_as_serving"]
    assert [folder.path for folder in versions(serving_folder(tmp_path, PURCHASE_MODEL.name))] == [Path(served.path)]

    replaced = run(tmp_path, *arguments, "--replace-inputs")
    assert replaced.returncode == 0, replaced.stdout
    assert "loan" not in summary(tmp_path).features
    assert len(versions(serving_folder(tmp_path, PURCHASE_MODEL.name))) == 2


def test_a_model_that_knows_the_call_is_evaluated_and_not_pushed(tmp_path, sample_csv, contract_file):
    arguments = ("--data", sample_csv, "--contract", contract_file, "--no-tune", "--no-benchmark")
    result = run(tmp_path, *arguments, "--with-duration")
    assert result.returncode == 0, result.stdout
    assert "blessed, not pushed" in result.stdout
    assert "--push-anyway" in result.stdout
    found = summary(tmp_path)
    assert found.pushed is None
    assert found.gate.blessed
    assert "duration" in found.features
    assert not versions(serving_folder(tmp_path, PURCHASE_MODEL.name))


def test_labels_without_a_pattern_are_not_blessed(tmp_path, sample_csv, contract_file):
    with sample_csv.open() as file:
        header, *rows = csv.reader(file, delimiter=";")
    labels = np.random.default_rng(0).permutation([row[-1] for row in rows])
    shuffled = tmp_path / "shuffled.csv"
    with shuffled.open("w") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(header)
        writer.writerows([*row[:-1], label] for row, label in zip(rows, labels, strict=True))
    quick = ("--no-tune", "--no-benchmark")
    result = run(tmp_path / "artifacts", "--data", shuffled, "--contract", contract_file, *quick)
    assert result.returncode == 3, result.stdout
    found = summary(tmp_path / "artifacts")
    assert found.pushed is None
    assert found.comparison is None
    assert not found.gate.blessed
    assert "auc" in {check.metric for check in found.gate.failed}
    assert "auc" in result.stdout.rsplit("not blessed", 1)[1]
    assert (latest(tmp_path / "artifacts") / "report.html").is_file()
    assert not versions(serving_folder(tmp_path / "artifacts", PURCHASE_MODEL.name))


def test_an_unknown_category_stops_the_run_with_a_readable_line(tmp_path, sample_csv, contract_file):
    broken = tmp_path / "broken.csv"
    broken.write_text(sample_csv.read_text().replace('"technician"', '"astronaut"', 200))
    result = run(tmp_path / "artifacts", "--data", broken, "--contract", contract_file, "--no-tune")
    assert result.returncode == 2, result.stdout
    assert "'job'" in result.stdout
    assert "astronaut" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_bad_rows_are_named_or_quarantined(tmp_path, sample_csv, contract_file):
    lines = sample_csv.read_text().splitlines()
    lines[100] = "x" + lines[100]
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join(lines) + "\n")
    refused = run(tmp_path / "artifacts", "--data", broken, "--contract", contract_file, "--no-tune")
    assert refused.returncode == 2
    assert f"{broken}:101: column 'age': got 'x" in refused.stdout
    accepted = run(tmp_path / "artifacts", "--data", broken, "--contract", contract_file, "--no-tune", "--quarantine")
    assert accepted.returncode in (0, 3), accepted.stdout
    found = summary(tmp_path / "artifacts")
    assert found.dataset.quarantined == 1
    assert found.dataset.rows == 3_999
    with (latest(tmp_path / "artifacts") / "quarantine.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["line"] == "101"

    broken.write_text(broken.read_text().replace('"technician"', '"astronaut"', 200))
    stopped = run(tmp_path / "other", "--data", broken, "--contract", contract_file, "--no-tune", "--quarantine")
    assert stopped.returncode == 2, "an unknown category stops the run after ingestion"
    assert list((tmp_path / "other").glob("runs/*/*/quarantine.csv")), "the rows set aside are kept all the same"


def test_a_killed_run_leaves_nothing_pushed_and_the_next_one_works(tmp_path, sample_csv, contract_file):
    arguments = [tmp_path, "--data", sample_csv, "--contract", contract_file, "--no-tune"]
    victim = start(*arguments)
    assert any("Transform" in line for line in victim.stdout)
    waiting = start(*arguments)
    assert any(f"waiting for another run (process {victim.pid})" in line for line in waiting.stdout)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    assert not versions(serving_folder(tmp_path, PURCHASE_MODEL.name))
    rest, _ = waiting.communicate(timeout=300)
    assert waiting.returncode in (0, 3), rest
    assert len(list(runs_folder(tmp_path, PURCHASE_MODEL.name).glob("2*"))) == 2


def test_ctrl_c_ends_cleanly(tmp_path, sample_csv, contract_file):
    process = start(tmp_path, "--data", sample_csv, "--contract", contract_file, "--no-tune")
    assert any("ContractExampleGen" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "stopped" in out
    assert "Traceback" not in out + err


def test_the_default_is_the_synthetic_sample_and_says_so(tmp_path):
    """Only the first screen: the whole run on the sample is the README's command."""
    process = start(tmp_path)
    first, second = next(process.stdout), next(process.stdout)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert "synthetic" in first
    assert "synthetic" in second
