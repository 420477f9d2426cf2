"""The cards tell what is true of the customers of a segment, with intervals."""

import math

import numpy as np
import pytest
from hypothesis import given

from modules.segments import cards
from tests.support.properties import RELAXED
from tests.support.segment_rows import CONTRACT, VIEW, columns, customers, drawn


def described(raw, segments, clusters, view=VIEW, contract=CONTRACT, distances=None):
    """The cards, with names and figures that do not matter here."""
    counts = np.bincount(segments, minlength=clusters)
    return cards.segments(
        raw,
        segments,
        np.zeros(len(segments), np.float32) if distances is None else distances,
        {0: np.array([0.1, 0.5])},
        [f"segment {number}" for number in range(clusters)],
        [None] * clusters,
        contract,
        view,
        {"train": counts / counts.sum()},
        counts,
        1.0,
    )


def test_a_card_tells_what_sets_a_segment_apart():
    old, rich, young = described(*drawn(), 3)
    assert {(value.column, value.value) for value in old.over_represented} >= {("job", "retired")}
    assert [value.column for value in old.over_represented].count("age") == 1
    assert all(value.low > value.overall and value.index > 1 for value in old.over_represented)
    assert young.over_represented[0].share == 1.0
    median = next(median for median in rich.medians if median.column == "income")
    assert 9000 < median.median < 10000
    assert median.unit == "euros"
    assert median.position > 0.6
    assert (rich.described[0].column, rich.described[0].value, rich.described[0].share) == ("card", "1", 1.0)
    assert old.silhouette == pytest.approx(0.3)
    assert len(old.silhouettes) == cards.QUANTILES
    assert math.isnan(rich.silhouette)
    assert rich.silhouettes == ()


def test_a_rare_value_does_not_set_a_segment_apart_although_its_index_is_highest():
    raw = columns(job=["unknown"] * 3 + ["worker"] * 97 + ["worker"] * 100, loan=["yes"] * 90 + ["no"] * 110)
    first = described(raw, np.repeat([0, 1], 100), 2)[0]
    assert [(value.column, value.value) for value in first.over_represented] == [("loan", "yes")]


def test_described_values_are_ranked_by_the_lift_that_is_sure():
    raw = columns(job=["unknown"] + ["worker"] * 60 + ["retired"] * 39 + ["worker"] * 5 + ["retired"] * 95)
    view = VIEW.model_copy(update={"columns": ("age", "loan"), "describe": ("job",)})
    first = described(raw, np.repeat([0, 1], 100), 2, view)[0]
    assert [value.value for value in first.described] == ["worker", "retired", "unknown"]
    assert max(first.described, key=lambda value: value.index).value == "unknown"


def test_the_typical_customer_is_the_one_nearest_to_the_centre():
    raw = columns(age=[30, None, 50], income=[1, 12400, 3], active=[0, 0.081, 1], visits=[0, 999, 1], loan=["no"] * 3)
    distances = np.array([2, 1, 0], np.float32)
    first, second = described(raw, np.array([0, 0, 1]), 2, distances=distances)
    assert first.typical["income"] == "12,400 euros"
    assert first.typical["active"] == "8.1 % of months"
    assert (first.typical["age"], first.typical["visits"], first.typical["job"]) == ("missing", "missing", "missing")
    assert (second.typical["age"], second.typical["visits"], second.typical["loan"]) == ("50 years", "1 visit", "no")
    assert (first.outliers, second.outliers) == (0.5, 0.0)


def test_the_label_rate_is_there_where_the_contract_has_a_label():
    raw = columns(loan=["no"] * 4, bought=[1, 0, 0, 0])
    card = described(raw, np.zeros(4, int), 1)[0]
    assert card.label_rate == 0.25
    assert card.label_low < 0.25 < card.label_high
    unlabelled = CONTRACT.model_copy(update={"label": None})
    assert described(raw, np.zeros(4, int), 1, contract=unlabelled)[0].label_rate is None


def test_a_segment_without_customers_has_a_card():
    raw = columns(age=[30, 40], loan=["no", "yes"])
    empty = described(raw, np.zeros(2, int), 2)[1]
    assert empty.rows == 0
    assert empty.typical == {}
    assert empty.over_represented == ()
    assert empty.outliers == 0.0
    assert empty.label_rate is None
    assert math.isnan(empty.medians[0].median)


def test_a_view_that_describes_nothing():
    assert described(*drawn(), 3, CONTRACT.views["bare"])[0].described == ()


@RELAXED
@given(customers())
def test_shares_sum_to_one_and_lie_within_their_intervals(drawn):
    raw, segments, _ = drawn
    view = VIEW.model_copy(update={"columns": ("age", "loan"), "describe": ("income", "visits", "job", "no", "level")})
    for card in described(raw, segments, 4, view):
        if not card.rows:
            continue
        for column in view.describe:
            own = [value for value in card.described if value.column == column]
            assert math.isclose(sum(value.share for value in own), 1)
            assert math.isclose(sum(value.overall for value in own), 1)
            assert all(value.low <= value.share <= value.high for value in own)
            assert len({value.value for value in own}) == len(own)
        assert all(0 <= median.position <= 1 or math.isnan(median.median) for median in card.medians)
        assert [*card.typical] == [*view.columns, *view.describe]
        assert all(card.typical.values())


def test_the_picture_has_some_customers_of_each_segment():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(5000, 6)).astype(np.float32) * [5, 3, 1, 1, 1, 1]
    segments = np.where(np.arange(5000) == 77, 2, np.arange(5000) % 2)
    picture = cards.scatter(features, segments)
    assert len(picture.x) == len(picture.y) == len(picture.segment) <= cards.MOST_POINTS
    assert {*picture.segment} == {0, 1, 2}
    assert picture.segment.count(2) == 1
    assert picture.explained_variance == pytest.approx((25 / 38, 9 / 38), abs=0.03)
    assert picture == cards.scatter(features, segments)


def test_the_picture_does_not_turn_round_when_rows_come_in_another_order():
    features = np.random.default_rng(1).normal(size=(200, 4)).astype(np.float32) * [4, 2, 1, 1]
    picture, backwards = (cards.scatter(rows, np.zeros(200, int)) for rows in (features, features[::-1]))
    np.testing.assert_allclose(picture.x, backwards.x[::-1], atol=1e-3)
    np.testing.assert_allclose(picture.y, backwards.y[::-1], atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 1), (2, 2)])
def test_a_picture_of_few_customers_or_columns(shape):
    picture = cards.scatter(np.ones(shape, np.float32), np.zeros(shape[0], int))
    assert len(picture.x) == shape[0]
    assert picture.explained_variance == (0.0, 0.0)
