"""The nearest typical customers, by the segment model that serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns import typical
from campaigns.records import Campaign
from campaigns.views import typical as view
from data.model_folder import CARD, ModelFolder, SegmentCard
from data.model_spec import SEGMENT_MODEL
from data.paths import serving_folder
from tests.campaigns.conftest import TYPICAL, Desk, list_text
from tests.support import model_server as servers
from tests.support.customers import CONTRACT
from tests.support.model_server import ModelServer

OF_CUSTOMER = {name: cell for name, cell in TYPICAL.items() if name not in CONTRACT.at_call}
CUSTOMERS = (
    {**OF_CUSTOMER, "age": "25", "job": "student"},
    {**OF_CUSTOMER, "age": "50.0", "pdays": "", "balance": " 500"},
    {**OF_CUSTOMER, "age": "80", "job": "retired"},
)
"""Typical of the segments `young`, `middle` and `old`."""


def write_card(artifacts: Path, customers=CUSTOMERS) -> None:
    card = SegmentCard(
        contract="bank-full", synthetic=False, features=("age", "housing"), view="all", method="kmeans",
        representation="columns", names=("young", "middle", "old"), continues=(None,) * 3, means=([0.0],) * 3,
        temperature=1.0, outlier_distance=1.0, typical=customers,
    )  # fmt: skip
    file = ModelFolder(serving_folder(artifacts, SEGMENT_MODEL.name) / "1").extra(CARD)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(card.to_json())


def segment(row):
    return {**servers.segment(row), "membership": [0.1, 0.7, 0.2]}


@pytest.fixture
def model_server():
    with ModelServer(CONTRACT, segments=("age", "housing")) as server:
        server.models[SEGMENT_MODEL.name] = server.models[SEGMENT_MODEL.name][0], segment
        yield server


@pytest.fixture
def campaign(desk) -> Campaign:
    write_card(desk.artifacts)
    return desk.run(desk.campaign(list_text([{"age": "50", "contact": "telephone", "id": "c1"}])))


def nearest(desk: Desk, campaign: Campaign):
    (customer,) = desk.customers(campaign)
    return customer, typical.nearest(desk.server.url, desk.artifacts, campaign, CONTRACT, customer)


def test_the_two_nearest_come_with_their_probability_in_the_same_call(desk, campaign):
    _, (first, second) = nearest(desk, campaign)
    assert (first.segment, first.membership, first.probability) == ("middle", 0.7, 0.25)
    assert (second.segment, second.membership, second.probability) == ("old", 0.2, 0.4)
    assert {row["contact"] for row in desk.server.rows()[-2:]} == {"telephone"}


def test_where_they_differ_is_said_by_value_and_not_by_text(desk, campaign):
    customer, (first, second) = nearest(desk, campaign)
    assert typical.differing(customer, first, CONTRACT) == []
    assert typical.differing(customer, second, CONTRACT) == ["age", "job"]


def test_columns_of_the_call_are_not_compared(desk, campaign):
    write_card(desk.artifacts, tuple({**cells, "contact": "cellular"} for cells in CUSTOMERS))
    _, found = nearest(desk, campaign)
    assert all("contact" not in one.cells for one in found)
    assert found[0].probability == 0.25


def test_a_typical_customer_that_lacks_columns_has_no_probability(desk, campaign):
    write_card(desk.artifacts, tuple({"age": cells["age"], "job": cells["job"]} for cells in CUSTOMERS))
    customer, found = nearest(desk, campaign)
    assert [one.probability for one in found] == [None, None]
    assert typical.differing(customer, found[1], CONTRACT) == ["age", "job"]


def test_a_segment_without_customers_is_left_out(desk, campaign):
    write_card(desk.artifacts, (CUSTOMERS[0], {}, CUSTOMERS[2]))
    _, found = nearest(desk, campaign)
    assert [one.segment for one in found] == ["old", "young"]


@pytest.mark.parametrize("customers", [(), CUSTOMERS[:2]])
def test_a_model_that_does_not_say_its_typical_customers(desk, campaign, customers):
    write_card(desk.artifacts, customers)
    assert nearest(desk, campaign)[1] == "no typical customers"


def test_a_list_without_the_columns_of_the_model(desk, campaign):
    inputs, answer = desk.server.models[SEGMENT_MODEL.name]
    desk.server.models[SEGMENT_MODEL.name] = {**inputs, "income": "DT_FLOAT"}, answer
    assert nearest(desk, campaign)[1] == "no columns"


def test_no_segment_model(desk, campaign):
    del desk.server.models[SEGMENT_MODEL.name]
    assert nearest(desk, campaign)[1] == "no model"


def test_the_page_shows_the_columns_that_differ_side_by_side(desk, campaign):
    customer, found = nearest(desk, campaign)
    section = view.section(customer, found, CONTRACT)
    blocks = {block.name: block for block in section.blocks}
    assert blocks["typical"].columns == ("Column", "This customer", "Typical of middle", "Typical of old")
    assert [*blocks["typical"].rows] == [("age", "50", "50.0", "80"), ("job", "services", "services", "retired")]
    assert "70 %" in blocks["typical-1"].text.replace("\N{NO-BREAK SPACE}", " ")
    assert "balance" in blocks["alike"].text
    assert "job" not in blocks["alike"].text
