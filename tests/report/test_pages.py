"""What the page of every model keeps: landmarks, headings, named charts, tables that scroll, nothing from elsewhere."""

from __future__ import annotations

import itertools

import pytest

from report.purchase.page import render as purchase_page
from report.segments.page import render as segment_page
from tests.report import report_run, segment_run
from tests.report.page import Page
from tests.support import segmentations
from tests.support.summaries import changed

PAGES = {
    "purchase": lambda: purchase_page(changed(report_run.whole(), summary__dataset__synthetic=True), 10, 100),
    "segments": lambda: segment_page(segment_run.whole(summary__dataset__synthetic=True)),
    "refused segments": lambda: segment_page(
        segment_run.refused(segment_run.whole(segmentations.segmentation(10, label=True), previous=None))
    ),
}


@pytest.fixture(scope="module", params=PAGES, ids=str)
def page(request) -> Page:
    return Page(PAGES[request.param]())


def test_a_page_is_well_formed_and_its_landmarks_and_headings_are_in_order(page):
    names = [tag for tag, _ in page.tags]
    for landmark in ("header", "nav", "main", "footer"):
        assert names.count(landmark) == 1
    levels = [level for level, _ in page.headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(text.strip() for _, text in page.headings)
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert ("html", {"lang": "en"}) in page.tags
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"][1:] for tag, attributes in page.tags if tag == "a"]
    assert links
    assert set(links) <= set(ids)


def test_nothing_is_loaded_from_elsewhere(page):
    for tag, attributes in page.tags:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in page.source
    assert "url(" not in page.source
    assert "http://" not in page.source
    assert "https://" not in page.source


def test_every_chart_has_a_title_and_a_description(page):
    charts = [attributes for tag, attributes in page.tags if tag == "svg"]
    ids = {attributes.get("id"): tag for tag, attributes in page.tags}
    named = [chart for chart in charts if chart.get("role") == "img"]
    assert len(named) >= 8
    for chart in named:
        title, description = chart["aria-labelledby"].split()
        assert (ids[title], ids[description]) == ("title", "desc")
    assert all(chart.get("aria-hidden") == "true" for chart in charts if chart not in named)


def test_every_table_has_a_caption_and_headers_and_can_be_scrolled_by_keyboard(page):
    names = [tag for tag, _ in page.tags]
    assert names.count("table") == names.count("caption") == len(page.tables) > 10
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")
    regions = [attributes for _, attributes in page.tags if attributes.get("role") == "region"]
    assert len(regions) == names.count("table")
    assert all(region["tabindex"] == "0" and region["aria-label"] for region in regions)


def test_all_text_is_in_a_landmark(page):
    (skip,) = [attributes for tag, attributes in page.tags if tag == "a" and attributes.get("class") == "skip"]
    assert skip["href"] == "#main"
    assert len(page.stray.split()) == 4, "the link that skips the navigation, and nothing else"
