"""Which earlier artifacts a run starts from."""

import pytest
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing

from pipeline.components.blessings import EarlierTrialBlessing, TrialBlessing
from pipeline.components.resolvers import LatestBlessedTwice, LatestOrNone


def artifact(kind, number, model=None, blessed=True):
    made = kind()
    made.id = number
    if model is not None:
        made.set_int_custom_property("current_model_id", model)
        made.set_int_custom_property("blessed", int(blessed))
    return made


def baseline(models, gate, probe, trials=(), earlier=()) -> int | None:
    """The id of the baseline; `gate` and `probe` say which models each blessed, `trials` which model when, and
    `earlier` likewise before the type was renamed."""
    inputs = {
        "model": [artifact(Model, number) for number in models],
        "model_blessing": [artifact(ModelBlessing, 100 + n, n, blessed) for n, blessed in gate.items()],
        "infra_blessing": [artifact(InfraBlessing, 200 + n, n, blessed) for n, blessed in probe.items()],
        "trial_blessing": [artifact(TrialBlessing, 300 + i, n, blessed) for i, (n, blessed) in enumerate(trials)],
        "earlier_trial_blessing": [
            artifact(EarlierTrialBlessing, 250 + i, n, blessed) for i, (n, blessed) in enumerate(earlier)
        ],
    }
    result = LatestBlessedTwice().resolve_artifacts(None, inputs)
    assert result.keys() == inputs.keys()
    return result["model"][0].id if result["model"] else None


@pytest.mark.parametrize(
    ("gate", "probe", "expected"),
    [
        ({}, {}, None),
        ({1: True, 2: True}, {1: True, 2: True}, 2),
        ({1: True, 2: True}, {1: True, 2: False}, 1),
        ({1: True, 2: False}, {1: True, 2: True}, 1),
        ({1: True, 2: True}, {1: True}, 1),
        ({1: True}, {1: False}, None),
    ],
)
def test_the_baseline_is_the_newest_model_with_both_blessings(gate, probe, expected):
    assert baseline([1, 2], gate, probe) == expected


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([(1, True)], 2),
        ([(2, True)], 2),
        ([(2, False)], 1),
        ([(2, False), (2, True)], 2),
        ([(2, True), (2, False)], 1),
        ([(1, False), (2, False)], None),
    ],
)
def test_a_model_that_lost_its_last_trial_is_no_baseline(trials, expected):
    everyone = {1: True, 2: True}
    assert baseline([1, 2], everyone, everyone, trials) == expected


@pytest.mark.parametrize(
    ("earlier", "trials", "expected"),
    [
        ([(2, False)], [], 1),
        ([(2, True)], [], 2),
        ([(2, False)], [(2, True)], 2),
        ([(2, True)], [(2, False)], 1),
    ],
)
def test_a_verdict_from_before_the_type_was_renamed_counts_until_there_is_a_newer_one(earlier, trials, expected):
    everyone = {1: True, 2: True}
    assert baseline([1, 2], everyone, everyone, trials, earlier) == expected


def test_a_trial_does_not_stand_in_for_the_evaluator():
    assert baseline([1, 2], {1: True, 2: False}, {1: True, 2: True}, [(2, True)]) == 1


def test_the_newest_artifact_or_none():
    newest = LatestOrNone().resolve_artifacts(None, {"a": [artifact(Model, 3), artifact(Model, 7)], "b": []})
    assert [made.id for made in newest["a"]] == [7]
    assert newest["b"] == []
