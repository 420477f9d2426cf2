"""Measures the baselines on the same rows as the network."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact
from tfx.types.artifact_utils import get_split_uri
from tfx.types.standard_artifacts import Examples, Model, ModelRun

from analysis.metrics import evaluate
from analysis.sampling import drawn
from data.contract import Contract
from data.model_folder import PurchaseCard
from modules import artifacts
from modules.examples import SPLITS, read_raw
from modules.purchase import baselines
from modules.purchase.calibration import best_threshold
from modules.purchase.predictor import scorer
from modules.purchase.trainer import FIT
from pipeline.components.scorer import Scores
from runs.summary import ComparedModel

SPLIT = "test"
COMPARISON = "comparison.json"
TRAIN_ROWS = 500_000
"""Most rows that the baselines learn from, a random sample where there are more."""
HELD_OUT_ROWS = 100_000
"""Most rows of eval and of test, likewise. The standard error of the AUC of so many rows is about 0.002."""
TIMED_ROWS = 2048
"""Test rows by which the speed of scoring is measured, in one call; a list, not a single customer."""
REPETITIONS = 3

Columns = Mapping[str, np.ndarray]


class Comparison(Artifact):
    """`comparison.json`, see :func:`Benchmark`."""

    TYPE_NAME = "pipeline.Comparison"


@component
def Benchmark(  # noqa: N802
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    model_run: InputArtifact[ModelRun],
    scores: InputArtifact[Scores],
    comparison: OutputArtifact[Comparison],
    contract: Parameter[str],
    seed: Parameter[int],
    code: Parameter[str],
) -> None:
    """Fits each of `baselines.MODELS` on train, chooses its threshold on eval and measures it on test.

    Large splits are sampled, see TRAIN_ROWS and HELD_OUT_ROWS; the network is measured on the same test rows.

    `comparison.json` holds `split` and `models`, the network first, each a `runs.summary.ComparedModel`:
    `train_seconds` is from raw rows to a fitted model, `score_microseconds` per row from raw rows in memory to
    probabilities. The network's training includes reading its rows from disk, but not the Tuner's search.

    Args:
      examples: raw rows in the splits train, eval and test.
      model: the exported network.
      model_run: holds the time that the network's training took.
      scores: the network's outputs.
      comparison: output.
      contract: the contract as JSON.
      seed: of the baselines.
      code: fingerprint of the code behind it.
    """
    parsed = Contract.model_validate_json(contract)
    card = artifacts.model_card(model.uri, PurchaseCard)
    features = card.features
    read = {split: read_raw([f"{get_split_uri([examples], split)}/*"], parsed, features) for split in SPLITS}
    generator = np.random.default_rng(seed)
    chosen = {
        split: drawn(columns.rows, TRAIN_ROWS if split == "train" else HELD_OUT_ROWS, generator)
        for split, columns in read.items()
    }
    train, evaluation, test = (read[split].take(chosen[split]) for split in SPLITS)
    scored = artifacts.read_arrays(scores.uri, f"{SPLIT}.npz")
    labels, probabilities = (scored[name][chosen[SPLIT]] for name in ("label", "probability"))
    network = ComparedModel(
        key="network",
        name="Dense network",
        metrics=evaluate(labels, probabilities, card.threshold),
        threshold=card.threshold,
        train_seconds=artifacts.read_json(model_run.uri, FIT)["seconds"],
        score_microseconds=microseconds(scorer(artifacts.saved_model(model.uri), features), test),
        train_rows=read["train"].rows,
    )
    others = [measure(key, (train, evaluation, test), parsed, features, seed) for key in baselines.MODELS]
    content = {"split": SPLIT, "models": [dataclasses.asdict(compared) for compared in (network, *others)]}
    artifacts.write_json(content, comparison.uri, COMPARISON)


def measure(
    key: str, splits: tuple[Columns, Columns, Columns], contract: Contract, features: Sequence[str], seed: int
) -> ComparedModel:
    """Fits one baseline on train, chooses its threshold on eval and measures it on test."""
    train, evaluation, test = splits
    label = contract.required_label.name
    started = time.perf_counter()
    baseline = baselines.fit(key, train, contract, features, seed)
    train_seconds = time.perf_counter() - started
    threshold = best_threshold(evaluation[label], baseline.score(evaluation))
    return ComparedModel(
        key=key,
        name=baselines.MODELS[key],
        metrics=evaluate(test[label], baseline.score(test), threshold),
        threshold=threshold,
        train_seconds=train_seconds,
        score_microseconds=microseconds(baseline.score, test),
        train_rows=len(train[label]),
    )


def microseconds(score: Callable[[Columns], np.ndarray], columns: Columns) -> float:
    """Median time per row over a few calls of TIMED_ROWS rows, after one that warms up."""
    rows = {name: column[:TIMED_ROWS] for name, column in columns.items()}
    count = len(next(iter(rows.values())))
    score(rows)
    seconds = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        score(rows)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) / count * 1e6
