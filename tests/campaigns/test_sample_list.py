"""The sample list fits the model that serves, whatever its columns are."""

import csv
import io

import numpy as np
import pytest

from analysis import profile
from campaigns import lists, sample_list
from campaigns.served import ServedModel
from data import contract as contracts
from data import reader
from data.contract import Contract, Role
from tests.support.customers import CONTRACT


def served(contract: Contract, reference: profile.Profile | None) -> ServedModel:
    inputs = {name: name in contract.categorical for name in contract.features()}
    return ServedModel("purchase-model", "1", inputs, contract, reference)


def profiled(contract: Contract) -> profile.Profile:
    """Of a few rows at the ends of the contract's ranges, with missing values where they may be."""
    columns = {}
    for name in contract.features():
        if rule := contract.categorical.get(name):
            columns[name] = np.array([*rule.domain, *rule.domain], object)[np.arange(40) % len(rule.domain)]
        else:
            rule = contract.numeric[name]
            missing = rule.missing if rule.missing is not None else np.nan if rule.blank else rule.min
            columns[name] = np.array([rule.min, rule.max, missing, rule.max], np.float32)[np.arange(40) % 4]
    return profile.build(columns, np.linspace(0, 1, 40, dtype=np.float32), contract, contract.features(), "probability")


@pytest.mark.parametrize("name", ["bank-full", "bank-additional", "hackerearth"])
def test_the_sample_of_a_contract_has_only_good_rows(tmp_path, name):
    contract = contracts.load(name)
    file = tmp_path / "sample.csv"
    file.write_text(sample_list.text(served(contract, profiled(contract))))
    rules = lists.of_list(contract)
    blocks = list(reader.read(file, rules, Role.CUSTOMERS))
    assert [str(bad) for block in blocks for bad in block.bad] == []
    assert sum(block.batch.num_rows for block in blocks) == sample_list.ROWS
    assert lists.identifier_column(contract, reader.header(file)[0]) == (contract.identifiers or ("id",))[0]


def test_the_sample_of_a_model_on_another_machine_is_the_synthetic_one():
    loose = contracts.from_inputs(
        "purchase-model", {name: name in CONTRACT.categorical for name in CONTRACT.features()}
    )
    rows = list(csv.DictReader(io.StringIO(sample_list.text(served(loose, None)))))
    assert len({row["id"] for row in rows}) == sample_list.ROWS
    assert all(row["marital"] in ("divorced", "married", "single") and 16 <= int(row["age"]) <= 110 for row in rows)
    assert not {"duration", "y"} & {*rows[0]}


def test_customers_of_an_unknown_kind_are_not_made_up():
    loose = contracts.from_inputs("purchase-model", {"size": False, "colour": True, "ID": True})
    model = served(loose, None)
    assert not sample_list.can_be_drawn(model)
    assert sample_list.text(model) == "customer_id,size,colour,ID\n"
