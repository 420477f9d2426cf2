"""Representations as lists of dense layers."""

import keras
import numpy as np
import pytest

from modules.segments.autoencoder import autoencoders, code_size
from modules.segments.representation import COLUMNS, EXPLAINED, Layer, Representation, pca
from tests.modules.segments.customers import encode, kinds


@pytest.fixture(scope="module")
def rows():
    numbers, categories, _ = kinds(1_500)
    return encode(np.hstack([numbers, numbers[:, :1] + 0.1, np.ones((1_500, 1))]), categories)


@pytest.fixture(scope="module")
def trained(rows):
    return autoencoders([(rows.features, 1), (rows.features, 2), (rows.features, 1)])


def test_the_columns_are_their_own_representation(rows):
    assert (COLUMNS.encode(rows.features) == rows.features).all()


def test_components_explain_enough_and_no_more_are_kept(rows):
    components = pca(rows.features)
    shares = np.array(components.explained_variance)
    assert shares[: components.kept].sum() >= EXPLAINED > shares[: components.kept - 1].sum()
    assert shares.sum() == pytest.approx(1)
    encoded = components.representation.encode(rows.features)
    assert encoded.dtype == np.float32
    assert encoded.shape == (1_500, components.kept)
    assert encoded.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert encoded.var(axis=0).sum() / rows.features.var(axis=0).sum() == pytest.approx(
        shares[: components.kept].sum(), abs=1e-4
    )


def test_as_many_components_as_asked_for_are_kept(rows):
    assert pca(rows.features, 3).kept == 3


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_layers_do_what_those_of_keras_do(activation):
    generator = np.random.default_rng(0)
    weights, bias, inputs = (generator.normal(size=size).astype("float32") for size in ((4, 3), (3,), (5, 4)))
    layer = keras.layers.Dense(3, activation=activation)
    layer.build((None, 4))
    layer.set_weights([weights, bias])
    encoded = Representation("autoencoder", (Layer(weights, bias, activation),)).encode(inputs)
    assert encoded == pytest.approx(np.asarray(layer(inputs)), abs=1e-5)


def test_the_autoencoder_restores_what_belongs_together(rows, trained):
    first = trained[0]
    assert first.code == code_size(rows.features.shape[1])
    assert first.held_out_loss[-1] < 0.3 * first.held_out_loss[0]
    errors = first.errors(rows.features[first.held_out], rows.owners, rows.columns)
    assert list(errors) == list(rows.columns)
    assert errors["column0"] < 0.2
    assert errors["column4"] == 0, "a constant column has no variance to lose"
    code = first.representation.encode(rows.features)
    assert (code.dtype, code.shape) == (np.float32, (1_500, first.code))


def test_a_seed_gives_the_same_autoencoder_whatever_was_trained_before(trained):
    first, other, again = ([layer.weights for layer in each.representation.layers] for each in trained)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not any((a == b).all() for a, b in zip(first, other, strict=True))


def test_two_customers_are_enough():
    features = np.array([[0, 1], [1, 0]], np.float32)
    assert pca(features).kept == 1
    assert np.isfinite(autoencoders([(features, 0)])[0].representation.encode(features)).all()
