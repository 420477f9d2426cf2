"""The search: what it measures, finds and refuses."""

import dataclasses
import json
import re
import warnings

import numpy as np
import pytest

from analysis.segmentation import METHODS, Candidate, SearchResult
from data.contract import Contract
from data.contract_columns import Published
from data.errors import BadFileError
from modules.segments import autoencoder, rule
from modules.segments.published import Repetition
from modules.segments.search import search
from tests.modules.segments.customers import encode, kinds

pytestmark = pytest.mark.filterwarnings("ignore:.*Python version:FutureWarning")


def _candidates(representations=("columns", "pca"), clusters=range(2, 6)):
    return [
        Candidate(method, representation, number)
        for method in METHODS
        for representation in representations
        for number in clusters
    ]


def _contract(*numbers, **rules):
    rules = {"unit": "years", "min": -1000, "max": 1000, **rules}
    return Contract.model_validate(
        {
            "name": "kinds",
            "title": "Kinds of customers",
            "numeric": dict.fromkeys(numbers, rules),
            "categorical": {"other": {"values": ["a"]}},
        }
    )


def _search(rows, candidates=None, published=(), seed=0):
    return search("kinds", rows, candidates or _candidates(), seed, published, lambda line: None)


@pytest.fixture(scope="module")
def rows():
    return encode(*kinds(700)[:2])


@pytest.fixture(scope="module")
def outcome(rows):
    raw, by_one = {"column0": kinds(700)[0][:, 0]}, encode(kinds(700)[0][:, :1])
    published = [
        Repetition(Published(title="three kinds", clusters=3, silhouette=0.5), rows, {}, _contract()),
        Repetition(Published(title="five kinds", clusters=5), rows, {}, _contract()),
        Repetition(
            Published(title="by one column", columns=("column0",), clusters=2), by_one, raw, _contract("column0")
        ),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder, "EPOCHS", 5)
        return _search(rows, _candidates(("columns", "pca", "autoencoder")), published)


def test_the_right_number_of_kinds_is_found(outcome):
    best = outcome.result.best
    assert best.candidate.clusters == 3
    assert best.acceptable
    assert best.stability > 0.95
    assert best.macro_silhouette > best.null_silhouette + 0.2
    assert best.smallest == pytest.approx(0.2, abs=0.05)
    assert best.largest == pytest.approx(0.5, abs=0.05)
    assert best.gap > 3 * best.gap_error


def test_every_candidate_is_measured_in_the_order_given(outcome):
    result = outcome.result
    assert [figures.candidate for figures in result.figures] == _candidates(("columns", "pca", "autoencoder"))
    assert result.chosen == rule.choose(result.figures).candidate
    for figures in result.figures:
        assert figures.refusals == rule.refusals(figures)
        assert -1 <= figures.macro_silhouette <= 1
        gower = (figures.candidate.method, figures.candidate.representation) == ("kmedoids", "columns")
        assert np.isnan(figures.davies_bouldin) == np.isnan(figures.calinski_harabasz) == gower
        if (figures.candidate.method, figures.candidate.representation) == ("kmeans", "columns"):
            assert figures.full_macro_silhouette == pytest.approx(figures.macro_silhouette)


def test_the_elbow_lies_at_the_kinds(outcome):
    knees = {(knee.method, knee.representation): knee.clusters for knee in outcome.result.knees}
    assert len(knees) == 6
    assert knees["kmeans", "columns"] == 3


def test_the_representations_that_were_searched_come_with_the_result(outcome, rows):
    assert set(outcome.representations) == {"columns", "pca", "autoencoder"}
    result = outcome.result
    assert outcome.representations["pca"].encode(rows.features).shape == (700, result.components)
    assert sum(result.explained_variance) == pytest.approx(1)
    assert outcome.representations["autoencoder"].encode(rows.features).shape == (700, result.autoencoder.code)
    assert list(result.autoencoder.errors) == list(rows.columns)
    assert -1 <= result.autoencoder.seed_agreement <= 1


def test_published_segmentations_are_repeated(outcome):
    results = outcome.result.published
    assert [(each.title, each.representation) for each in results] == [
        ("three kinds", "columns"),
        ("three kinds", "pca"),
        ("three kinds", "autoencoder"),
        ("five kinds", "columns"),
        ("five kinds", "pca"),
        ("five kinds", "autoencoder"),
        ("by one column", "columns"),
    ]
    three, one = results[0], results[-1]
    assert three.published_silhouette == 0.5
    assert three.stability > 0.95
    assert three.silhouette > three.null_silhouette + 0.2
    assert three.full_silhouette == pytest.approx(three.silhouette)
    assert three.shares == pytest.approx((0.5, 0.3, 0.2), abs=0.05)
    assert one.columns == ("column0",)
    assert one.silhouette > one.full_silhouette
    # The first number of two kinds is normal around 0, that of the third around 6.
    ends = [re.fullmatch(r"column0 (-?[\d.]+) to (-?[\d.]+) years", text).groups() for text in one.ranges]
    np.testing.assert_allclose(np.array(ends, float), [[-1.64, 1.64], [6 - 1.64, 6 + 1.64]], atol=0.5)
    assert three.ranges == ("", "", ""), "the contract knows no numbers of it"


def test_ranges_are_told_with_units_and_without_missing_values():
    """Two ages apart, one gap that is mostly the marker for no value, and a column that nobody has."""
    ages = np.repeat([20.0, 21.0, 40.0, 70.0], [2, 98, 3, 97]).astype(np.float32)
    gaps = np.where(np.arange(200) % 4, -1, np.arange(200) // 100).astype(np.float32)
    raw = {"AGES_OF": ages, "gap": gaps, "none": np.full(200, np.nan, np.float32)}
    contract = _contract(*raw, integer=True, missing=-1)
    encoded = dataclasses.replace(encode(ages[:, np.newaxis]), columns=("AGES_OF",))
    published = Published(title="by age", columns=(*raw,), clusters=2)
    repetition = Repetition(published, encoded, raw, contract)
    (by_age,) = _search(encode(*kinds(200)[:2]), _candidates(["columns"], [2]), [repetition]).result.published
    assert sorted(by_age.ranges) == ["ages of 21 years; gap 0 years", "ages of 70 years; gap 1 year"]


def test_the_result_can_be_written_and_read(outcome):
    again = SearchResult.from_dict(json.loads(outcome.result.to_json()))
    assert again.best.candidate == outcome.result.chosen
    assert again.stability_matrix == outcome.result.stability_matrix
    assert len(again.stability_matrix) == 10


def test_a_seed_gives_the_same_result(rows):
    candidates = _candidates(clusters=[2, 3])
    assert _search(rows, candidates).result.to_json() == _search(rows, candidates).result.to_json()


def _normal(generator):
    return encode(generator.normal(size=(800, 5)))


def _uniform(generator):
    return encode(generator.uniform(size=(800, 5)))


def _lognormal(generator):
    return encode(np.exp(generator.normal(size=(800, 5))))


def _categories(generator):
    return encode(np.empty((800, 0)), np.stack([generator.integers(0, n, 800) for n in (2, 2, 3, 4, 6)], axis=1))


def _mixed(generator):
    return encode(generator.normal(size=(800, 3)), generator.integers(0, 3, (800, 3)))


@pytest.mark.parametrize("noise", [_normal, _uniform, _lognormal, _categories, _mixed])
def test_noise_is_refused(noise):
    outcome = _search(noise(np.random.default_rng(0)))
    assert [figures.candidate for figures in outcome.result.figures if figures.acceptable] == []
    assert outcome.result.best.refusals
    assert outcome.result.reason.startswith("None of 16 candidates is acceptable")


def test_noise_is_refused_on_the_code_of_an_autoencoder():
    outcome = _search(_normal(np.random.default_rng(3)), _candidates(("autoencoder",), [2, 4]))
    assert not outcome.result.best.acceptable


def test_candidates_with_more_segments_than_different_customers_are_left_out():
    four = np.array([[0.0, 0], [0, 5], [5, 0], [5, 5]])
    outcome = _search(encode(four[np.random.default_rng(0).integers(0, 4, 200)]), _candidates(("columns",)))
    assert {figures.candidate.clusters for figures in outcome.result.figures} == {2, 3, 4}
    assert outcome.result.chosen.clusters == 4
    assert outcome.result.best.macro_silhouette == pytest.approx(1, abs=1e-3)


def test_customers_that_are_all_equal_cannot_be_segmented():
    with pytest.raises(BadFileError, match="view kinds: 2 segments need at least 2 different customers; by column0"):
        _search(encode(np.ones((50, 2))))


@pytest.mark.parametrize("count", [2, 5])
def test_a_handful_of_customers_gets_an_answer_without_a_warning(count):
    numbers, categories, _ = kinds(count)
    numbers = np.hstack([numbers, np.ones((count, 1)), np.full((count, 1), np.nan)])
    numbers[0, 0] = np.nan
    handful = encode(numbers, categories)
    raw = {f"column{i}": column for i, column in enumerate(numbers.T)}
    repetition = Repetition(Published(title="five kinds", clusters=5), handful, raw, _contract(*raw))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = _search(handful, published=[repetition])
    assert outcome.result.chosen.clusters <= count
    assert outcome.result.reason
