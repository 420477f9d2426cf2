"""A real campaign in a real browser: a pushed model, its server, the desk, and the newest rows of bank-full."""

from __future__ import annotations

import csv
import os
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from tests.support import desk_process
from tests.support.server import free_port

pytestmark = pytest.mark.e2e

DESKTOP, PHONE = {"width": 1280, "height": 1000}, {"width": 375, "height": 812}
NARROW = {"width": 320, "height": 640}
ROWS = 9_000
PATHS = {
    "home": "/",
    "new": "/campaigns/new",
    "list": "/campaigns/1",
    "customer": "/campaigns/1/customers/1",
    "budget": "/campaigns/1/budget",
    "outcomes": "/campaigns/1/outcomes",
    "performance": "/performance",
    "delete": "/campaigns/1/delete",
    "refused": "/campaigns/2",
    "open budget": "/campaigns/3/budget",
    "nothing": "/campaigns/99",
    "login": "/login",
    "logout": "/logout",
}
PICTURES = os.environ.get("DESK_PICTURES")
"""A folder for pictures of every page."""


@dataclass(frozen=True)
class Lists:
    """Files to upload: the list, what became of its customers, the list with a bad row."""

    good: Path
    outcomes: Path
    bad: Path


@pytest.fixture(scope="module")
def lists(tmp_path_factory, real_data) -> Lists:
    folder = tmp_path_factory.mktemp("lists")
    with (real_data / "bank-full.csv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))[-ROWS:]
    for number, row in enumerate(rows, 1):
        row["id"] = f"C{number:05d}"
        del row["duration"]
    bought = [row.pop("y") for row in rows]
    found = Lists(folder / "list.csv", folder / "outcomes.csv", folder / "bad.csv")
    _write(found.good, rows)
    outcomes = zip(rows, bought, strict=True)
    _write(found.outcomes, [{"identifier": row["id"], "called": "yes", "bought": y} for row, y in outcomes])
    _write(found.bad, [rows[0], {**rows[1], "age": "old"}])
    return found


def _write(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", newline="") as output:
        writer = csv.DictWriter(output, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def desk(first, tmp_path_factory) -> Iterator[str]:
    """The address of a desk that has started its model server; Ctrl-C stops both."""
    artifacts = tmp_path_factory.mktemp("desk")
    for name in ("serving", "runs"):
        shutil.copytree(first[0] / name, artifacts / name, symlinks=True)
    server = f"http://127.0.0.1:{free_port()}"
    options = ["--start-server", "--server", server, "--port", str(free_port()), "--artifacts", str(artifacts)]
    process, line = desk_process.start(options)
    yield next(word for word in line.split() if word.startswith("http"))
    code, errors = desk_process.interrupt(process)
    assert (code, "Traceback" in errors) == (0, False), errors
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{server}/readyz", timeout=5)


@pytest.fixture(scope="module")
def campaign(desk, lists, browser) -> str:
    """The desk's address after a whole campaign in a browser without JavaScript, with a refused and an open one."""
    context = browser.new_context(viewport=DESKTOP, java_script_enabled=False)
    page = context.new_page()
    page.goto(desk)
    assert "purchase-model version" in page.locator("#model").inner_text()
    start(page, desk, lists.good, "Spring")
    assert page.locator("[data-table=customers] tbody tr").count() == 50
    page.goto(f"{desk}/campaigns/1/customers/1")
    assert page.locator("[data-figure=call-contact] tbody tr").count() == 3
    assert "No segment model serves" in page.locator("#typical").inner_text()
    page.get_by_role("link", name="Budget", exact=True).click()
    assert "2,000 calls" in page.locator("[data-tile=buyers]").inner_text()
    page.get_by_role("button", name="Freeze the call list").click()
    assert "cannot change" in page.locator("[data-notice=frozen]").inner_text()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Call list as CSV").click()
    assert len(saved.value.path().read_text().splitlines()) == 2_001
    page.get_by_role("link", name="Outcomes", exact=True).click()
    page.get_by_label("Outcomes (CSV)").set_input_files(lists.outcomes)
    page.get_by_role("button", name="Upload").click()
    assert "of 2,000 customers bought" in page.locator("[data-notice=verdict]").inner_text()
    page.goto(f"{desk}/performance")
    assert "of 2,000" in page.locator("[data-notice=verdict]").inner_text()
    page.goto(desk)
    assert "of 2,000" in page.locator("[data-table=campaigns]").inner_text()
    start(page, desk, lists.bad, "Bad rows")
    assert "bad.csv:3: column 'age': got 'old'" in page.locator("[data-notice=problem]").inner_text()
    start(page, desk, lists.good, "Open")
    context.close()
    return desk


def start(page: Page, desk: str, file: Path, name: str) -> None:
    """Starts a campaign and waits until its list is ranked or refused; the page loads itself again meanwhile."""
    page.goto(f"{desk}/campaigns/new")
    page.get_by_label("Name of the campaign").fill(name)
    page.get_by_label("List of customers (CSV)").set_input_files(file)
    page.get_by_label("Calls that can be made").fill("2000")
    page.get_by_role("button", name="Upload and score").click()
    page.wait_for_selector("[data-form=filter], [data-notice=problem]", timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", PATHS)
def test_axe_finds_nothing_and_nothing_sticks_out(campaign, browser, name, size, scheme):
    heard = []
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: heard.append(message.text))
    page.on("request", lambda request: None if request.url.startswith(campaign) else heard.append(request.url))
    page.goto(f"{campaign}{PATHS[name]}")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    if PICTURES:
        page.screenshot(path=Path(PICTURES, f"{name}-{size['width']}-{scheme}.png"), full_page=True)
    context.close()
    assert [text for text in heard if "404" not in text and not text.startswith("[DOM]")] == []


@pytest.mark.parametrize("name", PATHS)
def test_indonesian_fits_the_narrowest_phone(campaign, browser, name):
    context = browser.new_context(viewport=NARROW, locale="id-ID")
    page = context.new_page()
    page.goto(f"{campaign}{PATHS[name]}")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.locator("html").get_attribute("lang") == "id"
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    if PICTURES:
        page.screenshot(path=Path(PICTURES, f"{name}-{NARROW['width']}-id.png"), full_page=True)
    context.close()


@pytest.mark.parametrize("name", PATHS)
def test_axe_finds_nothing_without_scripts_and_on_the_smallest_phone(campaign, browser, name):
    context = browser.new_context(viewport=NARROW)
    page = context.new_page()
    page.route("**/static/*", lambda route: route.abort())  # axe itself needs scripts
    page.goto(f"{campaign}{PATHS[name]}")
    assert page.locator("[type=range]:visible, .drops").count() == 0
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    context.close()


def test_a_campaign_is_started_with_the_keyboard_alone(campaign, browser):
    context = browser.new_context(viewport=DESKTOP, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{campaign}/campaigns/new")
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        reached.append(focused.get_attribute("name") or focused.inner_text())
        if reached[-1] == "Upload and score":
            break
    assert {"name", "file", "cost", "margin", "calls", "control_share", "quarantine", "Upload and score"} <= {*reached}
    context.close()


@pytest.fixture
def page(desk, browser) -> Iterator[Page]:
    """A page with scripts, whose console says nothing but which requests were refused."""
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
    page, heard = context.new_page(), []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield page
    context.close()
    assert [text for text in heard if not text.startswith("Failed to load resource")] == []


def test_a_refused_upload_keeps_the_form_and_its_file(page, desk, lists, tmp_path):
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("age,job\n30,x\n")
    page.goto(f"{desk}/campaigns/new")
    page.get_by_label("Name of the campaign").fill("Autumn")
    page.get_by_label("List of customers (CSV)").set_input_files(wrong)
    page.get_by_role("button", name="Upload and score").click()
    problem = page.locator("[data-notice=problem]")
    expect(problem).to_be_focused()
    assert "wrong.csv:1" in problem.inner_text()
    assert page.get_by_label("Name of the campaign").input_value() == "Autumn"
    assert page.evaluate("document.querySelector('[type=file]').files[0].name") == "wrong.csv"
    assert page.get_by_role("button", name="Upload and score").is_enabled()
    assert not page.locator("form progress").is_visible()
    page.route("**/campaigns", lambda route: route.abort())
    page.get_by_role("button", name="Upload and score").click()
    expect(problem).to_contain_text("The upload broke off")
    assert problem.count() == 1


def test_a_dropped_list_is_scored_and_its_page_follows(page, desk, lists):
    page.goto(f"{desk}/campaigns/new")
    page.get_by_label("Name of the campaign").fill("Dropped")
    zone, text = page.locator(".drops"), lists.good.read_text()
    carry = "text => { const all = new DataTransfer(); all.items.add(new File([text], 'dropped.csv')); return all; }"
    files = page.evaluate_handle(carry, text)
    zone.dispatch_event("dragover", {"dataTransfer": files})
    assert "over" in zone.get_attribute("class").split()
    zone.dispatch_event("drop", {"dataTransfer": files})
    assert page.evaluate("document.querySelector('[type=file]').files[0].name") == "dropped.csv"
    page.get_by_role("button", name="Upload and score").click()
    page.wait_for_selector("[data-form=filter]", timeout=60_000)
    assert "dropped.csv" in page.locator("[data-paragraph=source]").inner_text()


def test_the_page_of_a_running_job_has_nothing_for_axe(page, desk, lists):
    held: list[Route] = []

    def hold(route: Route) -> None:
        """Gives no answer, so that the page stays."""
        held.append(route)

    page.route("**/events*", hold)
    page.goto(f"{desk}/campaigns/new")
    page.get_by_label("Name of the campaign").fill("Running")
    page.get_by_label("List of customers (CSV)").set_input_files(lists.good)
    page.get_by_role("button", name="Upload and score").click()
    page.wait_for_selector("[data-progress=progress]")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    assert len(held) == 1


def test_a_slider_moves_the_figures_and_the_marker_at_once_and_keeps_nothing(page, campaign):
    page.goto(f"{campaign}{PATHS['open budget']}")
    slider, summary = page.get_by_role("slider"), page.locator("#summary")
    assert slider.get_attribute("aria-valuetext") == "2,000 calls"
    page.locator("[data-figure=profit] summary").click()
    marker = page.locator("[data-figure=profit] circle.dot").first
    place = marker.get_attribute("cx")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(summary).to_contain_text("2,003 calls")
    assert summary.get_attribute("aria-live") == "polite"
    page.keyboard.press("End")
    expect(page.locator("[data-tile=buyers]")).to_contain_text("9,000 calls")
    assert slider.get_attribute("aria-valuetext") == "9,000 calls"
    assert page.get_by_label("Calls that can be made", exact=True).input_value() == "9000"
    expect(summary).to_contain_text("9,000 calls")
    assert float(marker.get_attribute("cx")) > float(place)
    assert page.locator("[data-figure=profit] details").get_attribute("open") is not None
    expect(slider).to_be_focused()
    expect(page.locator("[data-paragraph=tried]")).to_be_visible()
    assert page.get_by_role("button", name="Freeze the call list").count() == 0
    page.get_by_label("Calls that can be made", exact=True).fill("2000")
    expect(page.get_by_role("button", name="Freeze the call list")).to_be_visible()
    assert slider.input_value() == "2000"
    page.get_by_label("Calls that can be made", exact=True).fill("")
    page.get_by_label("Margin of a buyer, €").fill("-1")
    page.reload()
    assert "2,000 calls" in page.locator("[data-tile=buyers]").inner_text()
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []


def test_a_late_answer_does_not_replace_a_newer_one(page, campaign):
    page.goto(f"{campaign}{PATHS['open budget']}")
    asked: list[str] = []

    def slow(route: Route) -> None:
        asked.append(route.request.url)
        page.wait_for_timeout(300)
        route.continue_()

    page.route("**/budget?*", slow)
    calls = page.get_by_label("Calls that can be made", exact=True)
    for number in ("100", "200", "300", "400"):
        calls.fill(number)
    expect(page.locator("#summary")).to_contain_text("400 calls")
    page.wait_for_timeout(500)
    assert "400 calls" in page.locator("#summary").inner_text()
    assert len(asked) < 4
    assert "token" not in "".join(asked)


def test_the_sample_list_needs_no_file(page, desk):
    page.goto(f"{desk}/campaigns/new")
    page.get_by_role("button", name="Use a sample list of 1,000 made-up customers").click()
    page.wait_for_selector("[data-form=filter]", timeout=60_000)
    assert "of 1,000" in page.locator("[data-table=customers] caption").inner_text()


def test_a_printed_budget_has_its_figures_and_no_controls(page, campaign):
    page.goto(f"{campaign}{PATHS['open budget']}")
    page.emulate_media(media="print")
    assert page.locator("form:visible, [type=range]:visible").count() == 0
    for part in ("[data-tile=profit]", "[data-figure=profit] svg", "#summary", "[data-table=groups]"):
        assert page.locator(part).first.is_visible()
