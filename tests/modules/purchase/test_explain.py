"""The contributions of the columns add up to the logit and are close to Shapley values."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from benchmarks import shapley
from data import columns, sample
from data import contract as contracts
from data.contract import Contract
from modules.purchase import estimator, transform
from modules.purchase.estimator import Estimator
from modules.purchase.explain import VALUES, Explainer
from modules.purchase.hyperparameters import Hyperparameters
from tests.support.properties import RELAXED

CONTRACT = contracts.load("bank-full")
NAMES = CONTRACT.features()
FEW = Contract.model_validate(
    {
        "name": "few",
        "title": "Five columns, two of them crossed",
        "numeric": {name: CONTRACT.numeric[name].model_dump() for name in ("age", "previous", "day")},
        "categorical": {name: CONTRACT.categorical[name].model_dump() for name in ("month", "poutcome")},
        "label": CONTRACT.required_label.model_dump(),
        "modelling": {"crosses": [["day", "month"]]},
    }
)


@dataclasses.dataclass(frozen=True)
class Explained:
    """A fitted model with its rows and its explainer, and functions of rows as the export has them."""

    model: Estimator
    names: tuple[str, ...]
    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    explainer: Explainer
    explain: tf.types.experimental.GenericFunction
    score: tf.types.experimental.GenericFunction

    def __call__(self, rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return tuple(tensor.numpy() for tensor in self.explain(self.tensors(rows)))

    def tensors(self, rows) -> dict[str, tf.Tensor]:
        return {name: tf.constant(rows[name]) for name in self.names}

    def encode(self, rows) -> tf.Tensor:
        return transform.encode(self.tensors(rows), self.model.grid, self.model.contract)

    def logit(self, rows) -> np.ndarray:
        return self.score(self.tensors(rows)).numpy().astype(np.float64)

    def background(self, count: int) -> dict[str, np.ndarray]:
        chosen = np.linspace(0, len(self.train[self.names[0]]) - 1, count).round().astype(int)
        return {name: values[chosen] for name, values in self.train.items()}


def explained(contract: Contract, rows: dict[str, np.ndarray], names: tuple[str, ...]) -> Explained:
    train = {name: values[:3000] for name, values in rows.items()}
    test = {name: values[3000:] for name, values in rows.items()}
    fitted = estimator.fit(train, test, contract, False, Hyperparameters(width=16, depth=2, members=2, epochs=6))

    def encode(inputs):
        return transform.encode(inputs, fitted.grid, contract)

    explainer = Explainer(
        names, transform.layout(contract), encode, fitted.model.network, fitted.model.calibration, train
    )
    spec = {name: tf.TensorSpec([None], tf.float32 if name in contract.numeric else tf.string, name) for name in names}
    return Explained(
        fitted,
        names,
        train,
        test,
        explainer,
        tf.function(lambda rows: explainer(encode(rows)), input_signature=[spec], autograph=False),
        tf.function(
            lambda rows: fitted.model.calibration.calibrated(fitted.model.network(encode(rows), training=False)[:, 0]),
            input_signature=[spec],
            autograph=False,
        ),
    )


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> dict[str, np.ndarray]:
    file = tmp_path_factory.mktemp("rows") / "sample.csv"
    sample.write(file, rows=4_000, seed=7)
    return columns.read(file, CONTRACT)


@pytest.fixture(scope="module")
def bank(rows) -> Explained:
    return explained(CONTRACT, rows, NAMES)


@pytest.fixture(scope="module")
def few(rows) -> Explained:
    return explained(FEW, rows, FEW.features())


NUMBERS = st.floats(width=32) | st.sampled_from([-1.0, 0.0, 999.0])
CUSTOMERS = st.lists(
    st.fixed_dictionaries(
        {name: NUMBERS for name in NAMES if name in CONTRACT.numeric}
        | {
            name: st.sampled_from(CONTRACT.categorical[name].values) | st.text(max_size=4)
            for name in NAMES
            if name in CONTRACT.categorical
        }
    ),
    min_size=1,
    max_size=4,
)


@given(CUSTOMERS)
@RELAXED
def test_contributions_and_base_add_up_to_the_logit_of_any_row(bank, customers):
    rows = {
        name: np.array([row[name] for row in customers], np.float32)
        if name in CONTRACT.numeric
        else np.array([row[name].encode() for row in customers], object)
        for name in NAMES
    }
    contributions, base, logit = bank(rows)
    assert contributions.shape == (len(customers), len(NAMES))
    assert contributions.dtype == base.dtype == np.float32
    np.testing.assert_allclose(base + contributions.sum(axis=1), logit, atol=1e-5)
    np.testing.assert_allclose(logit, bank.logit(rows), atol=1e-5)


def test_a_row_is_explained_alike_alone_and_among_others(bank):
    together = bank(bank.test)[0]
    alone = bank({name: values[5:6] for name, values in bank.test.items()})[0]
    np.testing.assert_allclose(alone[0], together[5], atol=1e-5)


def test_replaced_values_change_the_prediction_as_if_the_row_had_them(few):
    """The first layer is not computed again, and crosses change with either column."""
    for name, replacement in zip(few.names, few.explainer._replacements, strict=True):
        values = np.sort(few.train[name])[((np.arange(VALUES) + 0.5) / VALUES * 3000).astype(int)]
        by_hand = np.mean(
            [few.logit({**few.test, name: np.repeat(value, 1000).astype(values.dtype)}) for value in values], axis=0
        )
        features = few.encode(few.test)
        found = few.explainer._without(features, few.explainer._before(features), replacement)
        np.testing.assert_allclose(found, by_hand, atol=1e-4)


def test_contributions_of_few_columns_are_close_to_exact_shapley_values(few):
    some = {name: values[:200] for name, values in few.test.items()}
    background = few.background(64)
    expected = shapley.exact(few.logit, some, background, few.names)
    base = few.logit(background).mean()
    np.testing.assert_allclose(base + expected.sum(axis=1), few.logit(some), atol=1e-6)
    found, _, _ = few(some)
    assert mean_rank_correlation(found, expected) >= 0.9


def test_contributions_rank_the_columns_as_sampled_shapley_values_do(bank):
    some = {name: values[:100] for name, values in bank.test.items()}
    expected = shapley.sampled(bank.logit, some, bank.background(256), NAMES, permutations=60, seed=1)
    assert mean_rank_correlation(bank(some)[0], expected) >= 0.85  # the reference itself has noise


def mean_rank_correlation(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.mean([spearmanr(*pair).statistic for pair in zip(found, expected, strict=True)]))


@pytest.mark.parametrize("contract", [CONTRACT, FEW, contracts.load("hackerearth"), contracts.load("bank-additional")])
def test_a_column_changes_only_its_own_features(contract):
    names = contract.features()
    layout = transform.layout(contract)
    random = np.random.default_rng(3)
    ranges = {
        name: (max(column.min, 0), min(column.max, max(column.min, 0) + 500))
        for name, column in transform.numbers(contract).items()
    }
    drawn = {name: random.uniform(*ends, 200).round().astype(np.float32) for name, ends in ranges.items()} | {
        name: random.choice(contract.categorical[name].values, 200).astype(object)
        for name in names
        if name in contract.categorical
    }
    grid = np.array([np.linspace(*ends, transform.GRID) for ends in ranges.values()], np.float32)

    def encode(rows) -> np.ndarray:
        return transform.encode({name: tf.constant(values) for name, values in rows.items()}, grid, contract).numpy()

    features = encode(drawn)
    assert features.shape[1] == len(layout.owners)
    for name in names:
        changed = encode({**drawn, name: drawn[name][::-1].copy()})
        touched = np.flatnonzero((changed != features).any(axis=0))
        assert touched.size
        assert {*touched} <= {*layout.places(name)}
