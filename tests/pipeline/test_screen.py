"""What the terminal shows at the end of a run."""

import io

import pytest

from modules.purchase import baselines
from pipeline.screen import Screen
from runs.summary import Check, SegmentShare, Split, Stage
from tests.support import summaries
from tests.support.summaries import changed


@pytest.fixture
def summary():
    """A run on millions of rows."""
    models = [
        summaries.compared(key, name, auc=0.825)
        for key, name in [("network", "Dense network"), *baselines.MODELS.items()]
    ]
    return summaries.summary(
        dataset__read=45_211_012,
        dataset__rows=45_211_000,
        dataset__quarantined=12,
        splits={
            "train": Split(31_576_000, 0.1245),
            "eval": Split(6_849_000, 0.1245),
            "test": Split(6_786_000, 0.1245),
        },
        comparison=tuple(changed(model, train_seconds=2345.6, score_microseconds=12345.6) for model in models),
        gate__checks=(
            Check("accuracy_against_last_blessed", 0.0143, -0.004, True),
            Check("auc", 0.6512, 0.7, False),
            Check("served_as_evaluated", True, True, True),
        ),
    )


@pytest.fixture
def segments():
    return summaries.segment_summary()


@pytest.fixture
def shown(monkeypatch):
    # Wider than any terminal the tables are made for, so that nothing is cut to fit.
    monkeypatch.setenv("COLUMNS", "200")

    def shown(summary) -> list[str]:
        stream = io.StringIO()
        Screen(stream).summary(summary)
        return stream.getvalue().splitlines()

    return shown


def line_of(lines: list[str], first: str) -> str:
    """The line that starts with a word, its columns parted by one space."""
    return next(" ".join(line.split()) for line in lines if line.split()[:1] == [first])


def test_accuracy_stands_beside_that_of_the_majority(summary, shown):
    lines = shown(summary)
    assert line_of(lines, "test") == "test 6,786,000 12.4% 0.8895 0.8755 0.8276 0.2829 0.0147 4.52"
    assert "45,211,000 rows kept of 45,211,012 read, 12 quarantined" in "\n".join(lines)


def test_only_the_synthetic_sample_is_called_synthetic(summary, shown):
    assert "synthetic" not in "\n".join(shown(summary))
    assert "synthetic" in "\n".join(shown(changed(summary, dataset__synthetic=True)))


def test_positive_rows_are_called_as_the_label_says(summary, shown):
    assert line_of(shown(summary), "split").startswith("split rows buyers ")
    donors = changed(summary, dataset__words__one="donor", dataset__words__many="donors")
    assert line_of(shown(donors), "split").startswith("split rows donors ")
    assert "buyer" not in "\n".join(shown(donors))


def test_a_failed_bound_is_named_with_its_value(summary, shown):
    lines = shown(summary)
    assert line_of(lines, "auc") == "auc 0.6512 >= 0.7000 failed"
    assert line_of(lines, "served_as_evaluated").endswith("passed")


def test_figures_that_a_split_of_one_label_does_not_have_are_dashes(summary, shown):
    summary = changed(summary, metrics__eval__auc=None, metrics__eval__lift_top_decile=None)
    assert line_of(shown(summary), "eval") == "eval 6,849,000 12.4% 0.8895 0.8755 - 0.2829 0.0147 -"


def test_the_baselines_stand_beside_the_network(summary, shown):
    lines = shown(summary)
    assert line_of(lines, "Dense") == "Dense network 0.8250 0.2829 0.3638 0.4993 4.52 2345.6 12346"
    assert line_of(lines, "Logistic").startswith("Logistic regression 0.8250")
    assert not any("Logistic" in line for line in shown(changed(summary, comparison=None)))


def test_tables_of_millions_of_rows_fit_eighty_columns(summary, segments, shown):
    tables = [line for run in (summary, segments) for line in shown(run) if "rows kept" not in line]
    assert max(map(len, tables)) <= 80


def test_each_segment_has_its_share_of_each_split(segments, shown):
    lines = shown(segments)
    assert "view demography: 3 segments by K-Means on principal components" in lines
    assert line_of(lines, "segment") == "segment train eval test"
    assert line_of(lines, "over") == "over 53, no children 25.1% 25.0% 25.3%"
    assert line_of(lines, "rows") == "rows 17,973 3,851 3,852"


def test_a_silhouette_stands_beside_its_space_and_its_null_reference(segments, shown):
    own, full = (" ".join(line.split()) for line in shown(segments) if line.strip().startswith("sample of train"))
    assert own == "sample of train, principal components 0.4795 0.4907 0.3514 0.9312"
    assert full == "sample of train, all columns 0.4302 0.4411 - -"
    assert line_of(shown(segments), "test,") == "test, principal components 0.4712 0.4821 - -"


def test_the_gate_of_a_segment_run_is_shown_as_that_of_the_other(segments, shown):
    refused = changed(segments, gate__checks=(Check("stability", 0.61, 0.8, False),), gate__blessed=False)
    assert line_of(shown(refused), "stability") == "stability 0.6100 >= 0.8000 failed"


def test_a_trial_against_the_champion_is_told_with_its_months(summary, shown):
    check = Check("newest_months_log_loss_gain_upper", 0.02, 0.0, True, "295 calls of 2010-10 to 2010-11")
    lines = shown(changed(summary, trial=summaries.trial(), gate__checks=(check,)))
    assert line_of(lines, check.metric) == "newest_months_log_loss_gain_upper 0.0200 >= 0.0000 passed"
    assert "On 2010-10 to 2010-11 the model ranks 295 held-out calls as well as the champion" in "\n".join(lines)
    assert not any("champion" in line for line in shown(summary))


def test_agreement_is_shown_from_the_second_model_on(segments, shown):
    assert "Rand" not in "\n".join(shown(segments))
    assert "on test: 0.9700" in "\n".join(shown(changed(segments, agreement=0.97)))


def test_rows_that_a_later_row_replaced_are_counted(segments, shown):
    assert "superseded" not in "\n".join(shown(segments))
    assert "28,129 read, 0 quarantined, 2,453 superseded" in "\n".join(
        shown(changed(segments, dataset__superseded=2_453))
    )


def test_a_segment_may_have_brackets_in_its_name(segments, shown):
    named = changed(segments, segments=(SegmentShare("[red] owners", {"train": 1.0}),))
    assert line_of(shown(named), "[red]") == "[red] owners 100.0% - -"


def test_a_component_that_came_from_the_cache_is_marked():
    stream = io.StringIO()
    stages = [Stage("Transform", 3.25, cached=False), Stage("Trainer", 0.01, cached=True)]
    events = ["Transform", stages[0], "Trainer", stages[1]]
    assert Screen(stream).progress(events) == stages
    first, second = stream.getvalue().splitlines()
    assert "Transform" in first
    assert "3.2 s" in first
    assert "cached" not in first
    assert "cached" in second


def test_names_in_brackets_are_text_and_no_markup():
    stream = io.StringIO()
    Screen(stream).say("column [bold] of calls[1].csv")
    assert stream.getvalue() == "column [bold] of calls[1].csv\n"
