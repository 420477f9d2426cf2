"""Summaries of runs and results of backtests come back from JSON as they were."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import NotReadyError
from runs.backtest_result import BacktestResult
from runs.summary import PurchaseSummary, RunSummary, SegmentSummary, of_version, read
from tests.support import summaries


@pytest.mark.parametrize(
    "summary",
    [
        summaries.summary(dataset__words__one="donor", dataset__words__many="donors", metrics__eval__auc=None),
        summaries.summary(comparison=None, pushed=None, gate__blessed=False, dataset__distinct=45_000),
        summaries.summary(trial=summaries.trial()),
        summaries.summary(trial=summaries.trial(trial=None, reason="there is none yet")),
        summaries.segment_summary(agreement=0.97),
        summaries.segment_summary(pushed=None, chosen__refusals=("unstable", "no better than the null reference")),
    ],
)
def test_a_summary_comes_back_from_json_as_it_was(summary):
    assert RunSummary.from_json(summary.to_json()) == summary


def test_a_figure_that_gower_distances_do_not_have_comes_back_as_nan():
    summary = summaries.segment_summary(chosen=summaries.figures(davies_bouldin=math.nan))
    back = RunSummary.from_json(summary.to_json())
    assert isinstance(back, SegmentSummary)
    assert math.isnan(back.chosen.davies_bouldin)


def test_a_summary_of_an_earlier_version_lacks_some_fields():
    document = json.loads(summaries.summary().to_json())
    for later in ("schema", "model_name", "settings", "comparison"):
        del document[later]
    for later in ("words", "row_order"):
        del document["dataset"][later]
    old = RunSummary.from_json(json.dumps(document))
    assert isinstance(old, PurchaseSummary)
    assert (old.model_name, old.dataset.words.many, old.comparison) == ("purchase-model", "buyers", None)
    assert (old.settings.seed, old.settings.commit) == (None, None)


def test_a_field_that_was_added_later_has_its_default_in_a_segment_run_too():
    document = json.loads(summaries.segment_summary().to_json())
    for later in ("schema", "model_name"):
        del document[later]
    for later in ("words", "row_order", "distinct"):
        del document["dataset"][later]
    del document["chosen"]["refusals"], document["settings"]["commit"]
    old = RunSummary.from_json(json.dumps(document))
    assert isinstance(old, SegmentSummary)
    assert (old.model_name, old.dataset.distinct, old.settings.commit) == ("segment-model", None, None)
    assert old.chosen.acceptable


_JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
_KINDS = (summaries.summary, summaries.segment_summary)


@pytest.mark.parametrize("summary", _KINDS)
@settings(deadline=None)
@given(data=st.data(), value=_JSON)
def test_a_document_with_another_value_is_refused_or_read(summary, data, value):
    document = json.loads(summary().to_json())
    document[data.draw(st.sampled_from(sorted(document)))] = value
    with contextlib.suppress(ValueError):
        assert isinstance(RunSummary.from_json(json.dumps(document)), RunSummary)


@pytest.mark.parametrize("summary", _KINDS)
def test_a_document_without_a_part_is_refused(summary, tmp_path):
    whole = json.loads(summary().to_json())
    missing = dataclasses.MISSING
    needed = [f.name for f in dataclasses.fields(summary()) if f.default is missing and f.default_factory is missing]
    assert len(needed) > 9
    for part in needed:
        file = tmp_path / "summary.json"
        file.write_text(json.dumps({name: value for name, value in whole.items() if name != part}))
        with pytest.raises(NotReadyError, match="not the summary of a run"):
            read(tmp_path)


@pytest.mark.parametrize("summary", _KINDS)
def test_the_run_that_pushed_a_version_is_found_among_broken_ones(summary, tmp_path):
    summaries.write(tmp_path / "a", summary("a", pushed__version="17"))
    summaries.write(tmp_path / "b", summary("b", pushed=None))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "summary.json").write_text("{")
    found = of_version(tmp_path, "17")
    assert found is not None
    assert found.run_id == "a"
    assert of_version(tmp_path, "18") is None


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"spans": []}', '{"spans": [], "contract": "bank-full", "schema": 2}']
)
def test_other_documents_are_no_backtest(content):
    with pytest.raises(ValueError, match="backtest"):
        BacktestResult.from_json(content)


def test_a_backtest_of_an_earlier_layout_says_what_to_do():
    with pytest.raises(ValueError, match=r"a backtest of layout 1, .* make it again with python -m pipeline\.backtest"):
        BacktestResult.from_json('{"contract": "bank-full", "spans": [], "mean": {}}')
