"""The report of a real run in a real browser: accessible, readable on a phone and in print, and self-contained.

The committed pictures are renewed from a run by
`REPORT_RUN=artifacts/runs/purchase-model/<id> .venv/bin/python -m pytest tests/e2e/test_report.py -k pictures`.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page

from data.paths import runs_folder
from report.purchase.page import render
from report.segments.page import render as segment_page
from runs.summary import SegmentSummary, read
from tests.conftest import ROOT
from tests.e2e.conftest import latest
from tests.report import segment_run
from tests.report.report_run import not_blessed, whole
from tests.support import segmentations
from tests.support.summaries import changed

pytestmark = pytest.mark.e2e

DESKTOP, PHONE = (1280, 1000), (375, 812)
PICTURES = {"desktop": DESKTOP, "phone": PHONE}
SEGMENT_PICTURES = {"segments": DESKTOP}
"""Of the page of a segmentation, whose run is given as REPORT_RUN."""
SCREENS = 2
"""Heights of the window that a picture shows."""
COLOURS = 256
"""Of a picture, which halves its size and cannot be seen."""
REPORT_RUN = os.environ.get("REPORT_RUN")


def report(artifacts: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "report", "--artifacts", str(artifacts), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def page_file(request) -> Path:
    """The page of REPORT_RUN, or of the first run."""
    if REPORT_RUN:
        return Path(REPORT_RUN, "report.html").resolve()
    artifacts, _, _ = request.getfixturevalue("first")
    result = report(artifacts, "--cost", "7.5", "--margin", "80")
    assert result.returncode == 0, result.stderr
    assert (result.stdout.count("\n"), result.stderr) == (1, "")
    return (latest(artifacts) / "report.html").resolve()


@pytest.fixture(scope="module")
def bad_news(tmp_path_factory) -> Path:
    """The page of a model that was not blessed: synthetic data, anomalies, quarantined rows, shifted columns."""
    report = not_blessed(whole())
    report = replace(report, summary=changed(report.summary, dataset__synthetic=True))
    folder = tmp_path_factory.mktemp("bad-news")
    quarantine = folder / "quarantine.csv"
    quarantine.write_text("file,line,column,value,reason\na.csv,2,age,x,not a number\n")
    anomalies = ["train: column 'job': unexpected values"]
    file = folder / "report.html"
    report = changed(report, records__quarantine=quarantine, records__anomalies=anomalies)
    file.write_text(render(report, 10, 100), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def segments(tmp_path_factory) -> Path:
    """The page of a segmentation that was blessed, with a label."""
    file = tmp_path_factory.mktemp("segments") / "report.html"
    file.write_text(segment_page(segment_run.whole(segmentations.segmentation(label=True))), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def ten_segments(tmp_path_factory) -> Path:
    """The page of a refused segmentation of ten segments with names that are long or in many scripts."""
    found = segmentations.segmentation(10)
    names = [
        "Überdurchschnittlichlangesegmentbezeichnung" * 3,
        "年齢が高く、子供が二人以上の顧客" * 4,
        "مرحبا بالعملاء " * 9,
        "👩‍👩‍👧‍👦" * 30,
    ]
    named = tuple(
        replace(segment, name=name, continues=name)
        for segment, name in zip(found.segments, itertools.cycle(names), strict=False)
    )
    found = replace(found, segments=named)
    file = tmp_path_factory.mktemp("ten-segments") / "report.html"
    file.write_text(segment_page(segment_run.refused(segment_run.whole(found))), encoding="utf-8")
    return file


@pytest.fixture
def open_page(browser, request):
    """Opens a page; a request, message or error of the page fails the test at its end."""
    heard, contexts = [], []

    def open_page(size: tuple[int, int], file: str = "page_file", **options) -> Page:
        page_file = request.getfixturevalue(file)
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: heard.append(request.url) if request.url != page_file.as_uri() else None)
        page.goto(page_file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []


def test_a_run_ends_with_its_report_and_says_where(first):
    artifacts, result, found = first
    page = runs_folder(artifacts, found.model_name) / found.run_id / "report.html"
    assert str(page) in result.stdout.replace("\n", "")
    assert "tensorboard.main --logdir" in result.stdout


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("file", ["page_file", "bad_news", "segments", "ten_segments"])
def test_axe_finds_nothing_and_nothing_sticks_out(open_page, scheme, size, file):
    page = open_page(size, file, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_the_page_is_whole_without_javascript(open_page, page_file):
    page = open_page(DESKTOP, java_script_enabled=False)
    headings = page.locator("h1, h2").all_inner_texts()
    assert len(headings) == len(re.findall(r"<h[12][ >]", page_file.read_text()))
    assert all(headings)
    assert "%" in page.locator("[data-overview=headline]").inner_text()
    assert page.locator("svg[role=img]").count() >= 8


def test_the_first_stop_of_the_keyboard_leads_past_the_navigation(open_page):
    page = open_page(DESKTOP)
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.is_visible()
    target = skip.get_attribute("href")
    assert page.locator(target).evaluate("element => element.tagName") == "MAIN"


def test_wide_tables_scroll_within_themselves(open_page):
    page = open_page(PHONE)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    regions = page.locator("[role=region]")
    scrolling = [one for one in regions.all() if one.evaluate("e => e.scrollWidth > e.clientWidth")]
    assert scrolling, "some table is wider than a phone"
    assert all(one.get_attribute("tabindex") == "0" for one in scrolling)


@pytest.mark.parametrize("file", ["page_file", "segments"])
def test_texts_in_pictures_can_be_read_on_a_phone(open_page, file):
    page = open_page(PHONE, file)
    heights = page.locator("svg[role=img] text").evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
    assert heights
    assert min(height for height in heights if height) >= 10


@pytest.mark.parametrize("file", ["page_file", "bad_news", "segments", "ten_segments"])
def test_texts_in_pictures_are_whole(open_page, file):
    page = open_page(PHONE, file)
    cut = """all => all.flatMap(picture => {
        const around = picture.getBoundingClientRect();
        return [...picture.querySelectorAll("text")].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < around.left - 0.5 || box.right > around.right + 0.5
                || box.top < around.top - 0.5 || box.bottom > around.bottom + 0.5;
        }).map(text => text.textContent);
    })"""
    assert page.locator("svg[role=img]").evaluate_all(cut) == []


def test_the_money_of_the_command_line_is_on_the_page(open_page):
    text = open_page(DESKTOP).locator("#profit").inner_text()
    assert "7.5" in text
    assert "80" in text


@pytest.mark.parametrize("file", ["page_file", "segments"])
def test_every_table_is_in_print(open_page, file):
    page = open_page(DESKTOP, file)
    page.emulate_media(media="print")
    hidden = "all => all.filter(e => !e.checkVisibility({contentVisibilityAuto: true})).map(e => e.innerText)"
    assert page.locator("table caption").evaluate_all(hidden) == []
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_print_has_no_dark_background(open_page):
    page = open_page(DESKTOP, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    colours = "element => [getComputedStyle(element).backgroundColor, getComputedStyle(element).color]"
    assert page.locator("body").evaluate(colours) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]


def test_pictures_at_desktop_and_phone_width(open_page, tmp_path):
    folder = ROOT / "report" / "pictures" if REPORT_RUN else tmp_path
    folder.mkdir(exist_ok=True)
    segmented = REPORT_RUN and isinstance(read(Path(REPORT_RUN)), SegmentSummary)
    for name, (width, height) in (SEGMENT_PICTURES if segmented else PICTURES).items():
        picture = folder / f"{name}.png"
        page = open_page((width, height * SCREENS))
        page.screenshot(path=picture)
        Image.open(picture).quantize(COLOURS, Image.Quantize.FASTOCTREE).save(picture, optimize=True)
        with Image.open(picture) as image:
            assert image.width == width
            assert len(image.getcolors()) > 16, "not an empty page"
