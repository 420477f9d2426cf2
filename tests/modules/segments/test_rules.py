"""A small tree reproduces segments that follow from few columns, and its rules are true sentences about them."""

import math

import numpy as np
from hypothesis import given

from modules.segments.rules import EVERYBODY, rules
from tests.support.properties import RELAXED
from tests.support.segment_rows import CONTRACT, VIEW, columns, customers, drawn


def lines(raw, segments, names=("first", "second")):
    return rules(raw, segments, raw, segments, names, CONTRACT, VIEW).lines


def test_rules_reproduce_the_segments_on_other_customers():
    result = rules(*drawn(), *drawn(seed=1), ["old", "rich", "young"], CONTRACT, VIEW)
    assert result.accuracy > 0.99
    assert result.depth <= 3
    assert len(result.lines) == 3
    assert all(line.endswith("(100 % right, 33 % of customers)") for line in result.lines)


def test_numbers_are_told_with_their_unit():
    raw = columns(age=[30, 50, 51, 70], loan=["no"] * 4)
    assert lines(raw, np.array([0, 0, 1, 1])) == (
        "age up to 50 years: first (100 % right, 50 % of customers)",
        "age over 50 years: second (100 % right, 50 % of customers)",
    )


def test_two_bounds_of_a_number_are_one_condition():
    raw = columns(age=[20, 21, 40, 41, 60, 61], loan=["no"] * 6)
    assert lines(raw, np.array([0, 0, 1, 1, 0, 0]))[-1].startswith("age 31 to 50 years: second")


def test_a_missing_number_is_told():
    raw = columns(visits=[999, 999, 3, 4], age=[None, 20, 20, None])
    assert [line.split(":")[0] for line in lines(raw, np.array([0, 0, 1, 1]))] == ["visits missing", "visits given"]


def test_categories_and_levels_are_told():
    assert [line.split(":")[0] for line in lines(columns(loan=["yes", "yes", "no"]), np.array([0, 0, 1]))] == [
        "loan is yes",
        "loan is no",
    ]
    job = columns(job=["retired", "worker", "unknown", None], loan=["no"] * 4)
    assert {line.split(":")[0] for line in lines(job, np.array([0, 1, 1, 1]))} == {
        "job is retired",
        "job is not retired",
    }
    level = columns(level=["basic", "middle", "top", "top"], loan=["no"] * 4)
    assert [line.split(":")[0] for line in lines(level, np.array([0, 1, 1, 1]))] == [
        "level is basic",
        "level from middle",
    ]


def test_one_segment_is_one_rule():
    assert lines(columns(loan=["no", "yes"]), np.zeros(2, int)) == (
        f"{EVERYBODY}: first (100 % right, 100 % of customers)",
    )


def test_without_test_customers_the_accuracy_is_not_known():
    raw, none = columns(loan=["no", "yes"]), columns(loan=[])
    result = rules(raw, np.array([0, 1]), none, np.empty(0, int), ["a", "b"], CONTRACT, VIEW)
    assert math.isnan(result.accuracy)


@RELAXED
@given(customers(), customers())
def test_rules_are_for_every_customer(train, test):
    result = rules(*train[:2], *test[:2], ["a", "b", "c", "d"], CONTRACT, VIEW)
    shares = [int(line.rsplit(" right, ")[-1].split(" %")[0]) for line in result.lines]
    assert abs(sum(shares) - 100) <= len(shares)
    assert 0 <= result.accuracy <= 1
    assert len({line.split(": ")[0] for line in result.lines}) == len(result.lines)
