"""Walking forward: what is trained on what, what is measured, and that no model sees a row of the future."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import columns as tables
from data import contract as contracts
from data import sample
from data.command import BAD_INPUT
from data.errors import UserError
from modules.purchase import baselines
from modules.purchase.calibration import best_threshold
from pipeline import backtest
from pipeline.backtest import FEWEST_ROWS, plan
from pipeline.screen import Screen
from runs.backtest_result import MODELS, BacktestResult
from tests.conftest import ROOT

QUICK = {"width": 8, "depth": 1, "epochs": 2, "members": 1}
CONTRACT = contracts.load("bank-full").with_modelling(hyperparameters=QUICK)


@pytest.fixture(scope="module")
def customers(tmp_path_factory):
    file = tmp_path_factory.mktemp("customers") / "customers.csv"
    sample.write(file, rows=1_200, seed=3)
    return tables.read(file, CONTRACT)


def walked(customers, begin=lambda name: None, spans=2):
    return backtest.backtest(customers, CONTRACT, False, plan(len(customers["y"]), spans, 0.5), 1, begin)


@pytest.fixture
def quick(monkeypatch):
    """A logistic regression in the network's place, which is tried in the tests below that do without."""

    def fit(train, evaluation, contract, with_after_call, seed):
        model = baselines.fit("logistic_regression", train, contract, contract.features(with_after_call), seed)
        threshold = best_threshold(evaluation["y"], model.score(evaluation))
        return SimpleNamespace(score=model.score, threshold=threshold)

    monkeypatch.setattr("modules.purchase.estimator.fit", fit)


@pytest.fixture
def result(customers, quick):
    return walked(customers)


@given(
    rows=st.integers(4 * FEWEST_ROWS, 10_000_000),
    spans=st.integers(1, 100),
    first=st.floats(0.01, 0.99),
)
def test_spans_follow_each_other_to_the_last_row_and_windows_end_before_them(rows, spans, first):
    try:
        cut = plan(rows, spans, first)
    except UserError:
        assert min(rows * first, rows * (1 - first) / spans) < FEWEST_ROWS + 1
        return
    assert [span.number for span in cut] == list(range(1, spans + 1))
    assert cut[-1].stop == rows
    assert all(before.stop == after.start for before, after in itertools.pairwise(cut))
    sizes = {span.stop - span.start for span in cut}
    assert max(sizes) - min(sizes) <= 1
    start = cut[0].start
    for span in cut:
        assert span.windows == {
            "static": (0, start),
            "expanding": (0, span.start),
            "rolling": (span.start - start, span.start),
        }


def test_too_few_rows_for_the_spans_say_so():
    with pytest.raises(UserError, match="1,000 rows are too few for 10 spans"):
        plan(1_000, 10, 0.5)
    with pytest.raises(UserError, match="too few"):
        plan(1_000, 1, 0.01)


def test_every_window_is_fitted_once_and_the_random_split_last(customers, quick):
    begun = []
    walked(customers, begin=begun.append)
    assert begun == ["rows 1 to 600", "rows 1 to 900", "rows 301 to 900", "random split"]


def test_the_result_says_what_was_measured(result, customers):
    assert (result.contract, result.with_duration, result.rows) == ("bank-full", False, 1_200)
    first, second = result.spans
    assert (first.first_row, first.last_row, first.rows) == (601, 900, 300)
    assert (second.first_row, second.last_row, second.rows) == (901, 1_200, 300)
    assert second.train_rows == {"static": 600, "expanding": 900, "rolling": 600}
    assert second.label_rate == pytest.approx(customers["y"][900:].mean())
    for metrics in (*(span.metrics[name] for span in result.spans for name in MODELS), result.random_split):
        assert 0 < metrics.log_loss < 2
    assert first.static == first.expanding == first.rolling
    assert second.static != second.rolling
    assert BacktestResult.from_json(result.to_json()) == result


def test_the_mean_is_over_spans(result):
    for name in MODELS:
        expected = np.mean([span.metrics[name].auc for span in result.spans])
        assert result.mean[name].auc == pytest.approx(expected)


def test_the_verdict_names_the_figures_of_both_kinds(result):
    assert f"held out at random it is {result.random_split.auc:.3f}" in result.verdict
    assert f"{result.mean['rolling'].auc:.3f} (rolling)" in result.verdict


def test_what_comes_later_changes_nothing_that_was_measured_before(result, customers):
    """And the same rows and seed give the same figures."""
    others = {name: column.copy() for name, column in customers.items()}
    for column in others.values():
        column[900:] = column[900:][::-1]
    others["y"][900:] = 1 - others["y"][900:]
    again = walked(others)
    assert again.spans[0] == result.spans[0]
    assert again.spans[1].static != result.spans[1].static


def test_a_span_of_one_label_has_figures_as_far_as_they_exist(customers, quick):
    nobody = {**customers, "y": customers["y"].copy()}
    nobody["y"][600:900] = 0
    found = walked(nobody)
    first, second = found.spans
    assert first.static.auc is None
    assert first.static.log_loss < 0.7
    assert second.static.auc is not None
    assert found.mean["static"].auc == second.static.auc


def test_the_network_itself_takes_windows_of_one_label(customers):
    nobody = {**customers, "y": np.zeros_like(customers["y"])}
    nobody["y"][-1] = 1
    found = walked(nobody, spans=1)
    assert 0 <= found.spans[0].static.auc <= 1
    assert found.spans[0].static.log_loss < 0.3
    assert found.random_split.log_loss < 0.3
    assert ("cannot be measured" in found.verdict) == (found.random_split.auc is None)


def test_figures_fit_eighty_columns_and_the_first_span_is_told_once(result, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    stream = io.StringIO()
    Screen(stream).backtest(result)
    lines = stream.getvalue().splitlines()
    table = [line for line in lines if line.startswith((" span", " 1", " 2", "   ", " mean", " random"))]
    assert max(map(len, table)) <= 80
    words = [line.split() for line in table]
    assert [line[2] for line in words if line[:1] == ["1"]] == ["all"]
    assert [line[1] for line in words if line[:1] == ["mean"]] == list(MODELS)
    assert f"{result.spans[1].rolling.auc:.4f}" in stream.getvalue()
    assert lines[-1] == result.verdict
    assert ["span", "buyers"] in [line[:2] for line in words]


def test_a_step_is_a_line_where_there_is_no_terminal():
    stream = io.StringIO()
    with Screen(stream).steps(2) as begin:
        begin("rows 1 to 10")
        begin("random split")
    assert [line.strip() for line in stream.getvalue().splitlines() if line.strip()] == [
        "1/2  rows 1 to 10",
        "2/2  random split",
    ]


def test_what_libraries_write_does_not_get_between_the_steps(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with Screen(terminal).steps(1) as begin:
        begin("random split")
        sys.stderr.write("WARNING: retracing\n")
    assert "random split" in terminal.getvalue()
    assert "retracing" not in terminal.getvalue()


def refused(capsys, *arguments) -> str:
    assert backtest.main([*map(str, arguments)]) == BAD_INPUT
    return capsys.readouterr().err


def test_help_teaches_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom pipeline import backtest\n"
        "try: backtest.main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'tfx', 'apache_beam', 'pyarrow', 'sklearn')))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert all(word in result.stdout for word in ("--spans", "static", "rolling", "examples:"))


def test_rows_in_no_date_order_are_refused(capsys, tmp_path, sample_csv):
    file = tmp_path / "unordered.yaml"
    file.write_text(CONTRACT.model_copy(update={"row_order": "none"}).model_dump_json())
    message = refused(capsys, "--data", sample_csv, "--contract", file, "--artifacts", tmp_path / "artifacts")
    assert "row_order: none" in message
    assert not (tmp_path / "artifacts").exists()


def test_files_that_cannot_be_read_are_named(capsys, tmp_path):
    artifacts = ("--artifacts", tmp_path / "artifacts")
    assert "nowhere.csv" in refused(capsys, "--data", tmp_path / "nowhere.csv", *artifacts)
    (tmp_path / "empty.csv").touch()
    assert "empty" in refused(capsys, "--data", tmp_path / "empty.csv", *artifacts)
    (tmp_path / "other.csv").write_text("age;jobb;y\n1;2;no\n")
    assert "'jobb'" in refused(capsys, "--data", tmp_path / "other.csv", *artifacts)


@pytest.mark.parametrize("arguments", [["--spans", "0"], ["--first", "0"], ["--first", "1"], ["--first", "half"]])
def test_arguments_that_make_no_sense(arguments):
    with pytest.raises(SystemExit) as ending:
        backtest.main(arguments)
    assert ending.value.code == 2


def command(*arguments) -> subprocess.CompletedProcess:
    """The command as a user gives it."""
    line = [sys.executable, "-m", "pipeline.backtest", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def contract_file(tmp_path) -> Path:
    file = tmp_path / "quick.yaml"
    file.write_text(CONTRACT.model_dump_json())
    return file


@pytest.mark.e2e
@pytest.mark.e2e
def test_the_command_shows_the_table_and_writes_the_figures(tmp_path, sample_csv, contract_file):
    arguments = ("--data", sample_csv, "--contract", contract_file, "--artifacts", tmp_path, "--with-after-call")
    done = command(*arguments, "--spans", 2, "--first", 0.6, "--seed", 5)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "4,000 rows; 2 spans of 800 rows" in done.stdout
    assert "4/4  random split" in done.stdout
    folder = tmp_path / "backtests" / "bank-full-with-after-call"
    found = json.loads((folder / "backtest.json").read_text())
    assert sorted(file.name for file in folder.iterdir()) == ["backtest.json", "backtest.log"]
    assert (found["source"], found["synthetic"], found["with_duration"]) == (str(sample_csv), False, True)
    assert found["seed"] == 5
    assert [span["first_row"] for span in found["spans"]] == [2_401, 3_201]
    assert found["verdict"] in done.stdout


@pytest.mark.e2e
def test_a_row_that_cannot_be_read_stops_the_command(tmp_path, sample_csv, contract_file):
    lines = sample_csv.read_text().splitlines()
    lines[100] = "x" + lines[100]
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join(lines) + "\n")
    done = command("--data", broken, "--contract", contract_file, "--artifacts", tmp_path / "artifacts")
    assert done.returncode == 2
    assert "broken.csv:101" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    few = tmp_path / "few.csv"
    few.write_text("\n".join(sample_csv.read_text().splitlines()[:200]))
    done = command("--data", few, "--contract", contract_file, "--artifacts", tmp_path / "artifacts")
    assert done.returncode == 2
    assert "199 rows are too few" in done.stdout
    assert not list((tmp_path / "artifacts").rglob("backtest.json"))
