"""What the list and the comparison of runs say, of whole runs, broken ones and none."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from data.errors import UserError
from runs import compare as runs
from tests.conftest import ROOT

SUMMARY = {
    "run_id": "20270101-000000",
    "dataset": {"contract": "bank-full", "source": "calls.csv", "rows": 45_211, "synthetic": False, "split": "random"},
    "settings": {"seed": 42, "trials": 8, "quarantine": False, "data_sha256": "a" * 64, "commit": "b" * 40},
    "features": ["age", "job"],
    "seconds": 80.4,
    "model": {"hyperparameters": {"width": 48, "dropout": 0.2}, "parameters": 143_044, "threshold": 0.25},
    "metrics": {
        "train": {"auc": 0.9},
        "test": {"auc": 0.8276, "accuracy": 0.8895, "log_loss": 0.2829, "ece": 0.0147},
    },
    "gate": {"blessed": True, "checks": []},
    "pushed": {"version": "1795239191", "path": "serving"},
}


def write(artifacts, name, **changes):
    """A run whose summary differs from the usual one in dotted keys, with `__` for the dot."""
    summary = copy.deepcopy(SUMMARY) | {"run_id": name}
    for key, value in changes.items():
        *path, last = key.split("__")
        part = summary
        for step in path:
            part = part[step]
        part[last] = value
    folder = artifacts / "runs" / name
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def artifacts(tmp_path):
    write(tmp_path, "20270101-000000")
    write(
        tmp_path,
        "20270102-000000",
        settings__seed=7,
        settings__commit="c" * 40 + "+",
        features=["age", "duration"],
        model__hyperparameters={"width": 64, "dropout": 0.2, "depth": 3},
        metrics__test={"auc": 0.79, "accuracy": 0.87, "log_loss": 0.3, "ece": None},
        gate={"blessed": False, "checks": []},
        pushed=None,
    )
    (tmp_path / "runs" / "latest").symlink_to("20270102-000000")
    return tmp_path


def shown(capsys, artifacts, *arguments):
    assert runs.main([*arguments, "--artifacts", str(artifacts)]) == 0
    return capsys.readouterr().out


def test_runs_are_listed_newest_first_and_once(capsys, artifacts):
    lines = [line.split() for line in shown(capsys, artifacts).splitlines() if "2027" in line]
    assert [line[0] for line in lines] == ["20270102-000000", "20270101-000000"]
    newer = ["bank-full", "45,211", "no", "random", "0.7900", "0.8700", "0.3000", "-", "no", "-", "80"]
    older = ["bank-full", "45,211", "no", "random", "0.8276", "0.8895", "0.2829", "0.0147", "yes", "1795239191", "80"]
    assert [line[1:] for line in lines] == [newer, older]


def test_the_last_runs_as_json(capsys, artifacts):
    (entry,) = json.loads(shown(capsys, artifacts, "--last", "1", "--json"))
    assert entry["run_id"] == "20270102-000000"
    assert entry["metrics.test.auc"] == 0.79
    assert entry["gate.blessed"] is False


def test_what_differs_is_shown_and_what_is_equal_is_not(capsys, artifacts):
    found = json.loads(shown(capsys, artifacts, "20270101-000000", "latest", "--json"))
    assert found["runs"] == ["20270101-000000", "20270102-000000"]
    assert found["differences"] == {
        "settings.seed": [42, 7],
        "settings.commit": ["b" * 40, "c" * 40 + "+"],
        "features.job": [True, None],
        "features.duration": [None, True],
        "model.hyperparameters.width": [48, 64],
        "model.hyperparameters.depth": [None, 3],
    }
    assert found["measurements"]["metrics.test.auc"] == [0.8276, 0.79]
    assert found["measurements"]["pushed.version"] == ["1795239191", None]
    assert found["same_test_rows"]
    text = shown(capsys, artifacts, "20270101-000000", "20270102-000000")
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if "." in line}
    assert rows["settings.seed"] == ["42", "7"]
    assert rows["settings.commit"] == ["b" * 12, "c" * 12 + "+"]
    assert rows["features.duration"] == ["-", "yes"]
    assert rows["metrics.test.accuracy"] == ["0.8895", "0.8700"]
    assert rows["metrics.test.ece"] == ["0.0147", "-"]
    assert not {"settings.trials", "model.hyperparameters.dropout", "dataset.source", "features.age"} & rows.keys()
    assert "test rows" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"settings__data_sha256": "f" * 64},
        {"dataset__split": "time"},
        {"dataset__contract": "bank-additional"},
        {"settings": {"seed": 42}},
    ],
)
def test_figures_of_other_customers_are_not_passed_off_as_comparable(capsys, artifacts, changes):
    write(artifacts, "20270103-000000", **changes)
    assert "not known to be the same test rows" in shown(capsys, artifacts, "20270101-000000", "20270103-000000")


def test_synthetic_figures_are_called_that(capsys, artifacts):
    write(artifacts, "20270103-000000", dataset__synthetic=True)
    listed = next(line for line in shown(capsys, artifacts).splitlines() if "20270103" in line)
    assert listed.split()[3] == "yes"
    assert "synthetic sample" in shown(capsys, artifacts, "20270101-000000", "20270103-000000")


def test_three_runs_that_are_alike(capsys, artifacts):
    for name in ("20270103-000000", "20270104-000000"):
        write(artifacts, name)
    text = shown(capsys, artifacts, "20270101-000000", "20270103-000000", "20270104-000000")
    assert "nothing was chosen differently" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no summary"),
        ("", "cannot be read"),
        ('{"run_id": "2027', "cannot be read"),
        ("\x00\x01", "cannot be read"),
        ("[1, 2]", "is not the summary of a run"),
        ("{}", "is not the summary of a run"),
    ],
)
def test_a_run_without_a_readable_summary_takes_one_line_and_hides_no_other(capsys, artifacts, content, message):
    folder = artifacts / "runs" / "20270103-000000"
    folder.mkdir()
    if content is not None:
        (folder / "summary.json").write_text(content)
    text = shown(capsys, artifacts)
    assert "0.8276" in text
    (line,) = [line for line in text.splitlines() if "20270103" in line]
    assert message in line
    assert str(folder / ("pipeline.log" if content is None else "summary.json")) in line
    entry = json.loads(shown(capsys, artifacts, "--json"))[0]
    assert message in entry["problem"]
    assert runs.main(["latest", "20270103-000000", "--artifacts", str(artifacts)]) == runs.BAD_INPUT
    assert message in capsys.readouterr().err


def test_a_summary_of_an_earlier_version_is_shown_as_far_as_it_goes(capsys, artifacts):
    folder = artifacts / "runs" / "20270103-000000"
    folder.mkdir()
    (folder / "summary.json").write_text('{"run_id": "20270103-000000", "seconds": 3, "gate": null}')
    (line,) = [line for line in shown(capsys, artifacts).splitlines() if "20270103" in line]
    assert line.split()[1:] == ["-"] * 10 + ["3"]
    assert "not known to be the same" in shown(capsys, artifacts, "20270103-000000", "latest")


@pytest.mark.parametrize("name", [".", "runs"])
def test_no_runs_yet(capsys, tmp_path, name):
    (tmp_path / name).mkdir(exist_ok=True)
    assert runs.main(["--artifacts", str(tmp_path)]) == runs.BAD_INPUT
    assert "python -m pipeline.run" in capsys.readouterr().err


def test_a_run_that_is_not_there(artifacts):
    with pytest.raises(UserError, match="20270101-000000"):
        runs.named(artifacts, ["20270101-00000"])


@pytest.mark.parametrize("arguments", [["latest"], ["--last", "0"], ["latest", "20270101-000000", "--last", "2"]])
def test_arguments_that_make_no_sense(arguments, artifacts):
    with pytest.raises(SystemExit) as ending:
        runs.main([*arguments, "--artifacts", str(artifacts)])
    assert ending.value.code == 2


def test_nothing_heavy_is_imported():
    code = (
        "import sys\nfrom pipeline import runs\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'tfx', 'ml_metadata', 'pandas', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
