"""Summaries of runs and results of backtests come back from JSON as they were."""

from __future__ import annotations

import json

import pytest

from runs.backtest_result import BacktestResult, SpanResult
from runs.summary import RunSummary, of_version
from tests.support import summaries


def test_a_summary_comes_back_from_json_as_it_was():
    full = summaries.summary(dataset__words__one="donor", dataset__words__many="donors", metrics__eval__auc=None)
    assert RunSummary.from_json(full.to_json()) == full
    bare = summaries.summary(comparison=None, pushed=None, gate__blessed=False)
    assert RunSummary.from_json(bare.to_json()) == bare


def test_a_summary_of_an_earlier_version_lacks_some_fields():
    document = json.loads(summaries.summary().to_json())
    for later in ("schema", "model_name", "settings", "comparison"):
        del document[later]
    for later in ("words", "row_order"):
        del document["dataset"][later]
    old = RunSummary.from_json(json.dumps(document))
    assert (old.model_name, old.dataset.words.many, old.comparison) == ("purchase-model", "buyers", None)
    assert (old.settings.seed, old.settings.commit) == (None, None)


def test_the_run_that_pushed_a_version_is_found_among_broken_ones(tmp_path):
    summaries.write(tmp_path / "a", summaries.summary("a", pushed__version="17"))
    summaries.write(tmp_path / "b", summaries.summary("b", pushed=None))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "summary.json").write_text("{")
    found = of_version(tmp_path, "17")
    assert found is not None
    assert found.run_id == "a"
    assert of_version(tmp_path, "18") is None


def test_a_backtest_comes_back_from_json_as_it_was():
    metrics = summaries.metrics()
    span = SpanResult(1, 601, 900, {"static": 600}, 300, 0.2, metrics, summaries.metrics(auc=None), metrics)
    result = BacktestResult("a.csv", False, "bank-full", False, 42, 900, (span,), {"static": metrics}, metrics, "-")
    assert BacktestResult.from_json(result.to_json()) == result


@pytest.mark.parametrize("content", ["[]", "{}", '{"spans": []}'])
def test_other_documents_are_no_backtest(content):
    with pytest.raises(ValueError, match="backtest"):
        BacktestResult.from_json(content)
