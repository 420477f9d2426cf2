"""A job for Kubeflow: what its tasks are, what they hand on, and what is said where none can be compiled."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tfx.types.artifact import Artifact

from data.command import BAD_INPUT, DONE
from data.model_spec import PURCHASE_MODEL
from data.paths import serving_folder
from pipeline import compile as command
from tests.conftest import ROOT
from tests.support.kubeflow import inputs

GOLDEN = Path(__file__).with_name("kubeflow_tasks.json")


def compiled(folder: Path, *arguments: str | Path) -> dict:
    """The job that a command wrote."""
    file = folder / "job.yaml"
    options = ("--to", "kubeflow", "--image", "registry/training:1", "--artifacts", folder / "artifacts")
    assert command.main([str(file), *map(str, (*options, *arguments))]) == DONE
    return yaml.safe_load(file.read_text())


@pytest.fixture(scope="module")
def job(tmp_path_factory, sample_csv) -> dict:
    return compiled(tmp_path_factory.mktemp("compiled"), "--data", sample_csv)


def tasks(job: dict) -> dict[str, dict]:
    """Each task with the source of each input, the names of its parameters, and those that it waits for."""
    return {
        name: {
            "inputs": {key: f"{source['producerTask']}.{source['outputArtifactKey']}" for key, source in inputs(task)},
            "parameters": sorted(task.get("inputs", {}).get("parameters", {})),
            "after": task.get("dependentTasks", []),
        }
        for name, task in job["root"]["dag"]["tasks"].items()
    }


def constants(job: dict, task: str) -> dict:
    """The parameters of a task that are in the job, by name."""
    parameters = job["root"]["dag"]["tasks"][task]["inputs"]["parameters"]
    return {name: value["runtimeValue"]["constant"] for name, value in parameters.items() if "runtimeValue" in value}


def test_the_tasks_are_those_of_the_golden_graph(job):
    assert tasks(job) == json.loads(GOLDEN.read_text())


def test_containers_import_the_type_of_every_artifact_by_its_name(job):
    own = {
        yaml.safe_load(output["artifactType"]["instanceSchema"])["title"]
        for component in job["components"].values()
        for output in component.get("outputDefinitions", {}).get("artifacts", {}).values()
    }
    own = {title for title in own if not title.startswith("tfx.")}
    assert own == {f"pipeline.{name}" for name in importlib.import_module("pipeline")._ARTIFACT_TYPES}
    for title in own:
        module, name = title.split(".")
        kind = getattr(importlib.import_module(module), name)
        assert issubclass(kind, Artifact)
        assert title == kind.TYPE_NAME


def test_every_container_is_of_the_image_and_nothing_comes_from_a_cache(job):
    executors = job["deploymentSpec"]["executors"].values()
    containers = [executor["container"] for executor in executors if "container" in executor]
    assert {container["image"] for container in containers} == {"registry/training:1"}
    assert not any(task.get("cachingOptions", {}).get("enableCache") for task in job["root"]["dag"]["tasks"].values())


def test_a_run_gets_its_id_when_it_is_submitted(job):
    assert list(job["root"]["inputDefinitions"]["parameters"]) == ["run-id"]
    parameters = job["root"]["dag"]["tasks"]["AtomicPusher"]["inputs"]["parameters"]
    assert parameters["run_id"] == {"componentInputParameter": "run-id"}


def test_the_folders_are_those_of_this_machine_and_the_root_may_be_a_bucket(tmp_path, sample_csv, job):
    other = compiled(tmp_path, "--data", sample_csv, "--root", "gs://bank/tfx")
    assert other["defaultPipelineRoot"] == "gs://bank/tfx"
    assert Path(job["defaultPipelineRoot"]).parent.name == "tfx"
    assert constants(other, "AtomicPusher")["base_directory"] == str(
        serving_folder(tmp_path / "artifacts", PURCHASE_MODEL.name)
    )
    assert not (tmp_path / "artifacts").exists()


def test_without_a_search_the_hyperparameters_are_the_contracts(tmp_path, sample_csv, job):
    quick = compiled(tmp_path, "--data", sample_csv, "--no-tune", "--no-benchmark")
    assert tasks(job).keys() - tasks(quick).keys() == {"Tuner", "Benchmark"}
    assert tasks(quick).keys() <= tasks(job).keys()
    assert "hyperparameters" not in tasks(quick)["Trainer"]["inputs"]


def test_beam_gets_the_flags_of_the_engine(tmp_path, sample_csv):
    engine = tmp_path / "mine.yaml"
    engine.write_text("title: mine\nbeam_flags: [--runner=FlinkRunner]\n")
    job = compiled(tmp_path, "--data", sample_csv, "--engine", engine)
    container = job["deploymentSpec"]["executors"]["StatisticsGen_executor"]["container"]
    assert "--runner=FlinkRunner" in container["args"]


def test_the_champion_is_told_and_is_written_into_the_job(tmp_path, sample_csv, job, capsys):
    compiled(tmp_path, "--data", sample_csv)
    assert "there is no champion" in capsys.readouterr().out
    assert constants(job, "NewestMonths")["version"] == 0
    version = serving_folder(tmp_path / "artifacts", PURCHASE_MODEL.name) / "7"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"")
    with_champion = constants(compiled(tmp_path, "--data", sample_csv), "NewestMonths")
    assert "with version 7, the champion" in capsys.readouterr().out
    assert with_champion["version"] == 7
    assert with_champion["champion"] == str(version)


@pytest.mark.parametrize(
    ("file", "arguments", "message"),
    [
        ("job.json", ("--data", "sample"), "job.json: the job is written as YAML"),
        ("nowhere/job.yaml", ("--data", "sample"), "there is no folder"),
        ("job.yaml", (), "--data: name the rows to learn from"),
        ("job.yaml", ("--data", "missing.csv"), "missing.csv"),
        ("job.yaml", ("--data", "sample", "--engine", "flnk"), "did you mean 'flink'?"),
        ("job.yaml", ("--data", "sample", "--contract", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_compiled_is_refused_in_words(tmp_path, sample_csv, capsys, file, arguments, message):
    given = [str(sample_csv) if argument == "sample" else argument for argument in arguments]
    options = ("--to", "kubeflow", "--image", "x", "--artifacts", str(tmp_path))
    assert command.main([str(tmp_path / file), *options, *given]) == BAD_INPUT
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_what_installs_it(tmp_path, sample_csv, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    arguments = [str(tmp_path / "job.yaml"), "--to", "kubeflow", "--image", "x", "--data", str(sample_csv)]
    assert command.main(arguments) == BAD_INPUT
    assert f"pip install {command.PACKAGE}" in capsys.readouterr().err


def test_the_package_is_the_one_that_is_pinned():
    assert f'"{command.PACKAGE}"' in (ROOT / "pyproject.toml").read_text()
    assert f"\n{command.PACKAGE} " in (ROOT / "requirements.txt").read_text()


def test_help_and_the_package_import_no_tfx():
    code = (
        "import sys\nimport pipeline\nfrom pipeline import compile\n"
        "try: compile.main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'tfx', 'apache_beam', 'kfp')))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "exit codes" in result.stdout


def test_a_name_that_the_package_lacks_is_told():
    with pytest.raises(AttributeError, match="'pipeline' has no attribute 'Nothing'"):
        importlib.import_module("pipeline").Nothing  # noqa: B018
