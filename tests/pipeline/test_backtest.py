"""The backtest: what its result says, what the screen shows, and what the command refuses. See test_replay for how."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data.command import BAD_INPUT, FAILED
from modules.purchase import baselines
from pipeline import backtest
from pipeline.replay import Calls, to_score
from pipeline.screen import Screen
from runs.backtest_result import FILE, MODELS, BacktestResult
from tests.conftest import ROOT
from tests.support import dated

QUICK = {"width": 8, "depth": 1, "epochs": 2, "members": 1}
PERIODS = {"dev": ("2009-01", "2009-01"), "confirm": ("2009-02", "2009-03")}
SIZES = [200, 200, 300, 250, 250]


def fitted_quickly(patch: pytest.MonkeyPatch) -> None:
    """A logistic regression in the network's place, and few resamples."""

    def fit(train, evaluation, contract, with_after_call, seed):
        return baselines.fit("logistic_regression", train, contract, contract.features(with_after_call), seed)

    patch.setattr("modules.purchase.estimator.fit", fit)
    patch.setattr("analysis.over_time.RESAMPLES", 20)


@pytest.fixture
def quick(monkeypatch):
    fitted_quickly(monkeypatch)


def some(sizes=SIZES, **changes) -> Calls:
    return Calls(dated.calls(sizes), dated.contract(**changes))


def made(calls: Calls, seeds=(1,), spans=0, begin=lambda name: None, dev_only=False) -> BacktestResult:
    return backtest.backtest(calls, to_score(calls, dev_only), spans, seeds, 10.0, 100.0, begin)


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    with pytest.MonkeyPatch.context() as patch:
        fitted_quickly(patch)
        return made(some(backtest=PERIODS), spans=2)


def test_periods_hold_the_months_that_the_contract_names(result):
    assert {name: (period.first, period.last) for name, period in result.periods.items()} == {
        "dev": ("2009-01", "2009-01"),
        "confirm": ("2009-02", "2009-03"),
        "all": ("2009-01", "2009-03"),
    }
    rows = {name: {figures.rows for figures in period.models.values()} for name, period in result.periods.items()}
    assert rows == {"dev": {300}, "confirm": {500}, "all": {800}}
    assert all(tuple(period.models) == tuple(MODELS) for period in result.periods.values())
    assert result.stated == "confirm"
    assert result.worth == result.periods["confirm"].models["monthly"]


def test_without_periods_all_months_are_stated(quick):
    found = made(some())
    assert list(found.periods) == ["all"]
    assert found.months_stated == "2009-02 to 2009-03"


def test_dev_only_does_not_look_further(quick):
    calls = some(backtest=PERIODS)
    later = {name: column.copy() for name, column in calls.columns.items()}
    later["bought"][700:] = 0
    found = made(calls, dev_only=True)
    assert [month.name for month in found.months] == ["2009-01"]
    assert list(found.periods) == ["dev", "all"]
    assert made(Calls(later, calls.contract), dev_only=True) == found


def test_each_month_has_its_figures_and_the_decision_before_it(result):
    first, second, _ = result.months
    labels = dated.calls(SIZES)["bought"]
    assert (first.name, first.rows) == ("2009-01", 300)
    assert first.label_rate == pytest.approx(labels[400:700].mean())
    assert first.auc["monthly"] == first.auc["static"] == first.auc["rolling"]
    assert first.auc["monthly"] == pytest.approx(result.periods["dev"].models["monthly"].within_month_auc)
    assert first.decisions[0].outcome == "first"
    assert second.auc["histgb"] != second.auc["logistic"]


def test_figures_are_means_over_the_seeds(quick):
    calls, begun = some(backtest=PERIODS), []
    both = made(calls, seeds=(1, 2), begin=begun.append)
    one, two = made(calls, seeds=(1,)), made(calls, seeds=(2,))
    assert begun[0] == "seed 1, 2009-01"
    assert begun[-1] == "seed 2, random split"
    for name in ("within_month_auc", "log_loss", "ece"):
        figures = [getattr(found.worth, name) for found in (one, two)]
        assert figures[0] != figures[1]
        assert getattr(both.worth, name) == pytest.approx(np.mean(figures))
    lows = [found.worth.within_month_auc_interval.low for found in (one, two)]
    assert both.worth.within_month_auc_interval.low == pytest.approx(np.mean(lows))
    assert both.worth.rows == one.worth.rows
    assert both.months[0].decisions == (*one.months[0].decisions, *two.months[0].decisions)


def test_the_same_seed_gives_the_same_result(quick):
    assert made(some()) == made(some())


def test_a_random_split_stands_beside_it_with_its_own_months(result):
    assert result.random_split.rows == pytest.approx(0.15 * 1_200, abs=50)
    assert result.random_split.months == 5
    assert (
        f"{result.random_split.pooled_auc:.3f}, of which {result.random_split.within_month_auc:.3f}" in result.verdict
    )
    assert f"{result.worth.within_month_auc:.3f} (95 % interval" in result.verdict


def test_spans_of_the_newer_half_have_a_mean(result):
    assert [(span.first_row, span.last_row) for span in result.spans] == [(601, 900), (901, 1_200)]
    assert result.span_mean == pytest.approx(np.mean([span.auc for span in result.spans]))
    assert json.loads(result.to_json())["span_mean"] == pytest.approx(result.span_mean)


def test_a_result_comes_back_from_json_and_has_the_agreed_layout(result):
    assert BacktestResult.from_json(result.to_json()) == result
    figures = json.loads(result.to_json())["periods"]["confirm"]["models"]["histgb"]
    names = {"within_month_auc", "pooled_auc", "better_half_share", "ece", "log_loss", "rows", "months"}
    assert names <= figures.keys()


def test_months_of_one_label_have_figures_as_far_as_they_exist(quick):
    calls = some(backtest=PERIODS)
    calls.columns["bought"][400:] = 0
    found = made(calls)
    assert found.worth.within_month_auc is None
    assert found.worth.log_loss < 2
    assert found.months[0].auc["monthly"] is None
    assert "cannot be measured" in found.verdict
    assert BacktestResult.from_json(found.to_json()) == found


def test_the_network_itself_takes_months_of_one_label_and_replays_the_same_way_twice(monkeypatch):
    monkeypatch.setattr("analysis.over_time.RESAMPLES", 20)
    calls = Calls(dated.calls([150, 60]), dated.contract().with_modelling(hyperparameters=QUICK))
    calls.columns["bought"][:] = 0
    calls.columns["bought"][-1] = 1
    found = made(calls)
    assert found.worth.log_loss < 0.3
    assert made(calls) == found


def test_tables_fit_and_name_what_was_refused(quick, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = made(some(backtest=PERIODS), seeds=(1, 2), spans=2)
    stream = io.StringIO()
    Screen(stream).backtest(result)
    lines = stream.getvalue().splitlines()
    assert max(len(line) for line in lines if line.startswith((" ", "─"))) <= 80
    text = stream.getvalue()
    assert "means of 2 seeds" in text
    assert "confirm: 2009-02 to 2009-03" in text
    assert f"{result.periods['dev'].models['histgb'].within_month_auc:.3f}" in text
    assert "2 spans of the newer half" in text
    assert [line.split()[0] for line in lines if line.startswith(" 2009-0")] == [
        "2009-01",
        "2009-02",
        "2009-03",
    ]
    assert lines[-1] == result.verdict


def test_what_was_set_aside_is_told_with_its_reason(quick):
    calls = some([900, 500, 300, 300], backtest={"dev": ("2008-12", "2008-12"), "confirm": ("2009-01", "2009-02")})
    labels = calls.columns["bought"]
    labels[900:1_400] = np.random.default_rng(4).permutation(labels[900:1_400])
    stream = io.StringIO()
    Screen(stream).backtest(made(calls))
    assert "2009-01: nothing was trained: 2008-12: neither the model that serves" in stream.getvalue()


def test_a_step_is_a_line_where_there_is_no_terminal():
    stream = io.StringIO()
    with Screen(stream).steps(2) as begin:
        begin("2009-01")
        begin("random split")
    assert [line.strip() for line in stream.getvalue().splitlines() if line.strip()] == [
        "1/2  2009-01",
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


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    """A CSV file of dated calls and its contract."""
    days = dated.calls([200, 60, 60], first="2008-12")["call_day"].astype("datetime64[D]").astype(object)
    names = {12: "dec", 1: "jan", 2: "feb"}
    calls = dated.write(tmp_path / "calls.csv", [(day.day, names[day.month]) for day in days])
    rules = tmp_path / "calls.yaml"
    periods = {"dev": ("2009-01", "2009-01"), "confirm": ("2009-02", "2009-02")}
    rules.write_text(dated.contract(backtest=periods, modelling={"hyperparameters": QUICK}).model_dump_json())
    return calls, rules


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
    for word in ("--seeds", "--past-volume-only", "--dev-only", "static", "rolling", "pooled AUC", "examples:"):
        assert word in result.stdout


def test_rows_in_no_date_order_are_refused(capsys, tmp_path, files):
    calls, rules = files
    rules.write_text(dated.contract(row_order="none", call_date=None, derived=None).model_dump_json())
    message = refused(capsys, "--data", calls, "--contract", rules, "--artifacts", tmp_path / "artifacts")
    assert "row_order: none" in message
    assert not (tmp_path / "artifacts").exists()


def test_past_volume_needs_list_size(capsys, tmp_path, files):
    calls, rules = files
    rules.write_text(dated.contract(derived=None).model_dump_json())
    message = refused(capsys, "--data", calls, "--contract", rules, "--past-volume-only", "--artifacts", tmp_path / "a")
    assert "--past-volume-only: contract dated-calls has no derived: list_size" in message


def test_files_that_cannot_be_read_are_named(capsys, tmp_path):
    artifacts = ("--artifacts", tmp_path / "artifacts")
    assert "nowhere.csv" in refused(capsys, "--data", tmp_path / "nowhere.csv", *artifacts)
    (tmp_path / "empty.csv").touch()
    assert "empty" in refused(capsys, "--data", tmp_path / "empty.csv", *artifacts)
    (tmp_path / "other.csv").write_text("age;jobb;y\n1;2;no\n")
    assert "'jobb'" in refused(capsys, "--data", tmp_path / "other.csv", *artifacts)


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--spans", "-1"], ["--cost", "0"], ["--seed", "half"]])
def test_arguments_that_make_no_sense(arguments):
    with pytest.raises(SystemExit) as ending:
        backtest.main(arguments)
    assert ending.value.code == 2


def run(files, artifacts: Path, *arguments) -> int:
    calls, rules = files
    given = ("--data", calls, "--contract", rules, "--artifacts", artifacts, "--seed", 1, *arguments)
    return backtest.main([*map(str, given)])


def test_ctrl_c_writes_nothing(quick, monkeypatch, files, tmp_path, capfd):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.backtest.backtest", interrupted)
    assert run(files, tmp_path / "artifacts") == FAILED
    assert "nothing was written" in capfd.readouterr().out
    assert not list((tmp_path / "artifacts").rglob(f"*{FILE}"))


def command(*arguments) -> subprocess.CompletedProcess:
    """The command as a user gives it."""
    line = [sys.executable, "-m", "pipeline.backtest", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.e2e
def test_the_command_shows_the_tables_and_writes_the_figures(tmp_path, files):
    calls, rules = files
    given = ("--data", calls, "--contract", rules, "--artifacts", tmp_path / "artifacts", "--seed", 1)
    done = command(*given, "--seeds", 2, "--spans", 2, "--past-volume-only", "--cost", 5)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "10/10  seed 2, span of rows 241 to 320" in done.stdout
    folder = tmp_path / "artifacts" / "backtests" / "dated-calls-past-volume-only"
    assert sorted(file.name for file in folder.iterdir()) == ["backtest.json", "backtest.log"]
    found = BacktestResult.from_json((folder / FILE).read_bytes())
    assert (found.source, found.synthetic, found.past_volume_only) == (str(calls), False, True)
    assert (found.seeds, found.cost, found.margin) == ((1, 2), 5.0, 100.0)
    assert list(found.periods) == ["dev", "confirm", "all"]
    assert found.verdict in done.stdout


@pytest.mark.e2e
def test_calendar_columns_come_back_on_request(tmp_path, files):
    calls, rules = files
    given = ("--data", calls, "--contract", rules, "--artifacts", tmp_path / "artifacts")
    assert command(*given, "--with-calendar").returncode == 0
    folder = tmp_path / "artifacts" / "backtests" / "dated-calls-with-calendar"
    assert BacktestResult.from_json((folder / FILE).read_bytes()).with_calendar


@pytest.mark.e2e
def test_a_row_that_cannot_be_read_stops_the_command(tmp_path, files):
    calls, rules = files
    lines = calls.read_text().splitlines()
    broken, few = tmp_path / "broken.csv", tmp_path / "few.csv"
    broken.write_text("\n".join([*lines[:100], f"x{lines[100]}", *lines[101:]]) + "\n")
    few.write_text("\n".join(lines[:91]) + "\n")
    given = ("--contract", rules, "--artifacts", tmp_path / "artifacts")
    done = command("--data", broken, *given)
    assert done.returncode == 2
    assert "broken.csv:101" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    done = command("--data", few, *given)
    assert done.returncode == 2
    assert "90 rows from 2008-12 to 2008-12 are too few" in done.stdout
    assert not list((tmp_path / "artifacts").rglob(FILE))
