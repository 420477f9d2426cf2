"""A trial survives JSON, and says how it ended."""

import dataclasses
import json

import pytest

from analysis.figures import Interval
from analysis.trial_result import ChampionTrial
from tests.support.summaries import trial

UNRANKED = {"trial__auc_gain": None, "trial__champion_auc": None, "trial__challenger_auc": None}
WORSE = Interval(-0.2, -0.1)


@pytest.mark.parametrize("result", [trial(), trial(**UNRANKED), ChampionTrial(7, None, "no reason")])
def test_a_trial_survives_json(result):
    assert ChampionTrial.from_dict(json.loads(result.to_json())) == result
    assert ChampionTrial.from_dict(dataclasses.asdict(result)) == result


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "ranks 295 held-out calls as well as the champion, version 1795200000: its within-month AUC is 0.671"),
        ({"trial__auc_gain": Interval(0.01, 0.04)}, "ranks 295 held-out calls better than the champion"),
        ({"trial__auc_gain": WORSE}, "ranks 295 held-out calls worse than the champion"),
        ({"trial__log_loss_gain": WORSE}, "; its log loss is worse, 0.630 against 0.640 (gain -0.200 to -0.100)."),
        (UNRANKED, "predicts 295 held-out calls as well as the champion"),
        ({**UNRANKED, "trial__log_loss_gain": WORSE}, "predicts 295 held-out calls worse than the champion"),
    ],
)
def test_the_verdict_says_who_is_better_on_which_months(changes, says):
    verdict = trial(**changes).verdict
    assert verdict.startswith("On 2010-10 to 2010-11 the model ")
    assert says in verdict


def test_faults_name_the_months():
    assert trial().trial.faults == ()
    ranking, prediction = trial(trial__auc_gain=WORSE, trial__log_loss_gain=WORSE).trial.faults
    assert ranking == "on 2010-10 to 2010-11 its within-month AUC is 0.671 against 0.664 (gain -0.200 to -0.100)"
    assert prediction == "on 2010-10 to 2010-11 its log loss is 0.630 against 0.640 (gain -0.200 to -0.100)"


def test_one_month_is_not_a_range():
    assert trial(trial__months=("2010-11",)).verdict.startswith("On 2010-11 the model ")
