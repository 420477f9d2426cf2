"""A campaign from the upload of a list to its verdict, on pages without JavaScript."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator

import openpyxl
import pytest
from starlette.testclient import TestClient

from campaigns import app
from campaigns.settings import Settings
from campaigns.views import campaign_table
from data.model_folder import CONTRACT as CONTRACT_FILE
from data.model_folder import ModelFolder
from data.model_spec import PURCHASE_MODEL
from data.paths import serving_folder
from tests.campaigns.browsing import ADDRESS, TERMS, Browser
from tests.campaigns.conftest import list_text
from tests.support import purchase_cards, stand_in
from tests.support.customers import CONTRACT

ATTACK = "<script>alert(1)</script>"
AGES = [20 + row % 60 for row in range(200)]
LIST = list_text([{"id": f"c{row}", "age": str(age)} for row, age in enumerate(AGES, 1)])


@pytest.fixture
def browser(tmp_path, model_server) -> Iterator[Browser]:
    settings = Settings(model_server.url, artifacts=tmp_path / "artifacts")
    with TestClient(app.create(settings), base_url=ADDRESS) as client:
        yield Browser(client)


def test_the_first_page_says_which_model_serves(browser):
    page = browser.open("/")
    assert "purchase-model version 1 serves" in page.text
    assert page.links["Start a new campaign"] == "/campaigns/new"


def test_the_first_page_says_that_no_model_serves(browser, model_server):
    model_server.models.clear()
    page = browser.open("/")
    assert page.status == 200
    assert "Servable not found" in page.notices["no-model"]


def test_a_campaign_from_the_list_to_the_verdict(browser):
    browser.start(LIST, calls="50")
    page = browser.ended()
    ranks = re.findall(r'<a href="/campaigns/1/customers/(\d+)">', page.html)
    assert [AGES[int(row) - 1] for row in ranks] == sorted(AGES, reverse=True)[:50]
    assert "Customers 1 to 50 of 200" in page.text

    budget = browser.open(page.links["Budget"])
    assert "50 calls, 5 to the control group" in budget.text
    frozen = browser.send(budget, "freeze")
    assert "cannot change any more" in frozen.notices["frozen"]

    calls = browser.client.get(frozen.links["Call list as CSV"]).text.splitlines()
    assert len(calls) == 51
    workbook = openpyxl.load_workbook(io.BytesIO(browser.client.get(frozen.links["Call list as XLSX"]).content))
    assert workbook["Calls"].max_row == 51

    outcomes = browser.open(frozen.links["Outcomes"])
    identifiers = [line.partition(",")[0] for line in calls[1:]]
    file = "identifier,called,bought\n" + "".join(
        f"{one},yes,{'yes' if number < 20 else 'no'}\n" for number, one in enumerate(identifiers)
    )
    judged = browser.send(outcomes, "outcomes", file=file.encode())
    assert "50 new" in judged.notices["recorded"]
    assert "of 50 customers bought" in judged.notices["verdict"]
    again = browser.send(
        judged, "outcomes", file=f"identifier,called,bought\n{identifiers[0]},yes,no\nx9,no,\n".encode()
    )
    assert "1 corrected" in again.notices["recorded"]
    assert "x9" in again.notices["recorded"]


def test_pages_of_a_list_are_sorted_and_filtered_by_links_and_forms(browser):
    browser.start(LIST)
    page = browser.ended()
    second = browser.open(page.links["Next page"])
    assert "Customers 51 to 100 of 200" in second.text
    least = browser.send(page, "filter", {"decile": "10", "page": "1"})
    assert "Customers 1 to 20 of 20" in least.text
    by_name = browser.open(page.links["Identifier"])
    assert re.search(r'aria-sort="ascending"><a[^>]*>Identifier', by_name.html)
    assert by_name.html.index(">c1<") < by_name.html.index(">c10<")
    assert "No customer is in this part" in browser.open("/campaigns/1?page=99").text


@pytest.mark.parametrize("query", ["page=0", "segment=a%00", "page=x", "page=99999999999", "decile=11", "sort=name"])
def test_wrong_parts_of_a_list_are_refused(browser, query):
    browser.start(LIST)
    browser.ended()
    page = browser.open(f"/campaigns/1?{query}")
    assert page.status in (400, 422)
    assert query.partition("=")[0] in page.notices["problem"]


def test_reasons_are_shown_where_the_model_gives_them(browser, model_server):
    model_server.explains = True
    browser.start(LIST)
    page = browser.ended()
    assert "age: 79" in page.text
    customer = browser.open(page.links["c60"])
    assert "For: age: 79" in customer.text
    model_server.explains = False
    assert "does not give reasons now" in browser.open("/campaigns/1/customers/60").text


def test_the_page_of_a_customer_says_what_another_call_would_change(browser, model_server, tmp_path):
    stand_in.write_contract(tmp_path / "artifacts", 1)
    inputs, _ = model_server.models[PURCHASE_MODEL.name]
    answer = lambda row: {"probability": 0.5 if row["contact"] == "telephone" else 0.2, "purchase": 0}  # noqa: E731
    model_server.models[PURCHASE_MODEL.name] = inputs, answer
    browser.start(LIST)
    browser.ended()
    page = browser.open("/campaigns/1/customers/1")
    assert (
        "The most likely to lead to a purchase is telephone, with 50.0 %; planned is cellular, with 20.0 %."
        in page.text
    )
    assert re.search(r">telephone</th>\s*<td[^>]*>50.0\s%</td>\s*<td[^>]*>\+30.0</td>", page.html)
    assert "not a promise" in page.text
    assert "No segment model serves" in page.text
    model_server.version = "2"
    assert "does not answer now" in browser.open("/campaigns/1/customers/1").text


def test_row_numbers_are_identifiers_where_the_file_has_none(browser):
    browser.start(list_text([{"age": "30"}, {"age": "60"}]))
    page = browser.ended()
    assert "identified by the numbers of their rows" in page.text
    assert page.links["2"] == "/campaigns/1/customers/2"


@pytest.mark.parametrize("synthetic", [True, False])
def test_what_the_model_is_worth_and_learned_from_is_said(browser, tmp_path, model_server, synthetic):
    stand_in.write_summary(tmp_path / "artifacts", 1, synthetic)
    browser.start(LIST)
    browser.ended()
    home = browser.open("/")
    assert "0.800" in home.text
    for page in (home, browser.open("/campaigns/1"), browser.open("/campaigns/1/budget")):
        assert ("synthetic" in page.notices) == synthetic
    assert "widened by the model's calibration error" in browser.open("/campaigns/1/budget").text


def test_texts_of_a_list_are_text(browser):
    text = list_text([{"id": ATTACK, "note": ATTACK}, {"id": "b", "note": ""}])
    browser.start(text, name=ATTACK)
    pages = [
        browser.ended(),
        *(browser.open(path) for path in ("/", "/campaigns/1/customers/1", "/campaigns/1/budget")),
    ]
    for page in pages:
        assert page.scripts == ["/static/desk.js"]
        assert ATTACK in page.text


def test_a_wrong_answer_keeps_the_others(browser):
    page = browser.start(LIST, cost="much", calls="2.5", name="winter")
    assert page.status == 400
    assert "cost: got 'much'" in page.notices["problem"]
    assert "calls: got '2.5'" in page.notices["problem"]
    assert 'value="winter"' in page.html
    assert browser.client.get("/api/campaigns").json() == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("age;job\n30;x\n", "marital"),
        ("", "list.csv"),
        (list_text([{"age": None}]), "age"),
    ],
)
def test_a_list_that_is_none_is_refused_with_the_reason(browser, text, says):
    page = browser.start(text)
    assert page.status == 400
    assert says in page.notices["problem"]


def test_a_form_without_a_file_is_refused(browser):
    page = browser.send(browser.open("/campaigns/new"), "new", {"name": "x", "cost": "1", "margin": "2"})
    assert (page.status, "file: got none" in page.notices["problem"]) == (400, True)


def test_bad_rows_refuse_the_list_or_are_set_aside(browser):
    text = list_text([{"age": "30"}, {"age": "old"}, {"age": "50"}])
    browser.start(text)
    refused = browser.ended()
    assert "list.csv:3: column 'age': got 'old'" in refused.notices["problem"]
    browser.start(text, quarantine="yes")
    page = browser.ended(2)
    assert "Customers 1 to 2 of 2" in page.text
    bad = browser.client.get(page.links["Download the bad rows with their reasons (1)"]).text
    assert "column 'age': got 'old'" in bad


def test_planned_columns_may_be_missing(browser):
    text = list_text([{"age": "30", "contact": None, "campaign": None}])
    assert "'contact'" in browser.start(text).notices["problem"]
    browser.start(text, **{"plan.contact": "telephone", "plan.campaign": "2"})
    browser.ended()
    customer = browser.open("/campaigns/1/customers/1")
    assert re.search(r">contact</th>\s*<td[^>]*>telephone</td>\s*<td[^>]*>plan<", customer.html)


def test_the_size_of_the_list_is_the_usual_one_where_nobody_says_it(browser, tmp_path):
    page = browser.open("/campaigns/new")
    assert "without it, it is unknown" in page.text
    purchase_cards.write(tmp_path / "artifacts", CONTRACT.name)
    page = browser.open("/campaigns/new")
    assert "Planned calls a day" in page.text
    assert "or else 12, which was usual in 2010-11" in page.text
    browser.start(LIST, **{"plan.calls_7d": "90"})
    plan = browser.client.get("/api/campaigns/1").json()["terms"]["plan"]
    assert plan == {"calls_7d": "90", "calls_today": "12", "calls_30d": "280"}
    browser.ended()
    browser.start(list_text([{"calls_today": "130"}] * 3))
    plan = browser.client.get("/api/campaigns/2").json()["terms"]["plan"]
    assert plan == {"calls_7d": "70", "calls_30d": "280"}


def test_terms_change_until_the_call_list_is_frozen(browser):
    browser.start(LIST, calls="50")
    browser.ended()
    budget = browser.open("/campaigns/1/budget")
    changed = browser.send(budget, "terms", {"cost": "5", "margin": "100", "calls": "20", "control_share": "0"})
    assert "20 calls" in changed.text
    wrong = browser.send(changed, "terms", {"cost": "5", "margin": "0"})
    assert (wrong.status, "margin" in wrong.notices["problem"]) == (400, True)
    browser.send(changed, "freeze")
    late = browser.send(changed, "terms", {"cost": "6", "margin": "100"})
    assert (late.status, "frozen" in late.notices["problem"]) == (409, True)
    assert browser.send(changed, "freeze").status == 409


def test_a_running_campaign_shows_progress_and_can_be_cancelled(browser, model_server):
    model_server.before = lambda: time.sleep(0.3)
    page = browser.start(LIST)
    reload = '<noscript><meta http-equiv="refresh" content="2"></noscript>'
    assert reload in browser.open("/campaigns/1").html
    assert "progress" in page.tags
    still = browser.open(page.links["Stop following it"])
    assert reload not in still.html
    assert "data-events" not in still.html
    browser.send(page, "cancel")
    assert "cancelled" in browser.ended().notices
    assert browser.client.get("/campaigns/1/budget").status_code == 409


def test_the_first_page_says_how_each_campaign_does(browser, model_server):
    browser.start(LIST, calls="50", name="open")
    browser.ended()
    home = browser.open("/")
    assert home.links["plan the budget"] == "/campaigns/1/budget"
    assert re.search(r'<a href="/campaigns/1/budget">\d+</a>', home.html)
    browser.send(browser.open("/campaigns/1/budget"), "terms", {"cost": "5", "margin": "100", "calls": "20"})
    assert re.search(r">20</td>", browser.open("/").html)
    browser.send(browser.open("/campaigns/1/budget"), "freeze")
    assert browser.open("/").links["upload outcomes"] == "/campaigns/1/outcomes"
    calls = browser.client.get("/campaigns/1/calls.csv").text.splitlines()[1:]
    file = "identifier,called,bought\n" + "".join(f"{line.partition(',')[0]},yes,no\n" for line in calls)
    browser.send(browser.open("/campaigns/1/outcomes"), "outcomes", file=file.encode())
    home = browser.open("/")
    assert home.links["fewer buyers than expected"] == "/campaigns/1/outcomes"
    assert "0 of 20" in home.text
    browser.start(list_text([{"age": "x"}]), name="refused")
    browser.ended(2)
    assert "failed" in browser.open("/").text


def test_campaigns_come_in_pages(browser, monkeypatch):
    monkeypatch.setattr(campaign_table, "PAGE", 2)
    for number in range(5):
        browser.start(list_text([{}]), name=f"campaign-{number}")
    browser.ended(5)
    first = browser.open("/")
    assert "Campaigns 1 to 2 of 5" in first.text
    last = browser.open(first.links["Last page"])
    assert "campaign-0" in last.links
    assert "campaign-4" not in last.links
    assert "No campaign is on this page" in browser.open("/?page=9").text
    assert browser.open("/?page=0").status == 400


def test_a_campaign_is_deleted_after_a_question(browser):
    browser.start(LIST)
    page = browser.ended()
    question = browser.open(page.links["Delete this campaign"])
    assert "200 customers" in question.text
    assert "There is no campaign yet" in browser.send(question, "delete").text
    assert browser.open("/campaigns/1").status == 404
    assert browser.send(question, "delete").status == 404


def test_a_running_campaign_is_not_deleted(browser, model_server):
    model_server.before = lambda: time.sleep(0.3)
    browser.start(LIST)
    question = browser.open("/campaigns/1/delete")
    assert "Cancel the scoring first" in question.text
    assert "delete" not in question.forms
    assert browser.client.delete("/api/campaigns/1").status_code == 409
    assert "Customers 1 to 50" in browser.ended().text


@pytest.mark.parametrize(
    "path", ["/nothing", "/campaigns/7", "/campaigns/7/budget", "/campaigns/7/bad.csv", "/campaigns/7/customers/1"]
)
def test_an_address_of_nothing_is_a_page_that_says_so(browser, path):
    page = browser.open(path)
    assert page.status == 404
    assert page.notices["problem"]


def test_the_figures_of_other_terms_are_shown_and_not_kept(browser):
    browser.start(LIST, calls="50")
    browser.ended()
    tried = browser.open("/campaigns/1/budget?calls=20&control_share=0")
    assert "20 calls" in tried.text
    assert 'value="20"' in tried.html
    assert "freeze" not in tried.forms
    assert "50 calls" in browser.open("/campaigns/1/budget").text
    assert "freeze" in browser.open("/campaigns/1/budget?calls=50").forms
    wrong = browser.open("/campaigns/1/budget?calls=few")
    assert (wrong.status, "calls: got 'few'" in wrong.notices["problem"]) == (400, True)


def test_a_slider_reaches_the_whole_list_in_whole_steps(browser):
    browser.start(LIST)
    browser.ended()
    (slider,) = re.findall(r'<input type="range" [^>]*>', browser.open("/campaigns/1/budget").html)
    for part in (
        "hidden",
        'min="1"',
        'max="200"',
        'step="1"',
        'data-slides="terms-calls"',
        'data-says="{number} calls"',
    ):
        assert part in slider


def test_groups_that_are_called_more_often_than_others_are_named(browser, tmp_path):
    contract = ModelFolder(serving_folder(tmp_path / "artifacts", PURCHASE_MODEL.name) / "1").extra(CONTRACT_FILE)
    contract.parent.mkdir(parents=True)
    contract.write_text(CONTRACT.model_dump_json())
    rows = [{"age": str(age), "marital": "single" if age >= 70 else "married"} for age in AGES]
    browser.start(list_text(rows), calls="30", control_share="0")
    browser.ended()
    page = browser.open("/campaigns/1/budget")
    notice = page.notices["groups"].replace("\N{NO-BREAK SPACE}", " ")
    assert "marital: single: 15 % of the list and 100 % of the call list." in notice
    assert "marital: married: 85 % of the list and 0 % of the call list." in notice
    cells = [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in page.tables["groups"]]
    assert ["marital: single", "15.0 %", "100.0 %", "6.67 ×"] in cells
    assert ["age: 30 to below 40", "20.0 %", "0.0 %", "0.00 ×"] in cells
    everybody = browser.open("/campaigns/1/budget?calls=200")
    assert "groups" not in everybody.notices
    assert "No group of customers is called much more" in everybody.text


def test_a_sample_list_needs_no_file(browser, model_server):
    page = browser.open("/campaigns/new")
    template = browser.client.get(page.links["Download a list with these columns as a template (CSV)"])
    assert 'filename="synthetic-customers.csv"' in template.headers["content-disposition"]
    browser.send(page, "new", {**TERMS, "name": "", "sample": "yes"})
    assert "Customers 1 to 50 of 1,000" in browser.ended().text
    assert browser.client.get("/api/campaigns/1").json()["bad"] == 0
    again = browser.start(template.text)
    assert again.status == 200
    assert "Customers 1 to 50 of 1,000" in browser.ended(2).text


def test_a_new_campaign_needs_a_model(browser, model_server):
    model_server.models.clear()
    assert browser.open("/campaigns/new").status == 503
