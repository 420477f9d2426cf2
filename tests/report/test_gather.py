"""What a report shows beside its own run: the last blessed run and the backtest."""

from __future__ import annotations

import pytest

from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder
from report.gather import last_blessed_run
from report.purchase.gather import _backtest
from runs.backtest_result import FILE, backtest_folder
from runs.outputs import RunOutputs
from tests.report.report_run import whole
from tests.support import summaries


@pytest.fixture
def runs(tmp_path):
    folder = runs_folder(tmp_path, PURCHASE_MODEL.name)
    for run in ("20270101-000000", "20270102-000000", "20270104-000000"):
        summaries.write(folder / run, summaries.summary(run))
    return folder


@pytest.mark.parametrize(
    ("last_blessed", "expected"),
    [
        ((), None),
        (("20270101-000000",), "20270101-000000"),
        (("20270101-000000", "20270102-000000", "20270103-000000", "20270104-000000"), "20270102-000000"),
        (("20261231-000000", "20270101-000000", "20270103-000000"), "20270101-000000"),
        (("20261231-000000",), None),
    ],
    ids=["first run", "an earlier run", "the same model again", "one without summary", "pruned"],
)
def test_the_last_blessed_run_is_the_newest_one_before_with_the_model_that_was_compared(runs, last_blessed, expected):
    now = summaries.summary("20270103-000000")
    previous = last_blessed_run(runs / now.run_id, now, RunOutputs({}, last_blessed))
    assert (previous and previous.run_id) == expected


def test_a_backtest_is_shown_only_beside_runs_on_the_same_file_and_columns(tmp_path):
    result = whole().backtest
    assert result is not None
    file = backtest_folder(tmp_path, "bank-full") / FILE
    assert _backtest(tmp_path, summaries.summary()) is None
    file.parent.mkdir(parents=True)
    file.write_text(result.to_json(), encoding="utf-8")
    assert _backtest(tmp_path, summaries.summary(dataset__source=result.source)) == result
    assert _backtest(tmp_path, summaries.summary(dataset__source="/data/other.csv")) is None
    with_duration = {"dataset__source": result.source, "settings__with_duration": True}
    assert _backtest(tmp_path, summaries.summary(**with_duration)) is None
    with_calendar = {"dataset__source": result.source, "settings__with_calendar": True}
    assert _backtest(tmp_path, summaries.summary(**with_calendar)) is None
    file.write_text("{}")
    assert _backtest(tmp_path, summaries.summary(dataset__source=result.source)) is None
