"""What a run refuses, caches, survives and keeps apart; each test has its own artifacts."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from data.model_folder import versions
from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder, serving_folder
from runs.outputs import connect, outputs
from tests.conftest import ROOT
from tests.e2e.conftest import latest, run, start, summary

pytestmark = pytest.mark.e2e


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
    # The first model is now the baseline and the champion, so there are new questions to answer.
    judges = {"Evaluator", "NewestMonths"}
    assert recomputed == {"LatestBlessedModel", "LatestHyperparameters", *judges, "AtomicPusher"}
    assert second.pushed == first.pushed, "the same model is not pushed twice"
    assert "auc_against_last_blessed" in {check.metric for check in second.gate.checks}

    pruned = subprocess.run(
        [sys.executable, "-m", "runs.prune", "--keep", "1", "--model", "loans", "--artifacts", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert pruned.stdout == f"removed 1 runs: {first.run_id}\n"
    assert [folder.name for folder in runs_folder(tmp_path, "loans").glob("2*")] == [second.run_id]
    kept = outputs(connect(tmp_path / "metadata.sqlite"), second.run_id)
    assert all(Path(artifact.uri).exists() for artifact in kept.artifacts.values() if artifact.uri)


def test_a_model_with_other_inputs_does_not_replace_the_one_that_serves(tmp_path, sample_csv, contract_file):
    quick = ("--no-tune", "--no-benchmark")
    assert run(tmp_path, "--data", sample_csv, "--contract", contract_file, *quick).returncode == 0
    served = summary(tmp_path).pushed
    document = yaml.safe_load(contract_file.read_text())
    document |= {"name": "without-loan", "identifiers": ["loan"]}
    del document["categorical"]["loan"], document["views"]
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


def test_a_model_that_knows_when_the_call_was_is_a_run_apart(tmp_path, sample_csv, contract_file):
    arguments = ("--data", sample_csv, "--contract", contract_file, "--no-tune", "--no-benchmark")
    result = run(tmp_path, *arguments, "--with-calendar")
    assert result.returncode == 0, result.stdout
    first = summary(tmp_path)
    assert {"day", "month", "calls_today"} <= {*first.features}
    assert first.settings.with_calendar

    refused = run(tmp_path, *arguments)
    assert refused.returncode == 3, refused.stdout
    second = summary(tmp_path)
    assert not {"day", "month"} & {*second.features}
    assert [check.metric for check in second.gate.failed] == ["same_inputs_as_serving"]
    assert "auc_against_last_blessed" not in {check.metric for check in second.gate.checks}


def test_labels_without_a_pattern_are_not_blessed_and_a_bad_row_is_set_aside(tmp_path, sample_csv, contract_file):
    with sample_csv.open() as file:
        header, *rows = csv.reader(file, delimiter=";")
    labels = np.random.default_rng(0).permutation([row[-1] for row in rows])
    shuffled = tmp_path / "shuffled.csv"
    with shuffled.open("w") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(header)
        writer.writerows([*row[:-1], label] for row, label in zip(rows, labels, strict=True))
        file.write("not a row\n")
    quick = ("--no-tune", "--no-benchmark", "--quarantine")
    result = run(tmp_path / "artifacts", "--data", shuffled, "--contract", contract_file, *quick)
    assert result.returncode == 3, result.stdout
    found = summary(tmp_path / "artifacts")
    assert found.pushed is None
    assert found.comparison is None
    assert not found.gate.blessed
    assert "auc" in {check.metric for check in found.gate.failed}
    assert (found.dataset.read, found.dataset.rows, found.dataset.quarantined) == (4_001, 4_000, 1)
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


def test_a_bad_row_is_named_and_stays_set_aside_when_a_later_stage_stops_the_run(tmp_path, sample_csv, contract_file):
    lines = sample_csv.read_text().splitlines()
    lines[100] = "x" + lines[100]
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join(lines) + "\n")
    refused = run(tmp_path / "artifacts", "--data", broken, "--contract", contract_file, "--no-tune")
    assert refused.returncode == 2
    assert f"{broken}:101: column 'age': got 'x" in refused.stdout
    broken.write_text(broken.read_text().replace('"technician"', '"astronaut"', 200))
    stopped = run(tmp_path / "other", "--data", broken, "--contract", contract_file, "--no-tune", "--quarantine")
    assert stopped.returncode == 2, "an unknown category stops the run after ingestion"
    (quarantine,) = (tmp_path / "other").glob("runs/*/*/quarantine.csv")
    with quarantine.open() as file:
        (row,) = csv.DictReader(file)
    assert row["line"] == "101", "the row set aside is kept all the same"


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
