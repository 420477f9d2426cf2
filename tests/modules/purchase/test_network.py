"""The network's shape and its hyperparameters."""

import keras
import numpy as np
import pytest

from data.errors import UserError
from modules.purchase import network
from modules.purchase.hyperparameters import Hyperparameters

SMALL = Hyperparameters(width=8, depth=2, members=3)


@pytest.mark.parametrize("batch_normalization", [False, True])
def test_the_nets_share_nothing_but_their_input(batch_normalization):
    settings = Hyperparameters(
        width=8, depth=3, members=3, dropout=0.0, input_dropout=0.0, batch_normalization=batch_normalization
    )
    model = network.build(5, settings)
    features = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    before = model(features, training=batch_normalization).numpy()
    kernel = model.get_layer("hidden1").kernel
    kernel.assign(kernel.value + np.array([0.0, 1.0, 0.0], np.float32)[:, np.newaxis, np.newaxis])
    change = np.abs(model(features, training=batch_normalization).numpy() - before)
    assert (change.max(axis=0) > 1e-3).tolist() == [False, True, False]


def test_every_net_starts_as_one_alone_would():
    keras.utils.set_random_seed(0)
    alone, beside = (network.build(40, Hyperparameters(width=512, depth=2, members=count)) for count in (1, 8))
    for name in ("hidden1", "logits"):
        spread = [np.std(model.get_layer(name).kernel.numpy()) for model in (alone, beside)]
        assert spread[0] == pytest.approx(spread[1], rel=0.15)


def test_the_served_logit_is_the_mean_of_the_members():
    keras.utils.set_random_seed(0)
    members = network.build(5, SMALL)
    features = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    logits = members.predict(features, verbose=0)
    assert logits.shape == (7, 3)
    assert np.ptp(logits, axis=1).min() > 0.0
    averaged = network.average(members).predict(features, verbose=0)
    np.testing.assert_allclose(averaged[:, 0], logits.mean(axis=1), rtol=1e-5, atol=1e-6)


def test_a_single_member_is_its_own_average():
    members = network.build(5, Hyperparameters(width=8, members=1))
    features = np.ones((2, 5), np.float32)
    np.testing.assert_allclose(network.average(members)(features), members(features))


def test_training_starts_at_the_given_logit():
    members = network.build(5, SMALL, initial_logit=-2.0)
    np.testing.assert_allclose(members(np.zeros((1, 5), np.float32)), -2.0, atol=1e-6)


def test_parameters_grow_with_members_only_linearly():
    counts = [network.build(5, Hyperparameters(width=8, members=count)).count_params() for count in (1, 3)]
    assert counts[1] == 3 * counts[0]


def test_hyperparameters_survive_a_round_trip():
    changed = Hyperparameters.from_mapping({"width": 32, "dropout": 0.0})
    assert (changed.width, changed.dropout, changed.depth) == (32, 0.0, Hyperparameters().depth)
    assert Hyperparameters.from_mapping(changed.asdict()) == changed


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"widht": 32}, "unknown hyperparameter 'widht'.*did you mean 'width'"),
        ({"width": 0}, "width: expected 1 to"),
        ({"width": 32.5}, "width: expected a whole number, got 32.5"),
        ({"members": True}, "members: expected a whole number, got True"),
        ({"dropout": 1.0}, "dropout: expected 0"),
        ({"learning_rate": "fast"}, "learning_rate: expected a number, got 'fast'"),
        ({"learning_rate": float("nan")}, "learning_rate: expected"),
        ({"batch_normalization": 1}, "batch_normalization: expected true or false, got 1"),
    ],
)
def test_wrong_hyperparameters_are_named(values, message):
    with pytest.raises(UserError, match=message):
        Hyperparameters.from_mapping(values)
