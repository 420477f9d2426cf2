"""The configuration of a stage survives TFX's JSON."""

import json

from data import contract as contracts
from modules.purchase.config import TrainingConfig

CONTRACT = contracts.load("bank-full")


def test_a_config_survives_json():
    config = TrainingConfig(CONTRACT, True, code="c0de", seed=7, trials=3, members=5, synthetic=True)
    assert TrainingConfig.from_config(json.loads(json.dumps(config.to_config()))) == config
    assert TrainingConfig.from_config(TrainingConfig(CONTRACT).to_config()).members is None


def test_features_include_columns_known_after_the_call_only_where_the_config_says_so():
    before, all_columns = (TrainingConfig(CONTRACT, with_after_call).features for with_after_call in (False, True))
    assert {*all_columns} - {*before} == {"duration"}
