"""The verdict says in one sentence what the outcomes show and no more."""

import numpy as np
import pytest

from campaigns.records import Terms
from campaigns.results import results, verdict
from campaigns.store.outcomes import Joined

TERMS = Terms("May", cost=10.0, margin=100.0)
PLAIN = str.maketrans({"\N{NO-BREAK SPACE}": " ", "\N{MINUS SIGN}": "-"})


def joined(best, control=(0, 0), probability=0.3):
    """Customers as (buyers, calls) of the best and of the control group, who have a third of the probability."""
    (buyers, calls), (others, drawn) = best, control
    bought = np.concatenate([np.arange(calls) < buyers, np.arange(drawn) < others]).astype(float)
    return Joined(
        probability=np.repeat([probability, probability / 3], [calls, drawn]),
        rank=np.arange(1, calls + drawn + 1),
        kind=np.repeat(["best", "control"], [calls, drawn]),
        was_called=np.ones(calls + drawn, bool),
        bought=bought,
        rows=10_000,
    )


def said(outcomes, listed=None):
    found = results(outcomes, TERMS, len(outcomes.rank) if listed is None else listed)
    return verdict(found).translate(PLAIN)


def test_a_list_that_beats_the_control_group_with_probabilities_that_held():
    assert said(joined((300, 1_000), (20, 200))) == (
        "The list beat the control group (30.0 % against 10.0 % bought, a difference of 14.3 to 24.5 percentage "
        "points), and the probabilities held (320 of 1,200 customers bought, 291 to 350 were expected)."
    )


@pytest.mark.parametrize(
    ("outcomes", "parts"),
    [
        (joined((200, 1_000), (10, 200)), ["The list beat", ", but the probabilities were too high ("]),
        (joined((500, 1_000), (20, 200)), ["The list beat", ", but the probabilities were too low ("]),
        (
            joined((150, 1_000), (60, 200)),
            ["The list did worse than the control group", "and the probabilities were too"],
        ),
        (joined((30, 100), (3, 10), 0.3), ["do not show yet whether the list beats", "and the probabilities held"]),
        (joined((30, 100)), ["No control group shows what the list is worth, and the probabilities held"]),
        (joined((0, 0), (3, 30)), ["No outcome of the best-scored customers is known, and"]),
    ],
)
def test_each_verdict(outcomes, parts):
    sentence = said(outcomes)
    assert all(part in sentence for part in parts), sentence
    assert sentence.count(". ") == 0
    assert sentence.endswith(".")


def test_as_many_buyers_as_expected_among_the_wrong_customers_do_not_hold():
    bought = np.arange(1_000) % 10 < 3
    outcomes = Joined(
        probability=np.repeat([0.55, 0.05], 500),
        rank=np.arange(1, 1_001),
        kind=np.full(1_000, "best"),
        was_called=np.ones(1_000, bool),
        bought=bought.astype(float),
        rows=10_000,
    )
    found = results(outcomes, TERMS, 1_000)
    assert found.together.held
    assert not found.held
    assert "the probabilities were wrong by 25.0 percentage points on average, where up to " in said(outcomes)


def test_a_verdict_on_part_of_the_calls_says_so():
    assert said(joined((30, 100), (1, 30)), listed=500).startswith("With 130 of 500 outcomes known, the list beat")


def test_only_calls_of_the_list_with_a_known_purchase_count():
    outcomes = joined((3, 6))
    outcomes.was_called[0] = False
    outcomes.bought[1] = np.nan
    outcomes.kind[2] = ""
    found = results(outcomes, TERMS, 6)
    assert (found.together.calls, found.together.buyers) == (3, 0)


def test_without_known_outcomes_there_are_no_results():
    outcomes = joined((3, 6))
    outcomes.bought[:] = np.nan
    assert results(outcomes, TERMS, 6) is None
    assert results(joined((0, 0)), TERMS, 6) is None


def test_the_calibration_error_of_the_plan_widens_what_counts_as_held():
    outcomes = joined((250, 1_000))
    strict, wide = (results(outcomes, TERMS, 1_000, error).together for error in (0.0, 0.05))
    assert not strict.held
    assert wide.held
