"""The page says what the segmentation found, and exists whatever a run lacks.

Parts are selected by their `data-` attributes, never by their sentences.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

import report
from analysis.segmentation import Candidate
from data.errors import BadOptionError
from report.gather import Records
from report.segments.belief import goal
from report.segments.gather import SegmentReport
from report.segments.page import render
from tests.report.page import Page
from tests.report.report_run import ATTACK
from tests.report.segment_run import refused, whole
from tests.support import segmentations, summaries
from tests.support.summaries import changed


@pytest.fixture
def data() -> SegmentReport:
    return whole()


def page_of(data: SegmentReport) -> Page:
    return Page(render(data))


def with_segment(data: SegmentReport, number: int, **changes) -> SegmentReport:
    """The same report with one segment changed."""
    segments = [changed(s, **changes) if s.number == number else s for s in data.segmentation.segments]
    return changed(data, segmentation__segments=tuple(segments))


def test_the_report_of_a_segmentation_run_is_built_from_its_folder(tmp_path, monkeypatch, data):
    summaries.write(tmp_path, data.summary)
    monkeypatch.setattr("report.segments.gather.gather", lambda *_: data)
    assert report.build(tmp_path).read_text(encoding="utf-8") == render(data)


@pytest.mark.parametrize("money", [{"cost": 4.0}, {"margin": 80.0}])
def test_cost_and_margin_are_for_purchase_runs(tmp_path, data, money):
    summaries.write(tmp_path, data.summary)
    with pytest.raises(BadOptionError, match="purchase"):
        report.build(tmp_path, **money)


def test_the_first_screen_says_how_many_kinds_and_links_each_to_its_card(data):
    page = page_of(data)
    assert "Five kinds" in page.part("overview", "headline")
    assert "31 %" in page.part("overview", "headline")
    assert page.part("overview", "verdict").startswith("Blessed")
    kinds = list(page.parts["kind"])
    assert kinds == list(page.parts["card"])
    for kind, segment in zip(kinds, data.by_share, strict=True):
        assert segment.name in page.part("kind", kind)
        assert segment.name in page.part("card", kind)


def test_the_first_screen_says_how_far_to_believe_it(data):
    caution = page_of(data).part("overview", "caution")
    best = data.search.best
    assert f"{best.stability:.2f}" in caution
    assert f"{best.macro_silhouette:.2f} against {best.null_silhouette:.2f}" in caution
    worse = replace(best, stability=0.5, refusals=("segments change from sample to sample",))
    figures = tuple(worse if f.candidate == best.candidate else f for f in data.search.figures)
    assert page_of(changed(data, search__figures=figures)).part("overview", "caution") != caution


def test_a_refused_run_names_the_checks_and_claims_no_kinds(data):
    page = page_of(refused(data))
    verdict = page.part("overview", "verdict")
    assert verdict.startswith("Not blessed")
    assert "0.6123" in verdict
    assert "No segmentation" in page.part("overview", "headline")
    assert [row[-1] for row in page.rows("gate")] == ["failed", "failed"]
    assert len(page.parts["card"]) == 5


def test_cards_are_ordered_by_share_and_hold_the_figures_of_their_segment(data):
    page = page_of(with_segment(data, 3, shares={"train": 0.5, "eval": 0.5, "test": 0.5}))
    assert next(iter(page.parts["card"])) == "segment-3"
    segment = data.segmentation.segments[3]
    card = page.part("card", "segment-3")
    assert f"{segment.rows:,}" in card
    first = segment.over_represented[0]
    assert first.value in card
    assert f"{first.index:.1f} ×" in card
    assert f"{100 * first.low:.0f} to {100 * first.high:.0f} %" in card
    assert "49 years" in card
    assert f"{segment.silhouette:.2f}" in card


def test_a_card_says_what_the_segment_continues(data):
    page = page_of(data)
    assert "over 51" in page.part("card", "segment-0")
    assert "New" in page.part("card", "segment-1")
    assert "same name" in page.part("card", "segment-2")
    first = page_of(changed(data, segmentation__agreement=None, previous=None))
    assert "last blessed model" not in first.part("card", "segment-0")
    assert not first.has("tile", "agreement")


def test_offers_are_what_is_owned_more_often_than_average_beyond_chance(data):
    offers = segmentations.frequency("Produk_A", "1", 0.5, 0.25), segmentations.frequency("Produk_B", "1", 0.4, 0.1)
    others = (
        segmentations.frequency("Produk_C", "1", 0.105, 0.1),
        segmentations.frequency("Produk_D", "0", 0.9, 0.3),
        segmentations.frequency("Produk_D", "1", 0.1, 0.7),
        segmentations.frequency("Region", "north", 0.6, 0.2),
    )
    page = page_of(with_segment(data, 0, described=(*offers, *others)))
    first = " ".join(page.parts["part"]["offers"][0].split())
    assert "Offer first: Produk B and Produk A," in first
    assert "Produk C" in first, "what they have is told, whether or not it is an offer"
    assert "north" not in first
    assert "north" in page.parts["part"]["also"][0]
    none = page_of(with_segment(data, 0, described=others))
    assert "Offer first" not in none.parts["part"]["offers"][0]


def test_positive_rows_are_told_where_there_is_a_label(data):
    page = page_of(whole(segmentations.segmentation(4, label=True)))
    assert page.part("tile", "rate").startswith("1.7 ×")
    assert [row[1] for row in page.rows("rates")] == ["5.0 %", "10.0 %", "15.0 %", "20.0 %"]
    assert page.rows("rates")[0][2] == "3.8 to 6.3 %"
    assert len(page.parts["part"]["rate"]) == 4
    without = page_of(data)
    assert not without.has("part", "rate")
    assert not without.has("tile", "rate")
    assert "rates" not in without.tables
    assert "buyers" not in without.text


def test_segments_are_compared_side_by_side(data):
    page = page_of(data)
    head, *rows = page.tables["side-by-side"]
    assert len(head) == 6
    lines = {row[0]: row[1:] for row in rows}
    assert lines["Usia, years"] == ["25", "33", "41", "49", "57"]
    assert lines["Produk Deposito"] == [
        f"{next(v.index for v in s.described if (v.column, v.value) == ('Produk_Deposito', '1')):.1f} ×"
        for s in data.by_share
    ]
    shaded = [attributes.get("class", "") for tag, attributes in page.tags if tag == "td"]
    assert any("warm" in one for one in shaded)
    assert any("cold" in one for one in shaded)


def test_names_from_the_data_are_text_and_never_markup(data):
    page = page_of(with_segment(changed(data, summary__dataset__source=f"/data/{ATTACK}"), 2, name=ATTACK))
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script" not in page.source
    assert ATTACK in page.part("card", "segment-2")


def test_every_number_of_clusters_has_all_criteria(data):
    page = page_of(data)
    rows = page.rows("clusters")
    assert [row[0] for row in rows] == [str(k) for k in range(2, 11)]
    best = data.search.best
    (row,) = (row for row in rows if row[0] == "5")
    for figure in (best.macro_silhouette, best.full_macro_silhouette, best.null_silhouette, best.gap):
        assert f"{figure:.3f}" in row
    assert row[-1] == "acceptable"
    assert rows[-1][-1] == "unstable"
    assert len(page.rows("methods")) == 6
    assert {name for name in page.tables if name.startswith("clusters-")} == {
        f"clusters-{method}-{space}"
        for method in ("kmeans", "kmedoids")
        for space in ("columns", "pca", "autoencoder")
        if (method, space) != ("kmeans", "columns")
    }
    gower = page.rows("clusters-kmedoids-columns")[0]
    assert "–" in gower, "there is no Davies-Bouldin index of Gower distances"


def test_a_run_of_one_method_compares_none(data):
    tried = segmentations.search(methods=("kmedoids",), representations=("columns",), clusters=(4, 5))
    page = page_of(whole(tried=tried))
    assert page.has("paragraph", "one-method")
    assert page.has("paragraph", "no-autoencoder")
    assert "methods" not in page.tables
    assert "Gower" in page.part("paragraph", "measured")
    assert page.has("figure", "elbow-kmedoids-columns")
    everything = page_of(data)
    assert not everything.has("paragraph", "one-method")
    assert not everything.has("paragraph", "no-autoencoder")
    assert everything.has("figure", "reconstruction")


def test_one_number_of_clusters_has_a_page():
    tried = segmentations.search(clusters=(5,), knees=(), stability_matrix=(), explained_variance=())
    page = page_of(whole(tried=tried))
    assert len(page.rows("clusters")) == 1
    assert page.has("paragraph", "no-matrix")


def test_a_segment_without_customers_in_the_sample_has_dashes(data):
    unknown = replace(data.segmentation.segments[4].medians[0], median=math.nan, position=math.nan)
    page = page_of(
        with_segment(
            data,
            4,
            rows=0,
            silhouette=math.nan,
            silhouettes=(),
            typical={},
            over_represented=(),
            medians=(unknown, unknown),
        )
    )
    assert not {"nan", "None"} & page.cells
    assert not re.search(r"\bnan\b", page.part("card", "segment-4"))
    assert len(page.rows("silhouettes")) == 4


def test_the_goal_of_the_first_source_is_reached_only_by_three_steady_segments_that_are_large_enough(data):
    def told(**changes) -> str:
        at = Candidate("kmeans", "autoencoder", changes.pop("clusters", 3))
        usual = {
            "silhouette": 0.74,
            "stability": 0.9,
            "smallest": 0.11,
            "full_silhouette": 0.123,
            "null_silhouette": 0.456,
        }
        figures = segmentations.figures(at, **{**usual, **changes})
        return goal(changed(data, search__figures=(*data.search.figures, figures)))

    assert "It is reached" in told()
    for change in ({"stability": 0.79}, {"smallest": 0.04}, {"clusters": 2}, {"silhouette": 0.69}):
        text = told(**change)
        assert "No segmentation reaches it" in text, change
        assert "0.12 in the space of all transformed columns" in text
        assert "0.46" in text
        assert "autoencoder" in text


def test_published_results_are_repeated_beside_what_was_published(data):
    page = page_of(data)
    (row,) = page.rows("published")
    assert row[2:5] == ["0.50", "0.51", "0.50"]
    assert "0.06 above the 0.44" in page.part("paragraph", "published-0")
    assert "the middle 90 % of each number" in page.part("paragraph", "published-0")
    assert "41%: Usia 22 to 38 years; Jumlah Anak 0 to 1 child" in page.sections["published"].replace(" %", "%")
    categories = page_of(changed(data, search__published=(replace(data.search.published[0], ranges=("",) * 3),)))
    assert "middle 90 %" not in categories.sections["published"]
    result = replace(data.search.published[0], published_silhouette=None, macro_silhouette=0.4)
    other = page_of(changed(data, search__published=(result,)))
    assert "was published" not in other.part("paragraph", "published-0")
    assert "no clearer" in other.part("paragraph", "published-0")
    assert "published" not in page_of(changed(data, search__published=())).sections


def test_what_changed_since_the_last_blessed_run(data):
    page = page_of(data)
    lines = {row[0]: row[1:] for row in page.rows("continued") if row[0] != "–"}
    assert lines["under 31, not married"][0] == "new"
    assert lines["31 to 53, married"][0] == "31 to 53, married"
    gone = [row[1] for row in page.rows("continued") if row[0] == "–"]
    assert "under 31, not married" in gone
    assert ["source", "/data/before.csv", "/data/fundfusion.csv"] in page.rows("changed-settings")
    assert page_of(replace(data, previous=None)).has("paragraph", "no-previous")


def test_repeated_identifiers_are_said(data):
    page = page_of(changed(data, summary__dataset__distinct=25_000))
    assert "25,000 different customers" in page.part("paragraph", "rows")
    unknown = page_of(changed(data, summary__dataset__distinct=None))
    assert "different" not in unknown.part("paragraph", "rows")


def test_a_run_without_records_has_a_page(data):
    page = page_of(replace(data, records=Records()))
    assert page.has("paragraph", "no-anomalies")
    assert "drift-test" not in page.tables
    assert [row[1] for row in page.rows("splits")] == ["17,962", "3,857", "3,857"]


def test_rows_whose_served_segment_differs_are_counted(data):
    assert "every customer" in page_of(data).part("paragraph", "served")
    assert "12 customers" in page_of(changed(data, segmentation__different=12)).part("paragraph", "served")
