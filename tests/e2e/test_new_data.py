"""Data sets that no code has seen: a contract is all that each needs, from the file to the pushed model."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from data.model_folder import ModelFolder
from runs.summary import RunSummary
from tests.e2e.conftest import latest, run, summary

pytestmark = pytest.mark.e2e

CONTRACT = """\
name: bakery
title: Subscriptions to a bread delivery
source: {delimiter: ",", quoting: minimal}
row_order: none
identifiers: [customer_no]
numeric:
  visits: {unit: visits a year, min: 0, max: 400, integer: true, bands: [5, 20, 100]}
  last.basket: {unit: francs, min: 0, max: 500, blank: true}
  weekday: {unit: day, min: 1, max: 7, integer: true, one_hot: true}
categorical:
  town: {values: [Zürich, Genève, "Bern, Altstadt"]}
  size: {values: [small, medium, large], ordered: true, blank: true}
  season: {values: [spring, summer, autumn, winter], cyclic: true}
  thanked: {values: ["no", "yes"]}
label: {name: subscribed, positive: ja, negative: nein}
after_call: [thanked]
crosses: [[season, town]]
slices: [town, visits]
hyperparameters: {width: 16, depth: 1, epochs: 8, members: 2}
"""


def pushed(
    folder: Path, contract: str, header: Sequence[str], rows: Iterable[Sequence], *options: str
) -> tuple[Path, RunSummary]:
    """Runs the pipeline on rows and their contract; returns the artifacts folder and the summary of a pushed model."""
    (folder / "contract.yaml").write_text(contract, encoding="utf-8")
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    data, artifacts = ("--data", folder / "rows.csv", "--contract", folder / "contract.yaml"), folder / "artifacts"
    result = run(artifacts, *data, "--no-tune", *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (latest(artifacts) / "report.html").is_file()
    return artifacts, summary(artifacts)


def probability(outcome: RunSummary, **changes: float | str) -> float:
    """The pushed model's probability for its golden request, with some values changed."""
    import tensorflow as tf

    (instance,) = ModelFolder(Path(outcome.pushed.path)).golden_request().instances
    assert set(instance) == set(outcome.features)
    inputs = {
        name: tf.constant([value], tf.string if isinstance(value, str) else tf.float32)
        for name, value in {**instance, **changes}.items()
    }
    served = tf.saved_model.load(outcome.pushed.path).signatures["serving_default"]
    return float(served(**inputs)["probability"].numpy()[0])


def sigmoid(odds: np.ndarray | float) -> np.ndarray | float:
    return 1 / (1 + np.exp(-odds))


@pytest.fixture(scope="module")
def bakery(tmp_path_factory):
    """A run on 3,000 customers of a bakery."""
    generator = np.random.default_rng(5)
    header = ("subscribed", "town", "visits", "last.basket", "customer_no", "weekday", "size", "season", "thanked")
    rows = []
    for number in range(3_000):
        visits, town = int(generator.integers(0, 300)), generator.choice(["Zürich", "Genève", "Bern, Altstadt"])
        bought = generator.random() < sigmoid(visits / 40 - 5 + 2 * (town == "Zürich"))
        basket = "" if number % 9 == 0 else f"{generator.uniform(1, 90):.2f}"
        size = generator.choice(["small", "medium", "large", ""])
        season = generator.choice(["spring", "summer", "autumn", "winter"])
        answer, thanked = ("ja", "yes") if bought else ("nein", "no")
        rows.append((answer, town, visits, basket, number, number % 7 + 1, size, season, thanked))
    return pushed(tmp_path_factory.mktemp("bakery"), CONTRACT, header, rows)


def test_a_new_contract_is_all_that_a_new_data_set_needs(bakery):
    _, outcome = bakery
    assert outcome.dataset.contract == "bakery"
    assert outcome.dataset.rows == 3_000
    assert outcome.features == ("visits", "last.basket", "weekday", "town", "size", "season")
    assert outcome.metrics["test"].auc > 0.8


def test_its_model_answers_raw_customers(bakery):
    _, outcome = bakery
    likely = probability(outcome, town="Zürich", visits=290)
    unlikely = probability(outcome, town="Genève", visits=10)
    assert likely > 0.8 > 0.2 > unlikely


def test_its_report_shows_groups_by_their_names_and_bands_in_their_order(bakery):
    artifacts, _ = bakery
    page = (latest(artifacts) / "report.html").read_text(encoding="utf-8")
    assert all(town in page for town in ("Zürich", "Genève", "Bern, Altstadt"))
    bands = [page.rindex(band) for band in ("below 5", "5 to below 20", "20 to below 100", "100 and above")]
    assert bands == sorted(bands)
    assert 'data-paragraph="no-dates"' in page


def test_no_category(tmp_path):
    contract = """\
name: wine
title: Measurements of wine
numeric:
  acidity: {unit: grams, min: 3, max: 16}
  sugar: {unit: grams, min: 0, max: 70, blank: true}
  bottles: {unit: bottles, min: 0, max: 99, integer: true, missing: -1}
label: {name: good, positive: 1, negative: 0, one: good wine, many: good wines}
hyperparameters: {width: 8, depth: 1, epochs: 8, members: 1, batch_size: 64, learning_rate: 0.01}
"""
    random = np.random.default_rng(1)
    acidity, sugar = random.uniform(4, 15, 1_500), random.gamma(2, 4, 1_500)
    good = random.random(1_500) < sigmoid(3 * (acidity - 10))
    rows = [
        (f"{acidity[i]:.3f}", "" if i % 7 == 0 else f"{sugar[i]:.2f}", i % 100 - 1, int(good[i])) for i in range(1_500)
    ]
    _, outcome = pushed(tmp_path, contract, ("acidity", "sugar", "bottles", "good"), rows, "--no-benchmark")
    assert outcome.features == ("acidity", "sugar", "bottles")
    assert outcome.metrics["test"].auc > 0.85
    assert probability(outcome, acidity=15.0) > 0.6 > 0.3 > probability(outcome, acidity=5.0)


def test_no_missing_number(tmp_path):
    """Ten numbers and seven categories, as in a public data set of web sessions; no cell may be blank."""
    counts = ("administrative", "informational", "product_related")
    numbers = [*counts, *(f"{name}_duration" for name in counts), "bounce", "exit", "page_value", "special_day"]
    categories = {
        "month": ["Feb", "Mar", "May", "June", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
        "system": ["1", "2", "3", "4"],
        "browser": ["1", "2", "10"],
        "region": ["1", "2", "3"],
        "traffic": ["1", "2", "20"],
        "visitor": ["New_Visitor", "Other", "Returning_Visitor"],
        "weekend": ["FALSE", "TRUE"],
    }
    contract = "\n".join(
        [
            "name: sessions",
            "title: Sessions of a web shop",
            "numeric:",
            *(f"  {name}: {{unit: units, min: 0, max: 1000}}" for name in numbers),
            "categorical:",
            *(f"  {name}: {{values: [{', '.join(values)}]}}" for name, values in categories.items()),
            "label: {name: revenue, positive: TRUE, negative: FALSE}",
            "hyperparameters: {width: 8, depth: 1, epochs: 8, members: 1, batch_size: 64, learning_rate: 0.01}",
        ]
    )
    random = np.random.default_rng(2)
    values = random.gamma(1, 50, (1_500, len(numbers))).clip(0, 1000).round(2)
    page_value = values[:, numbers.index("page_value")]
    bought = random.random(1_500) < sigmoid((page_value - 60) / 10)
    rows = [
        (*values[i], *(random.choice(choices) for choices in categories.values()), str(bool(bought[i])).upper())
        for i in range(1_500)
    ]
    _, outcome = pushed(tmp_path, contract, (*numbers, *categories, "revenue"), rows, "--no-benchmark")
    assert outcome.features == (*numbers, *categories)
    assert outcome.metrics["test"].auc > 0.8
    assert probability(outcome, page_value=300.0) > 0.6 > 0.3 > probability(outcome, page_value=1.0)


def test_one_feature(tmp_path):
    contract = """\
name: scores
title: One score for each customer
numeric:
  score: {unit: points, min: 0, max: 1}
label: {name: bought, positive: "yes", negative: "no"}
hyperparameters: {width: 8, depth: 1, epochs: 8, members: 1, batch_size: 64, learning_rate: 0.01}
"""
    random = np.random.default_rng(3)
    scores = random.random(1_500)
    bought = random.random(1_500) < sigmoid(12 * (scores - 0.5))
    rows = [(f"{score:.4f}", "yes" if positive else "no") for score, positive in zip(scores, bought, strict=True)]
    _, outcome = pushed(tmp_path, contract, ("score", "bought"), rows, "--no-benchmark")
    assert outcome.features == ("score",)
    assert outcome.metrics["test"].auc > 0.85
    assert probability(outcome, score=1.0) > 0.6 > 0.3 > probability(outcome, score=0.0)
