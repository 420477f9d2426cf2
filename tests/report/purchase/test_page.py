"""The page says what the run produced, loads nothing, and exists whatever a run lacks.

Parts are selected by their `data-` attributes, never by their sentences.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import report
from analysis.figures import Interval
from analysis.metrics import gain
from report.gather import Records
from report.purchase.gather import PurchaseReport
from runs.backtest_result import MODELS, Decided
from runs.summary import Check
from tests.report.page import Page
from tests.report.report_run import ATTACK, metrics, not_blessed, whole, with_words
from tests.support import summaries
from tests.support.summaries import changed


@pytest.fixture
def data() -> PurchaseReport:
    return whole()


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Builds the page of some data."""

    def build(data: PurchaseReport, **money: float) -> Page:
        summaries.write(tmp_path, data.summary)
        monkeypatch.setattr("report.purchase.gather.gather", lambda *_: data)
        path = report.build(tmp_path, **money)
        assert path == tmp_path / "report.html"
        return Page(path.read_text(encoding="utf-8"))

    return build


def test_the_first_screen_is_written_as_markdown_too(build, data, tmp_path):
    page = build(data)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.startswith(f"# Run {data.summary.run_id}\n")
    assert page.part("overview", "headline") in " ".join(text.split())
    assert "| figure | what it is | compared |" in text


def test_the_headline_is_the_gain_on_test(build, data):
    reached = gain(*data.scores["test"], 0.2)
    headline = build(data).part("overview", "headline")
    assert "20 %" in headline
    assert f"{100 * reached:.0f} %" in headline
    assert f"{reached / 0.2:.1f} times" in headline


def test_tiles_hold_a_figure_and_one_to_compare_it_with(build, data):
    page = build(data)
    test = data.summary.metrics["test"]
    assert list(page.parts["tile"]) == ["profit", "lift", "auc", "lists-to-come", "accuracy"]
    assert page.part("tile", "auc").startswith(f"{test.auc:.3f}")
    assert page.part("tile", "lift").startswith(f"{test.lift_top_decile:.1f}")
    assert f"{100 * test.majority_accuracy:.1f} %" in page.part("tile", "accuracy")


def test_names_from_the_data_are_text_and_never_markup(build, data):
    page = build(data)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script" not in page.source
    assert page.text.count("<script>alert(1)</script>") >= 2


def test_tables_hold_the_figures_of_the_run(build, data):
    page = build(data)
    confusion = page.rows("confusion-at-half")
    test = data.summary.metrics["test"]
    assert confusion[0][1:3] == [f"{test.true_positives}", f"{test.false_positives}"]
    assert confusion[1][1:3] == [f"{test.false_negatives}", f"{test.true_negatives}"]
    network, other = page.rows("models")
    assert network[:2] == ["Dense network", f"{test.auc:.4f}"]
    assert other[:2] == ["Nearest neighbours", f"{data.summary.metrics['eval'].auc:.4f}"]
    assert [row[0] for row in page.rows("importance")] == ["job", "age"]
    assert [row[0] for row in page.rows("trials")] == ["0", "1"]
    assert [row[0] for row in page.rows("learning-accuracy")] == ["1", "2"]
    tenths = page.rows("tenths")
    assert len(tenths) == 10
    assert sum(float(row[2]) for row in tenths) == pytest.approx(data.scores["test"][0].sum(), abs=5)
    assert page.rows("gate") == [["AUC", f"{test.auc:.4f}", "0.7000", "passed"]]
    assert page.rows("artifacts") == [["Trainer.model", "22", "tfx/bank-full/Trainer/model/22"]]


def test_the_verdict_and_the_gate_name_the_months_of_the_trial(build, data):
    check = Check("newest_months_auc_gain_upper", -0.1, 0.0, False, "295 calls of 2010-10 to 2010-11")
    trial = summaries.trial(trial__auc_gain=Interval(-0.2, -0.1))
    refused = changed(data.summary, trial=trial, pushed=None, gate__blessed=False, gate__checks=(check,))
    page = build(replace(data, summary=refused))
    assert "On 2010-10 to 2010-11 the model ranks 295 held-out calls worse" in page.part("overview", "verdict")
    ((name, *cells),) = page.rows("gate")
    assert "2010-10 to 2010-11" in name
    assert cells == ["−0.1000", "0.0000", "failed"]
    assert "champion" not in build(data).part("overview", "verdict")


def test_a_page_speaks_of_positive_rows_as_the_label_does(build, data):
    page = build(with_words(data, "donor", "donors"))
    for word in ("buyer", "bought", "purchase", "buys"):
        assert word not in page.text.lower().replace("purchase-model", "")
    assert "donors" in page.part("overview", "headline")
    assert "per donor" in page.part("tile", "profit")
    assert "Donors" in page.tables["splits"][0]
    assert "buyers" in build(data).part("overview", "headline")


def test_groups_too_small_to_judge_are_counted_only(build, data):
    page = build(data)
    (young,) = page.rows("by-age")
    assert young[:4] == ["below 30", "200", "40", "20.0 %"]
    assert young[6] == "0.710"
    few, student = page.rows("by-job")
    assert few[:3] == [ATTACK, "12", "2"]
    assert few[6:] == ["–", "–"]
    assert student[6:] == ["–", "–"]


def test_a_shifted_column_is_named_and_listed_first(build, data):
    page = build(data)
    rows = page.rows("drift-eval")
    assert [row[0] for row in rows] == ["job", "age"]
    assert rows[0][-1] != rows[1][-1]
    assert "job" in page.part("figure", "drift-eval").split("PSI")[1]


def test_what_changed_since_the_last_blessed_run(build, data):
    page = build(data)
    assert page.rows("changed-settings") == [["width", "64", "48"]]
    auc = data.summary.metrics["test"].auc
    assert page.rows("changed-figures")[0] == ["AUC", f"{auc:.4f}", f"{auc:.4f}", "+0.0000"]
    assert "20251231-120000" in page.part("table", "changed-figures")
    assert not page.has("paragraph", "other-test-rows")
    other = changed(data.previous, settings__data_sha256="ef" * 32)
    assert build(replace(data, previous=other)).has("paragraph", "other-test-rows")
    same = changed(data.summary, run_id="20251231-120000")
    assert build(replace(data, previous=same)).has("paragraph", "same-settings")
    assert build(replace(data, previous=None)).has("paragraph", "no-previous")


def test_cost_and_margin_move_the_advice(build, data):
    cheap, dear = build(data, cost=1, margin=100), build(data, cost=90, margin=100)
    assert " 1 %" in cheap.part("paragraph", "price")
    assert " 90 %" in dear.part("paragraph", "price")
    assert cheap.rows("profit")[0] == dear.rows("profit")[0] == ["0 %", "€0", "€0"]
    assert cheap.has("paragraph", "advice-call")
    none_pays = build(data, cost=200, margin=100)
    assert none_pays.has("paragraph", "advice-call-nobody")
    assert not none_pays.has("paragraph", "advice-call")
    assert " 0 %" not in none_pays.part("tile", "profit")


def test_cost_and_margin_stay_those_of_the_run_unless_others_are_given(build, data):
    data = replace(data, summary=changed(data.summary, settings__cost=30.0, settings__margin=200.0))
    assert " 15 %" in build(data).part("paragraph", "price")
    assert " 5 %" in build(data, cost=10).part("paragraph", "price")


def test_a_choice_that_lost_on_test_is_no_advice(build, data):
    labels, probabilities = data.scores["test"]
    inverted = replace(data, scores={**data.scores, "test": (labels, 1 - probabilities)})
    page = build(inverted, cost=10, margin=100)
    assert page.has("paragraph", "advice-unreliable")
    assert not page.has("paragraph", "advice-call")
    assert not build(data, cost=10, margin=100).has("paragraph", "advice-unreliable")


def test_synthetic_data_is_said_before_anything_else(build, data):
    page = build(replace(data, summary=changed(data.summary, dataset__synthetic=True)))
    assert page.has("notice", "synthetic")
    assert page.text.index(page.part("notice", "synthetic")) < page.text.index(page.part("overview", "headline"))
    assert not build(data).has("notice", "synthetic")


def test_a_model_that_was_not_blessed_says_which_check_failed(build, data):
    page = build(not_blessed(data))
    verdict = page.part("overview", "verdict")
    assert verdict.startswith("Not blessed")
    assert "0.6123" in verdict
    assert "0.7" in verdict
    assert "nan" not in verdict
    assert [row[-1] for row in page.rows("gate")] == ["failed", "failed"]
    assert not build(data).part("overview", "verdict").startswith("Not")


def test_a_run_without_the_optional_parts_says_so(build, data):
    bare = replace(
        data,
        summary=replace(data.summary, comparison=None),
        records=Records(),
        previous=None,
        history=None,
        best_epoch=None,
        trials=[],
        importance=None,
        slices=[],
        backtest=None,
        model_run=None,
    )
    page = build(bare)
    for name in ("no-previous", "no-baselines", "no-trials", "no-importance", "no-slices", "no-backtest"):
        assert page.has("paragraph", name), name
    assert "python -m pipeline.backtest" in page.part("command", "backtest")
    assert not page.has("command", "tensorboard")
    everything = build(data)
    assert not any(name.startswith("no-") for name in everything.parts["paragraph"] if name != "no-anomalies")


def test_the_command_for_a_backtest_is_one_that_works(build, data):
    def page(**changes) -> Page:
        return build(replace(data, summary=changed(data.summary, **changes), backtest=None))

    assert "--data '/my calls/a.csv'" in page(dataset__source="/my calls/a.csv").part("command", "backtest")
    assert "--data" not in page(dataset__synthetic=True).part("command", "backtest")
    assert "--with-calendar" in page(settings__with_calendar=True).part("command", "backtest")
    assert "--with-after-call" in page(settings__with_duration=True).part("command", "backtest")
    assert "--contract loans.yaml" in page(dataset__contract="loans").part("command", "backtest")
    unordered = page(dataset__row_order="none")
    assert unordered.has("paragraph", "no-dates")
    assert not unordered.has("command", "backtest")
    assert not unordered.has("overview", "missing")


def test_quarantined_rows_are_listed_with_their_reasons(build, data, tmp_path):
    file = tmp_path / "quarantine.csv"
    file.write_text("file,line,reason\n" + "".join(f"a.csv,{n},<b>bad</b>\n" for n in range(2, 40)))
    rows = build(changed(data, records__quarantine=file)).rows("quarantine")
    assert len(rows) == 20
    assert rows[0] == ["a.csv", "2", "<b>bad</b>"]


def test_anomalies_are_listed(build, data):
    assert build(data).has("paragraph", "no-anomalies")
    page = build(changed(data, records__anomalies=["train: column 'job': <i>odd</i>"]))
    assert not page.has("paragraph", "no-anomalies")
    assert page.part("paragraph", "anomaly") == "train: column 'job': <i>odd</i>"


def test_what_to_expect_of_the_lists_to_come_stands_on_the_first_screen(build, data):
    page = build(data)
    worth = data.backtest.periods["confirm"].models["monthly"]
    tile = page.part("tile", "lists-to-come")
    for text in (f"{worth.within_month_auc:.3f}", "on 2009-08", "63 %", "0.653 to 0.690", "0.631"):
        assert text in tile
    assert "at random" in page.part("tile", "auc")
    caution = page.part("overview", "caution")
    assert f"{worth.within_month_auc:.2f} on 2009-08" in caution
    assert not page.has("overview", "missing")
    by_time = build(replace(data, summary=changed(data.summary, dataset__split="time")))
    assert by_time.has("tile", "lists-to-come")
    assert not by_time.has("overview", "caution")
    assert by_time.has("paragraph", "split-by-time")
    assert "on the newest customers" in by_time.part("tile", "auc")


def test_without_a_backtest_the_first_screen_has_the_command_that_makes_it(build, data):
    page = build(replace(data, backtest=None))
    assert not page.has("tile", "lists-to-come")
    assert page.has("overview", "missing")
    assert page.part("command", "measure-lists-to-come") == page.part("command", "backtest")
    assert not any(letter.isdigit() for letter in page.part("overview", "caution"))


def test_where_no_month_can_be_measured_there_is_no_figure_to_expect(build, data):
    unknown = replace(
        data.backtest.worth,
        within_month_auc=None,
        within_month_auc_interval=None,
        better_half_share=None,
        better_half_share_interval=None,
    )
    page = build(changed(data, backtest__periods__confirm__models__monthly=unknown))
    assert not page.has("tile", "lists-to-come")
    assert page.rows("period-confirm")[0][1:5] == ["–"] * 4
    assert not {"nan", "None"} & page.cells


def test_a_backtest_has_its_periods_beside_the_random_split(build, data):
    page = build(data)
    assert {"period-dev", "period-confirm"} <= page.tables.keys()
    assert "period-all" not in page.tables
    rows = page.rows("period-confirm")
    assert [row[0] for row in rows] == [*MODELS.values(), "network, random split"]
    assert rows[0][1:] == [
        *("0.674", "0.653 to 0.690", "62.6 %", "60.8 to 64.0 %"),
        *("0.685", "0.634", "0.032", "€1,234"),
    ]
    assert rows[-1][1] == "0.631"
    assert data.backtest.verdict in page.part("paragraph", "verdict")
    every = changed(data, backtest__periods={"all": data.backtest.periods["all"]})
    assert "2009-07 to 2009-08" in build(every).part("table", "period-all")


def test_the_size_of_the_list_is_explained_where_it_is_a_column(build, data):
    assert not build(data).has("paragraph", "list-size")
    assert build(changed(data, summary__features=("age", "calls_today"))).has("paragraph", "list-size")


def test_a_backtest_has_its_months_and_what_was_decided_before_them(build, data):
    page = build(data)
    first, second = page.rows("auc-by-month")
    assert first == ["2009-07", "500", "20.0 %", "0.600", "0.610", "0.620", "0.630", "0.640", "first model"]
    assert (second[0], second[-1]) == ("2009-08", "new model refused")
    assert (
        page.part("lines", "decisions")
        == "2009-08: the new model was refused: on 2009-07 its log loss is 0.5 against 0.4"
    )
    promoted = Decided("promoted", ("2009-07 finished",))
    without = changed(data, backtest__months=(replace(data.backtest.months[0], decisions=(promoted, promoted)),))
    assert not build(without).has("lines", "decisions")


def test_months_of_one_label_leave_gaps_in_the_backtest(build, data):
    first, *others = data.backtest.months
    unknown = replace(first, auc=dict.fromkeys(MODELS))
    page = build(changed(data, backtest__months=(unknown, *others)))
    assert page.rows("auc-by-month")[0][3:8] == ["–"] * 5
    assert not {"nan", "None"} & page.cells


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_test_split_of_one_label_has_a_page_without_curves(build, data, label):
    labels, probabilities = data.scores["test"]
    rows = (np.full_like(labels, label), probabilities)
    now = changed(
        data.summary,
        metrics__test=metrics(rows),
        comparison=tuple(replace(model, metrics=metrics(rows)) for model in data.summary.comparison),
    )
    page = build(replace(data, summary=now, scores={**data.scores, "test": rows}))
    assert not {"gain", "roc", "profit"} & page.parts["figure"].keys()
    assert list(page.parts["tile"]) == ["lists-to-come", "accuracy"]
    assert "calibration" in page.parts["figure"]
    assert not {"nan", "None"} & page.cells
