"""The schema says what the contract says."""

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from data import contract as contracts
from data.contract import CALL_DAY, Role
from modules.schema import from_contract


@pytest.mark.parametrize("name", ["bank-full", "bank-additional", "hackerearth"])
def test_every_column_but_the_identifiers_is_one_scalar_per_row(name):
    contract = contracts.load(name)
    spec = schema_utils.schema_as_feature_spec(from_contract(contract)).feature_spec
    dated = {CALL_DAY, *contract.derived_columns} if contract.call_date else set()
    assert set(spec) == contract.header(Role.TRAINING) - set(contract.identifiers) | dated
    assert all(feature.shape == [] for feature in spec.values())


def test_domains_are_those_of_the_contract():
    contract = contracts.load("hackerearth")
    features = {feature.name: feature for feature in from_contract(contract).feature}
    assert set(features["marital"].string_domain.value) == {"divorced", "married", "single", ""}
    assert "" not in features["job_type"].string_domain.value
    assert features["balance"].float_domain.disallow_nan is False
    assert features["day_of_month"].float_domain.disallow_nan is True
    assert features["term_deposit_subscribed"].type == schema_pb2.INT


@pytest.mark.parametrize(("name", "low", "high"), [("bank-full", -1, 1500), ("bank-additional", 0, 999)])
def test_the_missing_marker_lies_inside_the_range(name, low, high):
    features = {feature.name: feature for feature in from_contract(contracts.load(name)).feature}
    domain = features["pdays"].float_domain
    assert (domain.min, domain.max) == (low, high)


def test_a_contract_without_a_label_has_a_schema_of_its_features_alone():
    contract = contracts.load("hackerearth").model_copy(update={"label": None})
    features = {feature.name: feature for feature in from_contract(contract).feature}
    assert set(features) == set(contract.features(with_after_call=True))
    assert schema_pb2.INT not in {feature.type for feature in features.values()}
