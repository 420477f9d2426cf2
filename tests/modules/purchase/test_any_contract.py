"""Contracts that nobody wrote: each one is refused when it is loaded, or its rows become a model that can be served."""

from __future__ import annotations

import itertools
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

from data import contract as contracts
from data.contract import Contract
from data.errors import BadContractError
from data.model_folder import ModelFolder
from data.model_spec import PURCHASE_MODEL
from modules import encoding, tf_serving_probe
from modules.purchase import estimator, transform
from modules.purchase.config import TrainingConfig
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.predictor import scorer
from modules.purchase.trainer import run_fn
from tests.support.training import examples, train_and_export

TINY = {"width": 4, "depth": 1, "epochs": 1, "members": 1}
NAMES = ("age", "Age", "a.b", "x-y", "0", "features", "examples", "probability", "purchase", "training", "name")
"""Names that a graph, a signature or a function of this project may use for something else."""
TRAIN, EVALUATION = 60, 20
EVERY_RUN_ALIKE = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "phases": (Phase.explicit, Phase.generate),
    "suppress_health_check": [HealthCheck.too_slow],
}
TEXTS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=6)


BOUNDS = ((0, 1), (0, 9), (1, 64), (-3, 100), (0.5, 0.75), (0.5, 3.5), (0, 1e-6), (-1e6, 1e6), (-1e30, 1e30), (0, 1e39))
"""Lowest and highest values of numbers. A contract must refuse some of them."""


@st.composite
def numbers(draw: st.DrawFn) -> dict[str, Any]:
    """A number column."""
    low, high = draw(st.sampled_from(BOUNDS))
    column: dict[str, Any] = {"unit": "units", "min": low, "max": high, "blank": draw(st.booleans())}
    column["integer"] = high - low >= 1 and draw(st.booleans())
    kind = draw(st.sampled_from(["plain", "one_hot", "bins"]))
    if kind == "one_hot" and column["integer"] and high - low < 64:
        column["one_hot"] = True
    if kind == "bins":
        column["bins"] = draw(st.sampled_from([2, 5, 256]))
    if draw(st.booleans()):
        column["missing"] = draw(st.sampled_from([-1, 0, low, 999]))
    if draw(st.booleans()):
        column["bands"] = [low, (low + high) / 2]
    return column


@st.composite
def categories(draw: st.DrawFn) -> dict[str, Any]:
    """A text column."""
    return {
        "values": draw(st.lists(TEXTS, min_size=1, max_size=5, unique=True)),
        "blank": draw(st.booleans()),
        **draw(st.sampled_from([{}, {"ordered": True}, {"cyclic": True}])),
    }


def lists_of(choices: list) -> st.SearchStrategy[list]:
    """None, one or two of the choices, where there are any."""
    return st.lists(st.sampled_from(choices), max_size=2, unique_by=str) if choices else st.just([])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A contract as its YAML file says it."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    first_category = draw(st.integers(0, len(names)))
    numeric = {name: draw(numbers()) for name in names[:first_category]}
    categorical = {name: draw(categories()) for name in names[first_category:]}
    divided = [name for name, column in numeric.items() if "one_hot" in column or "bins" in column]
    banded = [name for name, column in numeric.items() if "bands" in column]
    return {
        "name": "drawn",
        "title": "Drawn at random",
        "numeric": numeric,
        "categorical": categorical,
        "label": {"name": "label", "positive": "1", "negative": "0"},
        "after_call": draw(st.lists(st.sampled_from(names), max_size=len(names) - 1, unique=True)),
        "modelling": {
            "crosses": draw(lists_of([list(pair) for pair in itertools.combinations([*divided, *categorical], 2)])),
            "slices": draw(lists_of([*banded, *categorical])),
            "hyperparameters": TINY,
        },
    }


def document(numeric: dict | None = None, categorical: dict | None = None, **more: Any) -> dict[str, Any]:
    """A contract of a few columns, for the named edges."""
    label = {"name": "label", "positive": "1", "negative": "0"}
    whole = {"name": "named", "title": "A named edge", "numeric": numeric or {}, "categorical": categorical or {}}
    return {**whole, "label": label, "modelling": {"hyperparameters": TINY}, **more}


NUMBER = {"unit": "units", "min": 0, "max": 9}
CATEGORY = {"values": ["a", "b"]}
NO_MISSING_NUMBER = document({"age": NUMBER, "income": NUMBER}, {"town": CATEGORY})
NO_CATEGORY = document({"age": {**NUMBER, "missing": -1}, "income": {**NUMBER, "blank": True}})
NO_NUMBER = document(None, {"town": CATEGORY, "season": {"values": ["spring", "autumn"], "cyclic": True}})
ONE_NUMBER = document({"age": NUMBER})
ONE_CATEGORY = document(None, {"town": CATEGORY})
ONE_VALUE = document(None, {"town": {"values": ["a"], "ordered": True}})
CROSSED = document(
    {"day": {**NUMBER, "integer": True, "one_hot": True}, "rate": {**NUMBER, "bins": 4}},
    {"size": {"values": ["s", "m", "l"], "ordered": True, "blank": True}},
    modelling={"crosses": [["day", "size"], ["rate", "size"], ["day", "rate"]], "hyperparameters": TINY},
)

FILLINGS = ("varied", "constant", "missing")
"""What a column's rows are: as varied as the contract allows, all equal, or all missing where that is allowed."""
LABELS = ("both", "never positive", "always positive")


def load(document: dict[str, Any]) -> Contract | None:
    """The contract, or None where it is refused with the file and the key at fault."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "drawn.yaml")
        path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        try:
            return contracts.load(path)
        except BadContractError as error:
            lines = str(error).splitlines()
            assert all(re.match(rf"{re.escape(str(path))}: (numeric|categorical|modelling)", line) for line in lines)
            return None


def rows_of(contract: Contract, filling: str, labels: str, seed: int, count: int) -> dict[str, np.ndarray]:
    """Rows that the contract allows, as `data.columns.read` gives them."""
    random = np.random.default_rng(seed)
    rows: dict[str, np.ndarray] = {}
    for name, number in contract.numeric.items():
        values = number.min + random.random(count) * (number.max - number.min)
        values = np.clip(np.round(values), np.ceil(number.min), np.floor(number.max)) if number.integer else values
        values = np.full(count, values[0]) if filling == "constant" else values
        absent = random.random(count) < (1.0 if filling == "missing" else 0.2)
        if number.missing is not None:
            values = np.where(absent, number.missing, values)
        if number.blank:
            values = np.where(absent & (random.random(count) < 0.5), np.nan, values)
        rows[name] = values.astype(np.float32)
    for name, category in contract.categorical.items():
        texts = np.array([value.encode() for value in category.domain], object)
        rows[name] = texts[random.integers(len(texts), size=count) * (filling == "varied")]
    share = {"both": 0.4, "never positive": 0.0, "always positive": 1.0}[labels]
    rows["label"] = (random.random(count) < share).astype(np.int64)
    return rows


def strange(rows: dict[str, np.ndarray], contract: Contract) -> dict[str, np.ndarray]:
    """The same rows with numbers and texts that the contract does not allow."""
    numbers = np.float32([np.nan, np.inf, -np.inf, 3e38, -1.0, 0.0])
    texts = np.array([b"", b"never heard of", "größer".encode(), b"\xff\x00"], object)
    count = len(rows["label"])
    return {name: np.resize(numbers if name in contract.numeric else texts, count) for name in rows}


drawn = given(
    document=documents(),
    filling=st.sampled_from(FILLINGS),
    labels=st.sampled_from(LABELS),
    with_after_call=st.booleans(),
    seed=st.integers(0, 99),
)


def edge(document: dict, filling: str = "varied", labels: str = "both", with_after_call: bool = False):
    """A named example of the tests below."""
    return example(document=document, filling=filling, labels=labels, with_after_call=with_after_call, seed=0)


@settings(max_examples=100, **EVERY_RUN_ALIKE)
@drawn
@edge(NO_MISSING_NUMBER)
@edge(NO_CATEGORY, "missing")
@edge(NO_NUMBER)
@edge(ONE_NUMBER, "constant")
@edge(ONE_CATEGORY)
@edge(ONE_VALUE)
@edge(CROSSED, with_after_call=True)
def test_features_are_finite_and_as_many_for_a_row_as_for_a_list(document, filling, labels, with_after_call, seed):
    contract = load(document)
    if contract is None:
        return
    rows = rows_of(contract, filling, labels, seed, TRAIN)
    grid = encoding.exact_quantiles(rows, transform.numbers(contract, with_after_call))
    assert np.isfinite(grid).all()
    for columns in (rows, strange(rows, contract)):
        features = estimator.encode(columns, grid, contract, with_after_call)
        assert features.dtype == np.float32
        assert np.isfinite(features).all()
        alone = estimator.encode(
            {name: column[:1] for name, column in columns.items()}, grid, contract, with_after_call
        )
        np.testing.assert_allclose(alone, features[:1], atol=1e-6)


@settings(max_examples=6, **EVERY_RUN_ALIKE)
@drawn
@edge(ONE_NUMBER, "constant", "never positive")
@edge(ONE_CATEGORY, "constant", "always positive")
def test_a_model_is_fitted_and_scores_whatever_it_is_given(document, filling, labels, with_after_call, seed):
    contract = load(document)
    assume(contract is not None)
    train = rows_of(contract, filling, labels, seed, TRAIN)
    evaluation = rows_of(contract, filling, labels, seed + 1, EVALUATION)
    tiny = Hyperparameters.from_mapping(TINY)
    model = estimator.fit(train, evaluation, contract, with_after_call, tiny, seed)
    assert 0.0 <= model.threshold <= 1.0
    for columns in (evaluation, strange(evaluation, contract)):
        scores = model.score(columns)
        assert scores.shape == (EVALUATION,)
        assert ((scores > 0.0) & (scores < 1.0)).all()


@pytest.mark.e2e
@settings(max_examples=4, **EVERY_RUN_ALIKE)
@drawn
@edge(NO_MISSING_NUMBER)
@edge(NO_CATEGORY, "missing", "never positive")
@edge(NO_NUMBER, labels="always positive")
@edge(CROSSED)
def test_tf_serving_answers_as_the_exported_model_does(document, filling, labels, with_after_call, seed):
    contract = load(document)
    assume(contract is not None)
    train = rows_of(contract, filling, labels, seed, TRAIN)
    evaluation = rows_of(contract, filling, labels, seed + 1, EVALUATION)
    with tempfile.TemporaryDirectory() as folder:
        config = TrainingConfig(contract, with_after_call, seed=1).to_config()
        export = train_and_export(Path(folder), contract, transform.preprocessing_fn, run_fn, config, train, evaluation)
        features = contract.features(with_after_call)
        card = ModelFolder(export).card()
        assert card.features == features
        raw = {name: evaluation[name] for name in features}
        expected = scorer(str(export), features)(raw)
        assert np.isfinite(expected).all()
        differences = tf_serving_probe.differences(
            str(export), raw, examples(evaluation), PURCHASE_MODEL.score, expected
        )
        assert max(differences.values()) < 1e-6


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            document({"rate": {**NUMBER, "max": 1e39}}),
            r"numeric\.rate\.max: .*less than or equal to 10{30}, got 1e\+39",
        ),
        (
            document({"rate": {**NUMBER, "missing": -1e39}}),
            r"numeric\.rate\.missing: .*greater than or equal to -10{30}, got",
        ),
        (
            document({"half": {"unit": "units", "min": 0.5, "max": 3.5, "integer": True, "one_hot": True}}),
            r"numeric\.half: one_hot needs an integer column .* and whole bounds",
        ),
        (document({"age": NUMBER}, {"Age": CATEGORY}), "Age, age differ in upper and lower case only"),
        (document({"self": NUMBER}), "'self' cannot be the name of a model's input"),
    ],
    ids=["large bound", "large marker", "one_hot with fractions", "names alike", "reserved name"],
)
def test_a_contract_that_cannot_become_a_model_is_refused_with_the_reason(document, message, tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(BadContractError, match=message):
        contracts.load(path)
