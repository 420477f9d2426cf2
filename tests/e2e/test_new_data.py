"""A data set that no code has ever seen: its contract is all it takes, from the file to the served model."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from data.model_folder import ModelFolder
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


@pytest.fixture(scope="module")
def bakery(tmp_path_factory):
    """A run on 3,000 customers of a bakery."""
    folder = tmp_path_factory.mktemp("bakery")
    (folder / "bakery.yaml").write_text(CONTRACT, encoding="utf-8")
    generator = np.random.default_rng(5)
    with (folder / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        columns = ("subscribed", "town", "visits", "last.basket", "customer_no", "weekday", "size", "season", "thanked")
        writer.writerow(columns)
        for number in range(3_000):
            visits, town = int(generator.integers(0, 300)), generator.choice(["Zürich", "Genève", "Bern, Altstadt"])
            odds = visits / 40 - 5 + 2 * (town == "Zürich")
            bought = generator.random() < 1 / (1 + np.exp(-odds))
            basket = "" if number % 9 == 0 else f"{generator.uniform(1, 90):.2f}"
            size = generator.choice(["small", "medium", "large", ""])
            season = generator.choice(["spring", "summer", "autumn", "winter"])
            answer, thanked = ("ja", "yes") if bought else ("nein", "no")
            writer.writerow((answer, town, visits, basket, number, number % 7 + 1, size, season, thanked))
    result = run(
        folder / "artifacts", "--data", folder / "calls.csv", "--contract", folder / "bakery.yaml", "--no-tune"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "artifacts", summary(folder / "artifacts")


def test_a_new_contract_is_all_that_a_new_data_set_needs(bakery):
    _, found = bakery
    assert found["dataset"]["contract"] == "bakery"
    assert found["dataset"]["rows"] == 3_000
    assert found["features"] == ["visits", "last.basket", "weekday", "town", "size", "season"]
    assert found["metrics"]["test"]["auc"] > 0.8


def test_its_model_answers_raw_customers(bakery):
    import tensorflow as tf

    _, found = bakery
    served = tf.saved_model.load(found["pushed"]["path"]).signatures["serving_default"]
    (instance,) = ModelFolder(Path(found["pushed"]["path"])).golden_request().instances
    assert set(instance) == set(found["features"])

    def probability(**changes):
        row = {**instance, **changes}
        inputs = {
            name: tf.constant([value], tf.string if isinstance(value, str) else tf.float32)
            for name, value in row.items()
        }
        return served(**inputs)["probability"].numpy()[0]

    assert probability(town="Zürich", visits=290) > 0.8 > 0.2 > probability(town="Genève", visits=10)


def test_its_report_shows_groups_by_their_names_and_bands_in_their_order(bakery):
    artifacts, _ = bakery
    page = (latest(artifacts) / "report.html").read_text(encoding="utf-8")
    assert all(town in page for town in ("Zürich", "Genève", "Bern, Altstadt"))
    bands = [page.rindex(band) for band in ("below 5", "5 to below 20", "20 to below 100", "100 and above")]
    assert bands == sorted(bands)
    assert "in no order of dates" in page
