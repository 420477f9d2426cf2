"""`python -m runs.promote` and `python -m runs.rollback`: which model is chosen, where it comes from, what is noted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from data.command import BAD_INPUT, DONE
from data.model_folder import CARD, ModelCard, ModelFolder
from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder, serving_folder
from runs import decisions, promote, rollback, summary, tracking, versions
from runs.tracking import Figures
from tests.support import summaries

MODEL = PURCHASE_MODEL.name
FEATURES = ("age", "job")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(versions, "NOTICE_SECONDS", 0)


def push(artifacts: Path, number: int, **changes) -> str:
    """A run that pushed a version; metrics are those of the test split."""
    folder = ModelFolder(serving_folder(artifacts, MODEL) / str(number))
    folder.extra(CARD).parent.mkdir(parents=True)
    (folder.path / "saved_model.pb").write_text(f"model {number}")
    features = changes.get("features", FEATURES)
    folder.extra(CARD).write_text(ModelCard("bank-full", False, features).to_json())
    metrics = summaries.metrics(**{name: changes.pop(name) for name in list(changes) if name in VARIED})
    run = summaries.summary(
        f"run-{number}",
        metrics={"test": metrics},
        pushed__version=str(number),
        pushed__path=str(folder.path),
        **{"features": FEATURES, **changes},
    )
    summaries.write(runs_folder(artifacts, MODEL) / run.run_id, run)
    return run.run_id


VARIED = ("accuracy", "f1", "log_loss", "auc")


def ledger(artifacts: Path) -> list[decisions.Decision]:
    return decisions.read(decisions.ledger(artifacts, MODEL))


def champion(artifacts: Path) -> str:
    """The content of the champion's model."""
    number = versions.champion(artifacts, MODEL)
    return (serving_folder(artifacts, MODEL) / str(number) / "saved_model.pb").read_text()


def run(artifacts: Path, *arguments: str) -> int:
    return promote.main([*arguments, "--artifacts", str(artifacts)])


def test_the_first_metric_decides_and_the_next_one_between_equals(tmp_path, capsys):
    push(tmp_path, 1, accuracy=0.9, f1=0.5)
    push(tmp_path, 2, accuracy=0.9, f1=0.4)
    push(tmp_path, 3, accuracy=0.8, f1=0.9)
    assert run(tmp_path, "--by", "accuracy, f1") == DONE
    assert champion(tmp_path) == "model 1"
    said = capsys.readouterr().out
    assert "run run-1 is the best of 3 blessed runs by accuracy 0.9000, f1 0.5000" in said
    (noted,) = ledger(tmp_path)
    assert (noted.action, noted.run_id, noted.champion) == ("promote", "run-1", versions.champion(tmp_path, MODEL))
    assert noted.reasons == ("best of 3 blessed runs by accuracy 0.9000, f1 0.5000",)


def test_of_losses_the_smallest_is_the_best(tmp_path):
    push(tmp_path, 1, log_loss=0.2)
    push(tmp_path, 2, log_loss=0.3)
    assert run(tmp_path, "--by", "log_loss") == DONE
    assert champion(tmp_path) == "model 1"


def test_only_blessed_runs_with_the_champions_contract_and_columns_are_compared(tmp_path):
    push(tmp_path, 1, accuracy=0.8)
    push(tmp_path, 2, accuracy=0.99, features=("age", "duration", "job"))
    push(tmp_path, 3, accuracy=0.98, dataset__contract="bank-additional")
    push(tmp_path, 4, accuracy=0.97, gate__blessed=False)
    push(tmp_path, 5, accuracy=0.96, dataset__synthetic=True)
    push(tmp_path, 6, accuracy=0.7)
    assert run(tmp_path, "--by", "accuracy") == DONE
    assert champion(tmp_path) == "model 1"


def test_promoting_again_changes_nothing(tmp_path):
    push(tmp_path, 1, accuracy=0.9)
    push(tmp_path, 2, accuracy=0.8)
    assert [run(tmp_path, "--by", "accuracy") for _ in range(2)] == [DONE, DONE]
    assert len(ledger(tmp_path)) == 1
    assert len(list(serving_folder(tmp_path, MODEL).glob("[0-9]*"))) == 3


def test_other_test_rows_are_said(tmp_path, capsys):
    push(tmp_path, 1, dataset__rows=40_000)
    push(tmp_path, 2)
    assert run(tmp_path, "--by", "accuracy") == DONE
    assert "may not be comparable" in capsys.readouterr().out


def test_a_pruned_model_comes_back_from_the_artifact_of_its_run(tmp_path, monkeypatch):
    push(tmp_path, 1, accuracy=0.9)
    push(tmp_path, 2, accuracy=0.8)
    kept = shutil.move(serving_folder(tmp_path, MODEL) / "1", tmp_path / "pushed")
    (tmp_path / "metadata.sqlite").touch()
    monkeypatch.setattr("runs.outputs.connect", lambda database: database)
    monkeypatch.setattr(
        "runs.outputs.outputs", lambda store, name: SimpleNamespace(uri={"run-1": lambda _: str(kept)}[name])
    )
    assert run(tmp_path, "--by", "accuracy") == DONE
    number = versions.champion(tmp_path, MODEL)
    assert number > 2
    assert champion(tmp_path) == "model 1"
    found = summary.of_version(runs_folder(tmp_path, MODEL), str(number))
    assert found is not None
    assert found.run_id == "run-1", "the report and the exporter find the run of the new number"


def test_a_model_comes_back_from_mlflow(tmp_path):
    uri = tracking.check(f"file:{tmp_path / 'mlflow'}")
    for number, accuracy in ((1, 0.9), (2, 0.8)):
        tracking.log(uri, runs_folder(tmp_path, MODEL) / push(tmp_path, number, accuracy=accuracy))
    shutil.rmtree(runs_folder(tmp_path, MODEL))
    shutil.rmtree(serving_folder(tmp_path, MODEL) / "1")
    assert run(tmp_path, "--by", "accuracy", "--mlflow", uri) == DONE
    assert champion(tmp_path) == "model 1"
    assert ledger(tmp_path)[0].run_id == "run-1"


def test_a_model_that_is_nowhere_is_named(tmp_path, capsys):
    push(tmp_path, 1, accuracy=0.9)
    push(tmp_path, 2, accuracy=0.8)
    shutil.rmtree(serving_folder(tmp_path, MODEL) / "1")
    assert run(tmp_path, "--by", "accuracy") == BAD_INPUT
    assert "version 1 of purchase-model is neither in" in capsys.readouterr().err
    assert ledger(tmp_path) == []


def test_an_unknown_metric_is_named_with_those_that_there_are(tmp_path, capsys):
    push(tmp_path, 1)
    assert run(tmp_path, "--by", "acuracy") == BAD_INPUT
    said = capsys.readouterr().err
    assert "--by: got 'acuracy' (did you mean 'accuracy'?), expected metrics such as accuracy, auc" in said


def test_without_a_blessed_run_there_is_nothing_to_promote(tmp_path, capsys):
    push(tmp_path, 1, gate__blessed=False)
    assert run(tmp_path, "--by", "accuracy") == BAD_INPUT
    assert "no run of purchase-model was blessed and pushed" in capsys.readouterr().err


def test_a_version_is_rolled_back_and_promoted_by_name(tmp_path, capsys):
    push(tmp_path, 1)
    push(tmp_path, 2)
    assert rollback.main(["--artifacts", str(tmp_path)]) == DONE
    assert "version 2 of purchase-model is withdrawn; version 1 is the champion" in capsys.readouterr().out
    assert run(tmp_path, "--version", "2") == DONE
    number = versions.champion(tmp_path, MODEL)
    assert champion(tmp_path) == "model 2"
    assert f"version {number} of purchase-model is the champion; it is version 2" in capsys.readouterr().out
    back, again = ledger(tmp_path)
    assert (back.action, back.version, back.champion, back.run_id) == ("roll-back", 2, 1, "run-2")
    assert (again.action, again.version, again.champion, again.run_id) == ("promote", 2, number, "run-2")


def test_a_roll_back_to_a_version_that_is_not_there(tmp_path, capsys):
    push(tmp_path, 1)
    assert rollback.main(["--to", "9", "--artifacts", str(tmp_path)]) == BAD_INPUT
    assert "got version 9, expected one that is there: 1" in capsys.readouterr().err
    assert ledger(tmp_path) == []


def test_figures_of_a_summary_are_those_that_mlflow_gets():
    figures = Figures.of(summaries.summary())
    assert figures.metrics["test/accuracy"] == pytest.approx(0.8895)
    assert json.dumps(dict(figures.tags))
