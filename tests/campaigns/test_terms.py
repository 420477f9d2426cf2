"""A person's answers about a campaign are read strictly, and every wrong one is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import terms
from campaigns.records import Terms
from data.errors import BadOptionError
from tests.support.customers import CONTRACT

RIGHT = {
    "name": "May calls",
    "cost": "4.5",
    "margin": "80",
    "calls": "200",
    "control_share": "0.1",
    "plan.contact": "cellular",
    "plan.calls_today": "120",
}


PLAN = {"contact": "cellular", "calls_today": "120"}


def test_answers_become_terms():
    assert terms.read(RIGHT, CONTRACT) == Terms("May calls", 4.5, 80.0, 200, 0.1, PLAN, False)
    left_open = {
        **RIGHT,
        "calls": " ",
        "control_share": "",
        "plan.contact": "",
        "plan.calls_today": "",
        "quarantine": "yes",
    }
    assert terms.read(left_open, CONTRACT) == Terms("May calls", 4.5, 80.0, None, 0.0, {}, True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("name", ""),
        ("name", " \n "),
        ("name", "x" * 121),
        ("name", "a\0b"),
        ("cost", "-1"),
        ("cost", "nan"),
        ("cost", "1e300"),
        ("margin", "0"),
        ("margin", "inf"),
        ("calls", "0"),
        ("calls", "2.5"),
        ("calls", "1e12"),
        ("control_share", "0.6"),
        ("control_share", "x"),
        ("plan.contact", "Mail"),
        ("plan.calls_today", "many"),
        ("plan.calls_today", "-1"),
        ("plan.age", "30"),
    ],
)
def test_a_wrong_answer_is_named(name, text):
    with pytest.raises(BadOptionError, match=name.removeprefix("plan.")):
        terms.read({**RIGHT, name: text}, CONTRACT)


def test_all_wrong_answers_are_named_at_once():
    with pytest.raises(BadOptionError) as caught:
        terms.read({"cost": "x", "margin": "y", "calls": "z", "plan.contact": "Mail"}, CONTRACT)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "plan of the call",
        "name",
        "cost",
        "margin",
        "calls",
    ]


@given(st.dictionaries(st.sampled_from([*RIGHT, "quarantine", "plan.campaign"]), st.text()))
def test_any_answers_are_terms_or_a_message(answers):
    try:
        found = terms.read(answers, CONTRACT)
    except BadOptionError:
        return
    assert found.margin > 0
    assert found.cost >= 0
    assert found.name.isprintable()


def test_a_revision_leaves_name_plan_and_quarantine():
    before = terms.read({**RIGHT, "quarantine": "yes"}, CONTRACT)
    after = terms.revised(before, {"name": "other", "cost": "1", "margin": "2", "plan.contact": "telephone"})
    assert after == Terms("May calls", 1.0, 2.0, None, 0.0, PLAN, True)
