"""Which hyperparameters a model is trained with."""

import pytest

from data import contract as contracts
from data.errors import UserError
from modules.purchase.trainer import choose_hyperparameters

CONTRACT = contracts.load("bank-full").with_modelling(hyperparameters={"width": 16, "depth": 1, "members": 2})


def test_tuned_values_replace_the_contracts_and_the_number_of_members_is_as_given():
    tuned = {"values": {"width": 64}}
    alone, searched, given = (
        choose_hyperparameters(*arguments)
        for arguments in ((None, CONTRACT, None), (tuned, CONTRACT, None), (tuned, CONTRACT, 8))
    )
    assert (alone.width, alone.depth, alone.members) == (16, 1, 2)
    assert (searched.width, searched.depth, searched.members) == (64, 1, 2)
    assert (given.width, given.depth, given.members) == (64, 1, 8)


def test_a_number_of_members_that_cannot_be_is_refused():
    with pytest.raises(UserError, match="members"):
        choose_hyperparameters(None, CONTRACT, 0)
