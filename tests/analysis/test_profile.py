"""Profiles: what is stored, and that counting is the same however rows arrive."""

import json
import threading

import numpy as np
import pytest

from analysis import profile
from analysis.bins import CategoryBins
from analysis.profile import Profile, RollingCounts
from data import contract as contracts
from data import sample
from data.errors import NotReadyError
from data.model_folder import ModelFolder

CONTRACT = contracts.load("bank-full")
FEATURES = CONTRACT.features()


def columns_of(rows):
    return {
        name: rows[name].astype(np.float32) if name in CONTRACT.numeric else rows[name].astype(object)
        for name in FEATURES
    }


@pytest.fixture(scope="module")
def columns():
    (rows,) = sample.draw(rows=6000)
    return columns_of(rows)


@pytest.fixture(scope="module")
def scores():
    return np.random.default_rng(0).beta(1, 8, 6000).astype(np.float32)


@pytest.fixture(scope="module")
def bank(columns, scores):
    return profile.build(columns, scores, CONTRACT, FEATURES, "probability")


@pytest.fixture(scope="module")
def names():
    return np.random.default_rng(1).choice(np.array(["over 53", "students"], object), 6000, p=[0.7, 0.3])


@pytest.fixture(scope="module")
def segments(columns, names):
    return profile.build(columns, names, CONTRACT, FEATURES, "name", values=("students", "over 53", "new"))


@pytest.fixture(params=["numbers", "texts"])
def watched(request, bank, scores, segments, names):
    """A profile and the watched output of its rows."""
    return (bank, scores) if request.param == "numbers" else (segments, names)


def take(columns, rows):
    return {name: column[rows] for name, column in columns.items()}


def test_drawn_rows_are_distributed_as_the_training_split(bank):
    drawn = bank.draw(20_000, np.random.default_rng(0))
    counts = bank.counts()
    counts.add(drawn)
    for name in FEATURES:
        expected = bank.reference.feature(name) / bank.reference.rows
        assert counts.feature(name) / counts.rows == pytest.approx(expected, abs=0.015), name
    assert (drawn["age"] % 1 == 0).all()
    assert drawn["age"].min() == 18
    assert set(drawn["pdays"][drawn["pdays"] < 0]) == {-1}


def test_version_without_a_profile_is_not_ready(tmp_path):
    with pytest.raises(NotReadyError, match="no reference profile; push the model again"):
        Profile.of_version(ModelFolder(tmp_path / "1"))


def test_profile_survives_json_and_is_small(watched):
    built, _ = watched
    text = built.to_json()
    assert len(text) < 100_000
    assert Profile.from_json(text).to_json() == text
    assert built.reference.rows == 6000


def test_a_segment_without_customers_has_a_bin(segments, names):
    assert segments.output == "name"
    assert segments.score == CategoryBins(("students", "over 53", "new"))
    students = int((names == "students").sum())
    assert segments.reference.score.tolist() == [students, 6000 - students, 0, 0, 0]
    assert segments.reference.mean_score is None


def test_texts_of_an_output_are_sorted_where_no_order_is_given(columns, names):
    built = profile.build(columns, np.array([name.encode() for name in names], object), CONTRACT, FEATURES, "name")
    assert built.score == CategoryBins(("over 53", "students"))


def test_profile_from_before_there_were_segments_is_of_the_purchase_model(bank):
    document = json.loads(bank.to_json())
    del document["output"]
    assert Profile.from_dict(document).to_json() == bank.to_json()


def test_profile_of_a_sample_is_counted_again_over_all_rows(watched, columns):
    built, outputs = watched
    batches = [
        (take(columns, slice(start, start + 700)), outputs[start : start + 700]) for start in range(0, 6000, 700)
    ]
    again = built.recounted(iter(batches)).to_dict()
    assert again["reference"].pop("score_sum") == pytest.approx(built.reference.score_sum)
    assert again["reference"].items() <= built.reference.to_dict().items()


def test_counted_again_no_row_is_out_of_range(columns, scores):
    young, low = columns["age"] < 30, np.minimum(scores, np.float32(0.1))
    sample_profile = profile.build(take(columns, young), low[young], CONTRACT, FEATURES, "probability")
    whole = sample_profile.recounted([(columns, scores)])
    assert (whole.features, whole.score) == (sample_profile.features, sample_profile.score)
    assert whole.reference.rows == 6000
    assert whole.features["age"].shares(whole.reference.feature("age"))["out_of_range"] == 0
    assert whole.reference.feature("age")[-3] >= 3000
    assert whole.score.shares(whole.reference.score)["out_of_range"] == 0
    assert whole.reference.mean_score == pytest.approx(scores.mean(), rel=1e-4)


def test_profile_of_bytes_is_that_of_text(bank, columns, scores):
    encoded = {
        name: np.array([value.encode() for value in column], object) if column.dtype == object else column
        for name, column in columns.items()
    }
    assert profile.build(encoded, scores, CONTRACT, FEATURES, "probability").to_json() == bank.to_json()


@pytest.mark.parametrize("damage", ["features", "score", "reference", "contract"])
def test_damaged_profile_is_refused(bank, damage):
    document = json.loads(bank.to_json())
    del document[damage]
    with pytest.raises(ValueError, match=f"not a reference profile: '{damage}'"):
        Profile.from_dict(document)


def test_counts_of_other_bins_are_refused(bank):
    document = bank.reference.to_dict()
    document["score"] = document["score"][:-1]
    with pytest.raises(ValueError, match="broadcast"):
        profile.Counts.from_dict(document, bank.features, bank.score)


def test_one_by_one_in_batches_and_merged_give_the_same_counts(watched, columns):
    bank, scores = watched
    together, single, first, second = (bank.counts() for _ in range(4))
    together.add(take(columns, slice(0, 60)), scores[:60])
    for row in range(60):
        single.add(take(columns, slice(row, row + 1)), scores[row : row + 1])
    first.add(take(columns, slice(0, 20)), scores[:20])
    second.add(take(columns, slice(20, 60)), scores[20:60])
    first.merge(second)
    for counts in (single, first):
        assert counts.score_sum == pytest.approx(together.score_sum)
        assert {**counts.to_dict(), "score_sum": 0} == {**together.to_dict(), "score_sum": 0}
    assert together.feature("job").sum() == 60
    assert together.score.sum() == 60


def test_mean_score(bank, columns, scores):
    counts = bank.counts()
    assert counts.mean_score is None
    counts.add(take(columns, slice(0, 60)), scores[:60])
    assert counts.mean_score == pytest.approx(scores[:60].mean())


def test_window_forgets_the_oldest_rows(bank, columns, scores):
    window = RollingCounts(bank, bucket_rows=100, buckets=3)
    for start in range(0, 1000, 50):
        window.add(take(columns, slice(start, start + 50)), scores[start : start + 50])
    newest = bank.counts()
    newest.add(take(columns, slice(700, 1000)), scores[700:1000])
    assert window.total().to_dict()["features"] == newest.to_dict()["features"]


def test_one_large_list_does_not_take_the_whole_window(bank, columns, scores):
    window = RollingCounts(bank, bucket_rows=100, buckets=3)
    window.add(take(columns, slice(0, 50)), scores[:50])
    window.add(columns, scores)
    assert window.total().rows == 150
    window.add(take(columns, slice(0, 0)), scores[:0])
    assert window.total().rows == 150
    assert window.total().feature("calls_30d").max() < 75, "rows from the whole list, which is in date order"


def test_window_counts_every_row_that_threads_add(bank, columns, scores):
    window = RollingCounts(bank, bucket_rows=10_000)

    def feed():
        for row in range(200):
            window.add(take(columns, slice(row, row + 1)), scores[row : row + 1])

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert window.total().rows == 800
    assert window.total().score.sum() == 800
