"""The comparison's splits, its stored results and its tables."""

import itertools
import pkgutil

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.quality import AS_IT_IS, Case, Results
from data import contract as contracts

CONTRACT = contracts.load("bank-full")
FIGURES = {"auc": 0.8, "log_loss": 0.3, "ece": 0.01, "f1": 0.4, "f1_at_threshold": 0.5}
MORE = {"cpu_seconds": 2.0, "perfect_ece": 0.005}


@pytest.fixture
def customers():
    """A hundred rows whose one feature says which they are and what their label is."""
    return {"row": np.arange(100.0), "y": (np.arange(100) % 4 == 0).astype(np.int64)}


def _case(seed=0, split="random"):
    return Case("bank-full", False, False, split, seed)


def test_five_seeds_test_each_row_once_with_equal_shares_of_positive_rows(customers):
    drawn = [quality.parts(_case(seed), customers["y"]) for seed in range(5)]
    for parts in drawn:
        assert [len(rows) for rows in parts] == [65, 15, 20]
        assert sorted(np.concatenate(parts)) == list(range(100))
        assert [customers["y"][rows].sum() for rows in parts] == [16, 4, 5]
    assert sorted(np.concatenate([test for *_, test in drawn])) == list(range(100))


def test_a_seed_always_draws_the_same_and_the_sixth_draws_other_folds(customers):
    first, again, sixth = (quality.parts(_case(seed), customers["y"]) for seed in (0, 0, 5))
    assert all(np.array_equal(left, right) for left, right in zip(first, again, strict=True))
    assert not np.array_equal(first[2], sixth[2])


def test_by_time_the_past_trains_and_the_last_rows_test(customers):
    train, evaluation, test = quality.parts(_case(3, "time"), customers["y"])
    assert [len(train), len(evaluation), len(test)] == [70, 15, 15]
    assert np.array_equal(np.concatenate([train, evaluation, test]), np.arange(100))


def test_only_files_in_order_of_date_are_split_by_time():
    assert {case.split for case in quality.cases(CONTRACT, 2, quality.SPLITS)} == {"random", "time"}
    unordered = contracts.load("hackerearth").model_copy(update={"row_order": "none"})
    cases = list(quality.cases(unordered, 2, quality.SPLITS))
    assert [(case.split, case.with_after_call, case.seed) for case in cases] == [
        ("random", False, 0),
        ("random", False, 1),
        ("random", True, 0),
        ("random", True, 1),
    ]


def test_a_data_set_that_says_when_the_call_was_is_measured_with_these_columns_too(tmp_path):
    cases = set(quality.cases(CONTRACT, 1, ["random"]))
    assert {(case.with_after_call, case.with_calendar) for case in cases} == {
        *itertools.product((False, True), repeat=2)
    }
    results = Results(tmp_path / "results.json")
    for case in cases:
        results.add(case, "network", {**FIGURES, **MORE})
    table = quality.comparison_tables(results, {"network": "Network"})
    assert "### bank-full, without duration, with calendar, random split, 1 seeds" in table


def test_figures_are_of_the_test_rows_and_the_threshold_of_the_eval_rows(customers):
    def fit(train, evaluation):
        known = {*train["row"], *evaluation["row"]}

        def score(columns):
            # Perfect where it has been, and on the test rows always the same.
            seen = np.isin(columns["row"], list(known))
            return np.where(seen, 0.25 + 0.5 * columns["y"], 0.6)

        return score

    figures = quality.measure(fit, customers, CONTRACT, _case())
    assert figures["auc"] == 0.5
    assert figures["true_positives"] + figures["false_positives"] == 20
    assert figures["f1"] == figures["f1_at_threshold"]


def test_the_ece_of_a_perfect_forecast_falls_with_the_rows():
    few, many = (quality.perfect_ece(np.random.default_rng(0).uniform(0, 0.3, rows), seed=0) for rows in (200, 20_000))
    assert 0.0 < many < few < 0.2


def test_results_outlive_the_process(tmp_path):
    path = tmp_path / "below" / "results.json"
    Results(path).add(_case(), "network", FIGURES)
    again = Results(path)
    assert again.figures == {(_case(), "network"): FIGURES}
    again.add(_case(1), "network", FIGURES)
    assert len(Results(path).figures) == 2


def test_figures_of_cases_that_said_less_are_measured_again(tmp_path):
    path = tmp_path / "results.json"
    Results(path).add(_case(), "network", FIGURES)
    path.write_text(path.read_text().replace('"with_calendar": false,', ""))
    assert Results(path).figures == {}


def test_the_comparison_shows_mean_and_deviation_in_the_order_of_the_models(tmp_path):
    results = Results(tmp_path / "results.json")
    for seed, auc in ((0, 0.79), (1, 0.81)):
        results.add(_case(seed), "knn", {**FIGURES, **MORE})
        results.add(_case(seed), "network", {**FIGURES, **MORE, "auc": auc})
    table = quality.comparison_tables(results, {"network": "Network", "knn": "Nearest neighbours"})
    assert "### bank-full, without duration, random split, 2 seeds" in table
    rows = [line for line in table.splitlines() if line.startswith(("| Network", "| Nearest"))]
    assert rows[0].startswith("| Network | 0.8000 ± 0.0141 | 0.3000 ± 0.0000 |")
    assert rows[1].startswith("| Nearest neighbours | 0.8000 ± 0.0000 |")
    assert "0.0050" in table


def test_the_summary_holds_the_network_against_the_best_of_the_others(tmp_path):
    results = Results(tmp_path / "results.json")
    for seed, auc in ((0, 0.79), (1, 0.81)):
        results.add(_case(seed), "network", {**FIGURES, **MORE, "auc": auc})
        results.add(_case(seed), "strong", {**FIGURES, **MORE, "auc": auc + 0.01, "log_loss": 0.4})
        results.add(_case(seed), "weak", {**FIGURES, **MORE, "auc": auc - 0.01, "log_loss": 0.25})
    row = quality.summary_table(results, {"strong": "Strong", "weak": "Weak"}).splitlines()[2]
    assert row == (
        "| bank-full, without duration, random | 0.8000 | 0.8100 Strong | -0.0100 ± 0.0000 | 0.3000 | 0.2500 Weak "
        "| +20.0% | 0.0100 | 0.0050 |"
    )


def test_an_ablation_shows_differences_seed_by_seed(tmp_path):
    results = Results(tmp_path / "results.json")
    for seed, auc in ((0, 0.79), (1, 0.81)):
        results.add(_case(seed), AS_IT_IS, {**FIGURES, **MORE, "auc": auc})
        results.add(_case(seed), "one member", {**FIGURES, **MORE, "auc": auc - 0.01})
    table = quality.ablation_tables(results)
    assert f"| {AS_IT_IS} | 0.8000 ± 0.0141 |" in table
    assert "| one member | -0.0100 ± 0.0000 | +0.0000 ± 0.0000 |" in table


@pytest.mark.parametrize(
    "name", [path.stem for path in sorted(contracts.CONTRACTS.glob("*.yaml")) if contracts.load(path).label]
)
def test_every_change_changes_something_and_leaves_a_valid_contract(name):
    contract = contracts.load(name)
    for label, change in quality.changes(contract).items():
        type(contract).model_validate(change.contract.model_dump())
        assert all(pkgutil.resolve_name(target) is not None for target in change.patches)
        differs = change.contract != contract or change.hyperparameters or change.patches
        assert bool(differs) == (label != AS_IT_IS)
