"""The list and the comparison of runs: complete runs, broken ones and none."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from analysis.segmentation import Candidate
from data.command import BAD_INPUT, DONE
from data.errors import UserError
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import runs_folder
from runs import compare as runs
from runs.summary import SegmentShare
from tests.conftest import ROOT
from tests.support import summaries

MODEL = PURCHASE_MODEL.name
SEGMENTS = SEGMENT_MODEL.name


def write(artifacts, name, model=MODEL, **changes):
    """A run whose summary differs from the usual one."""
    summaries.write(runs_folder(artifacts, model) / name, summaries.summary(name, **changes))


@pytest.fixture
def artifacts(tmp_path):
    write(tmp_path, "20270101-000000")
    write(
        tmp_path,
        "20270102-000000",
        settings__seed=7,
        settings__commit="c" * 40 + "+",
        features=("age", "duration"),
        model__hyperparameters={"width": 64, "dropout": 0.2, "depth": 3},
        metrics__test=summaries.metrics(auc=0.79, accuracy=0.87, log_loss=0.3, pr_auc=None),
        gate__blessed=False,
        pushed=None,
    )
    (runs_folder(tmp_path, MODEL) / "latest").symlink_to("20270102-000000")
    return tmp_path


def shown(capsys, artifacts, *arguments):
    assert runs.main([*arguments, "--artifacts", str(artifacts)]) == DONE
    return capsys.readouterr().out


def rows(text) -> dict[str, list[str]]:
    """The cells of each run in the list; cells are at least two spaces apart."""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("2027")]
    return {line.split()[0]: [cell.strip() for cell in line.split("  ") if cell.strip()][1:] for line in lines}


def test_runs_are_listed_newest_first_and_once(capsys, artifacts):
    listed = rows(shown(capsys, artifacts))
    assert list(listed) == ["20270102-000000", "20270101-000000"]
    newer, older = listed.values()
    assert newer[0] == "bank-full"
    assert newer[2:] == ["45,211", "no", "random", "0.7900", "0.8700", "0.3000", "0.0147", "no", "-", "80"]
    assert older[2:] == ["45,211", "no", "random", "0.8276", "0.8895", "0.2829", "0.0147", "yes", "1795239191", "80"]


def test_a_run_says_how_it_differs_from_the_others_on_its_data(capsys, artifacts):
    listed = rows(shown(capsys, artifacts))
    assert listed["20270102-000000"][1] == "+duration, -job, seed 7"
    assert listed["20270101-000000"][1] == "-"


@pytest.mark.parametrize(
    ("column", "setting", "mark"),
    [("duration", "with_duration", "after-call columns"), ("month", "with_calendar", "calendar columns")],
)
def test_a_run_with_more_columns_than_by_default_never_looks_like_one_without(capsys, tmp_path, column, setting, mark):
    more = {"features": ("age", column, "job"), f"settings__{setting}": True}
    write(tmp_path, "20270103-000000", **more)
    assert rows(shown(capsys, tmp_path))["20270103-000000"][1] == mark
    write(tmp_path, "20270102-000000")
    write(tmp_path, "20270104-000000", **more)
    listed = rows(shown(capsys, tmp_path))
    assert [cells[1] for cells in listed.values()] == [f"+{column}", f"+{column}", "-"]
    write(tmp_path, "20270105-000000", dataset__contract="bakery", features=("visits",))
    assert rows(shown(capsys, tmp_path))["20270105-000000"][1] == "-", "another data set has columns of its own"


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"settings__data_sha256": "f" * 64}, "other data"),
        ({"settings__quarantine": True}, "quarantine"),
        ({"settings__trials": 0}, "no tuning"),
        ({"settings__trials": 24}, "24 trials"),
        ({"model__members": 8}, "ensemble of 8"),
        ({"features": tuple("abcde")}, "+a, +b, +c, +2 more columns, -age, -job"),
    ],
)
def test_a_setting_of_one_run_alone_is_named(capsys, tmp_path, changes, mark):
    for name in ("20270101-000000", "20270103-000000"):
        write(tmp_path, name)
    write(tmp_path, "20270102-000000", **changes)
    assert [cells[1] for cells in rows(shown(capsys, tmp_path)).values()] == ["-", mark, "-"]


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
    assert rows["metrics.test.pr_auc"] == ["0.4972", "-"]
    assert not {"settings.trials", "model.hyperparameters.dropout", "dataset.source", "features.age"} & rows.keys()
    assert "test rows" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"settings__data_sha256": "f" * 64},
        {"settings__data_sha256": None},
        {"settings__quarantine": True},
        {"dataset__split": "time"},
        {"dataset__rows": 45_000},
        {"dataset__contract": "bank-additional"},
    ],
)
def test_figures_of_other_customers_are_not_passed_off_as_comparable(capsys, artifacts, changes):
    write(artifacts, "20270103-000000", **changes)
    found = json.loads(shown(capsys, artifacts, "20270103-000000", "20270101-000000", "--json"))
    assert not found["same_test_rows"]
    assert "test rows" in shown(capsys, artifacts, "20270101-000000", "20270103-000000")


def test_synthetic_figures_are_called_that(capsys, artifacts):
    write(artifacts, "20270103-000000", dataset__synthetic=True)
    assert rows(shown(capsys, artifacts))["20270103-000000"][3] == "yes"
    assert "synthetic sample" in shown(capsys, artifacts, "20270101-000000", "20270103-000000")


def test_three_runs_that_are_alike(capsys, artifacts):
    for name in ("20270103-000000", "20270104-000000"):
        write(artifacts, name)
    alike = ("20270101-000000", "20270103-000000", "20270104-000000")
    assert json.loads(shown(capsys, artifacts, *alike, "--json"))["differences"] == {}
    assert "are the same" in shown(capsys, artifacts, *alike)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "failed, was stopped or is still running"),
        ("", "cannot be read"),
        ('{"run_id": "2027', "cannot be read"),
        ("\x00\x01", "cannot be read"),
        ("[1, 2]", "not the summary of a run"),
        ("{}", "not the summary of a run"),
        ('{"run_id": "20270103-000000", "gate": null}', "not the summary of a run"),
        ('{"run_id": "20270103-000000", "schema": 99}', "schema 99 is newer"),
        ('{"run_id": "20270103-000000", "schema": "1"}', "not the summary of a run"),
    ],
)
def test_a_run_without_a_readable_summary_takes_one_line_and_hides_no_other(capsys, artifacts, content, message):
    folder = runs_folder(artifacts, MODEL) / "20270103-000000"
    folder.mkdir()
    if content is not None:
        (folder / "summary.json").write_text(content)
    text = shown(capsys, artifacts)
    assert "0.8276" in text
    (line,) = [line for line in text.splitlines() if line.startswith("20270103")]
    assert message in line
    assert str(folder / ("pipeline.log" if content is None else "summary.json")) in line
    entry = json.loads(shown(capsys, artifacts, "--json"))[0]
    assert message in entry["problem"]
    assert runs.main(["latest", "20270103-000000", "--artifacts", str(artifacts)]) == BAD_INPUT
    assert message in capsys.readouterr().err


def test_runs_from_before_there_was_a_folder_for_each_model_are_listed(capsys, artifacts):
    document = json.loads(summaries.summary("20270100-000000").to_json())
    for later in ("schema", "model_name"):
        del document[later]
    del document["dataset"]["words"]
    folder = artifacts / "runs" / "20270100-000000"
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(document))
    assert list(rows(shown(capsys, artifacts)))[-1] == "20270100-000000"
    found = json.loads(shown(capsys, artifacts, "20270100-000000", "20270101-000000", "--json"))
    assert found["differences"] == {}


def write_segments(artifacts, name, **changes):
    """A run that segmented customers; its summary differs from the usual one."""
    summaries.write(runs_folder(artifacts, SEGMENTS) / name, summaries.segment_summary(name, **changes))


def segment_rows(capsys, artifacts) -> dict[str, list[str]]:
    return rows(shown(capsys, artifacts, "--model", SEGMENTS))


def test_segment_runs_are_listed_with_columns_of_their_own(capsys, tmp_path):
    write_segments(tmp_path, "20270101-000000")
    write_segments(
        tmp_path,
        "20270102-000000",
        chosen=summaries.figures(candidate=Candidate("kmedoids", "columns", 4), macro_silhouette=0.61, stability=0.62),
        gate__blessed=False,
        pushed=None,
    )
    text = shown(capsys, tmp_path, "--model", SEGMENTS)
    head = next(line for line in text.splitlines() if "run" in line)
    assert [cell.strip() for cell in head.split("  ") if cell.strip()] == [
        *("run", "data", "view", "differs", "rows", "synthetic", "split", "segments", "method", "representation"),
        *("macro silhouette", "null reference", "stability", "blessed", "pushed", "seconds"),
    ]
    newer, older = rows(text).values()
    assert older == [
        *("fundfusion", "demography", "-", "25,676", "no", "random", "3", "kmeans", "pca"),
        *("0.4795", "0.3514", "0.9312", "yes", "1795239192", "61"),
    ]
    assert newer[6:] == ["4", "kmedoids", "columns", "0.6100", "0.3514", "0.6200", "no", "-", "61"]


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"settings__data_sha256": "f" * 64}, "other data"),
        ({"settings__method": "kmedoids"}, "kmedoids alone"),
        ({"settings__most": 20}, "2..20 clusters"),
        ({"settings__fewest": 4, "settings__most": 4}, "4 clusters"),
        ({"settings__seed": 7, "features": ("age", "income")}, "+income, -children, seed 7"),
        ({"settings__view": "products", "features": ("saving", "credit")}, "-"),
    ],
)
def test_a_segment_run_differs_from_the_others_on_its_view(capsys, tmp_path, changes, mark):
    for name in ("20270101-000000", "20270103-000000"):
        write_segments(tmp_path, name)
    write_segments(tmp_path, "20270102-000000", **changes)
    assert [cells[2] for cells in segment_rows(capsys, tmp_path).values()] == ["-", mark, "-"]


def test_what_differs_between_segment_runs(capsys, tmp_path):
    write_segments(tmp_path, "20270101-000000")
    other = summaries.figures(candidate=Candidate("kmeans", "pca", 4), stability=0.85)
    segments = (SegmentShare("under 35", {"test": 0.4}), SegmentShare("over 60", {"test": 0.6}))
    write_segments(tmp_path, "20270102-000000", chosen=other, segments=segments, agreement=0.7)
    (runs_folder(tmp_path, SEGMENTS) / "latest").symlink_to("20270102-000000")
    names = ("20270101-000000", "latest", "--model", SEGMENTS)
    found = json.loads(shown(capsys, tmp_path, *names, "--json"))
    assert found["differences"] == {"chosen.candidate.clusters": [3, 4]}
    assert found["measurements"]["chosen.stability"] == [0.9312, 0.85]
    assert found["measurements"]["agreement"] == [None, 0.7]
    assert found["measurements"]["segments.under 35"] == [0.3994, 0.4]
    assert found["measurements"]["segments.over 60"] == [None, 0.6]
    assert found["same_space"]
    text = shown(capsys, tmp_path, *names)
    assert "chosen.candidate.clusters" in text
    assert "not comparable" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"chosen": summaries.figures(candidate=Candidate("kmeans", "columns", 3))},
        {"features": ("age", "income")},
        {"settings__view": "products", "features": ("saving", "credit")},
    ],
)
def test_silhouettes_of_other_spaces_are_not_passed_off_as_comparable(capsys, tmp_path, changes):
    write_segments(tmp_path, "20270101-000000")
    write_segments(tmp_path, "20270102-000000", **changes)
    names = ("20270101-000000", "20270102-000000", "--model", SEGMENTS)
    assert not json.loads(shown(capsys, tmp_path, *names, "--json"))["same_space"]
    assert "silhouettes of different spaces are not comparable" in shown(capsys, tmp_path, *names)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"chosen__candidate": Candidate("kmeans", "columns", 3)},
            {"chosen__candidate": Candidate("kmedoids", "columns", 3)},
        ),
        (
            {"chosen__candidate": Candidate("kmeans", "autoencoder", 3)},
            {"chosen__candidate": Candidate("kmeans", "autoencoder", 3), "settings__seed": 7},
        ),
    ],
    ids=["Gower and Euclidean distances", "two autoencoders"],
)
def test_the_same_representation_may_be_another_space(capsys, tmp_path, one, other):
    write_segments(tmp_path, "20270101-000000", **one)
    write_segments(tmp_path, "20270102-000000", **other)
    names = ("20270101-000000", "20270102-000000", "--model", SEGMENTS)
    assert not json.loads(shown(capsys, tmp_path, *names, "--json"))["same_space"]


def test_a_segment_model_of_another_name_is_listed_as_one(capsys, tmp_path):
    summaries.write(runs_folder(tmp_path, "products") / "20270101-000000", summaries.segment_summary())
    assert "macro silhouette" in shown(capsys, tmp_path, "--model", "products")


def test_each_model_has_runs_of_its_own(capsys, artifacts):
    write_segments(artifacts, "20270103-000000")
    assert "20270103" not in shown(capsys, artifacts)
    assert list(rows(shown(capsys, artifacts, "--model", SEGMENTS))) == ["20270103-000000"]
    assert runs.main(["20270101-000000", "latest", "--model", SEGMENTS, "--artifacts", str(artifacts)]) == 2


@pytest.mark.parametrize("name", [".", "runs"])
@pytest.mark.parametrize(
    ("model", "commands"),
    [
        (MODEL, ".venv/bin/python -m pipeline.run"),
        (SEGMENTS, ".venv/bin/python -m pipeline.segment"),
        ("mine", ".venv/bin/python -m pipeline.run or .venv/bin/python -m pipeline.segment"),
    ],
)
def test_no_runs_yet(capsys, tmp_path, name, model, commands):
    (tmp_path / name).mkdir(exist_ok=True)
    assert runs.main(["--artifacts", str(tmp_path), "--model", model]) == BAD_INPUT
    assert capsys.readouterr().err.rstrip().endswith(f": {commands}")


def test_a_run_that_is_not_there(artifacts):
    with pytest.raises(UserError, match="20270101-000000"):
        runs.named(artifacts, MODEL, ["20270101-00000"])


@pytest.mark.parametrize("arguments", [["latest"], ["--last", "0"], ["latest", "20270101-000000", "--last", "2"]])
def test_arguments_that_make_no_sense(arguments, artifacts):
    with pytest.raises(SystemExit) as ending:
        runs.main([*arguments, "--artifacts", str(artifacts)])
    assert ending.value.code == 2


def test_nothing_heavy_is_imported():
    code = (
        "import sys\nfrom runs import compare\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'tfx', 'ml_metadata', 'pandas', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
