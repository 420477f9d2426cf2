"""Compares the network with boosted trees and the baselines: `python -m benchmarks.quality`, or `make quality`.

Every model is trained and tested on the same rows and columns of the three published data sets, with and without the
columns known only after the call, and with and without those that say when the call was, where there are such columns:

    random   five folds with equal shares of positive rows: each seed tests on another fifth of the rows, with 15 % of
             all rows for eval and 65 % for train; five more seeds draw five other folds
    time     the first 70 % of the file are train, the next 15 % eval, the last 15 % test, where rows are in order of
             date; here a seed changes only the model

The network and the boosted trees stop early on eval. The calibration of the network and the threshold of every model
are fitted on eval, too. Test is used for the figures only, which are those of `analysis.metrics.evaluate`. On a finite
number of rows even a perfect forecast has an ECE above 0, so the tables show it: the ECE of labels that are drawn from
the network's probabilities.

`--ablation` measures the worth of each choice of encoding and training instead: the network without it, on the same
splits.

Each result goes to a JSON file at once, so an interrupted run continues; delete the file to measure again.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from data import columns as csv_columns
from data import contract as contracts
from data import reader
from data.contract import Contract
from data.paths import ROOT

DATA = ROOT.parent / "shared" / "data"
FILES = tuple(DATA / name for name in ("bank-full.csv", "bank-additional-full.csv", "hackerearth-train.csv"))
RESULTS = ROOT / "artifacts" / "benchmarks"
SPLITS = ("random", "time")
FOLDS = 5
EVALUATION = 0.15
"""Share of all rows."""
METRICS = {"auc": "AUC", "log_loss": "log loss", "ece": "ECE", "f1": "F1 at 0.5", "f1_at_threshold": "F1 at threshold"}
"""The metrics of the comparison's tables."""
MOVED = ("auc", "log_loss", "ece")
"""The metrics of the ablation's tables."""
NETWORK, NETWORK_NAME = "network", "Network"
AS_IT_IS = "as it is"

Columns = Mapping[str, np.ndarray]
Score = Callable[[Columns], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Case:
    """One test: which data, which columns, which split."""

    data: str
    with_after_call: bool
    with_calendar: bool
    split: str
    seed: int


class Change(NamedTuple):
    """One ablation: the network with something changed."""

    contract: Contract
    hyperparameters: Mapping[str, Any] = {}
    patches: Mapping[str, Any] = {}
    """Values to replace in modules, by dotted name."""


class Results:
    """Figures by case and model, kept in a file. Those of an older kind of case are left out."""

    def __init__(self, path: Path):
        self._path = path
        self.figures: dict[tuple[Case, str], dict[str, Any]] = {}
        if path.exists():
            fields = {field.name for field in dataclasses.fields(Case)}
            for entry in (entry for entry in json.loads(path.read_text()) if entry["case"].keys() == fields):
                self.figures[Case(**entry["case"]), entry["model"]] = entry["figures"]

    def add(self, case: Case, model: str, figures: Mapping[str, Any]) -> None:
        """Adds figures and writes the file."""
        self.figures[case, model] = dict(figures)
        entries = [
            {"case": dataclasses.asdict(case), "model": model, "figures": figures}
            for (case, model), figures in self.figures.items()
        ]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(entries, indent=1))
        partial.replace(self._path)


def parts(case: Case, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the train, eval and test rows of a case, given the labels of all rows in file order."""
    from sklearn.model_selection import StratifiedKFold, train_test_split

    if case.split == "time":
        ends = [round((1.0 - 2.0 * EVALUATION) * len(labels)), round((1.0 - EVALUATION) * len(labels))]
        return tuple(np.split(np.arange(len(labels)), ends))
    drawing, fold = divmod(case.seed, FOLDS)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=drawing).split(labels, labels)
    rest, test = next(itertools.islice(folds, fold, None))
    count = round(EVALUATION * len(labels))
    train, evaluation = train_test_split(rest, test_size=count, stratify=labels[rest], random_state=case.seed)
    return train, evaluation, test


def cases(contract: Contract, seeds: int, splits: Sequence[str]) -> Iterator[Case]:
    """All cases of a data set; split by time only where its rows are in order of date."""
    calendar = (False, True) if contract.calendar or contract.clock else (False,)
    for kind, with_calendar, with_after_call, seed in itertools.product(splits, calendar, (False, True), range(seeds)):
        if kind == "random" or contract.row_order == "date":
            yield Case(contract.name, with_after_call, with_calendar, kind, seed)


def names() -> dict[str, str]:
    """The display name of each model, in the order of the tables."""
    from modules.purchase import baselines

    return {NETWORK: NETWORK_NAME, **baselines.MODELS, **boosted()}


def boosted() -> dict[str, str]:
    """The display names of the boosted trees."""
    from benchmarks import boosting
    from modules.purchase.baselines import HIST_GRADIENT_BOOSTING

    return {**boosting.MODELS, HIST_GRADIENT_BOOSTING: "HistGradientBoosting"}


def fit(model: str, contract: Contract, case: Case, train: Columns, evaluation: Columns) -> Score:
    """Trains a model; returns a function from raw columns to probabilities."""
    from benchmarks import boosting
    from modules.purchase import baselines, estimator

    features = contract.features(case.with_after_call)
    if model == NETWORK:
        return estimator.fit(train, evaluation, contract, case.with_after_call, seed=case.seed).score
    if model in boosting.MODELS:
        return boosting.fit(model, train, evaluation, contract, features, case.seed)
    return baselines.fit(model, train, contract, features, case.seed).score


def measure(
    fit: Callable[[Columns, Columns], Score], columns: Columns, contract: Contract, case: Case
) -> dict[str, float]:
    """Trains a model with `fit` on train and eval; returns its figures on test."""
    from analysis import metrics
    from modules.purchase import calibration

    train, evaluation, test = (
        {name: column[rows] for name, column in columns.items()}
        for rows in parts(case, columns[contract.required_label.name])
    )
    started = time.process_time()
    score = fit(train, evaluation)
    seconds = time.process_time() - started
    threshold = calibration.best_threshold(evaluation[contract.required_label.name], score(evaluation))
    probabilities = score(test)
    figures = metrics.evaluate(test[contract.required_label.name], probabilities, threshold)
    return {**dataclasses.asdict(figures), "cpu_seconds": seconds, "perfect_ece": perfect_ece(probabilities, case.seed)}


def perfect_ece(probabilities: np.ndarray, seed: int, draws: int = 20) -> float:
    """The mean ECE of labels drawn from these probabilities: the ECE of a perfect forecast on this number of rows."""
    from analysis.metrics import calibration_error

    uniform = np.random.default_rng(seed).random((draws, len(probabilities)))
    return float(np.mean([calibration_error(row < probabilities, probabilities) for row in uniform]))


def compare(files: Sequence[Path], models: Sequence[str], seeds: int, splits: Sequence[str], results: Results) -> None:
    """Measures the cases and models that the results do not have yet."""
    for found, columns in _read(files):
        for case, model in itertools.product(cases(found, seeds, splits), models):
            contract = found.with_calendar() if case.with_calendar else found
            if (case, model) not in results.figures:
                results.add(
                    case, model, measure(functools.partial(fit, model, contract, case), columns, contract, case)
                )


def changes(contract: Contract) -> dict[str, Change]:
    """All ablations; each changes one choice."""
    from modules.purchase.calibration import Calibration

    def crossed(*crosses: tuple[str, str]) -> Contract:
        return contract.with_modelling(crosses=crosses)

    def plain_numbers() -> Contract:
        plain = {name: number.model_copy(update={"one_hot": False, "bins": None}) for name, number in numbers.items()}
        return crossed(*(pair for pair in crosses if not {*pair} & {*numbers})).model_copy(update={"numeric": plain})

    def unordered() -> Contract:
        plain = {
            name: category.model_copy(update={"ordered": False, "cyclic": False})
            for name, category in contract.categorical.items()
        }
        return contract.model_copy(update={"categorical": plain})

    numbers, half_life = contract.numeric, contract.modelling.half_life_days
    crosses = [pair for pair in contract.modelling.crosses if {*pair} <= {*contract.features()}]
    return {
        AS_IT_IS: Change(contract),
        "no order and no cycle of categories": Change(unordered()),
        **{
            f"no cross of {' and '.join(pair)}": Change(crossed(*(other for other in crosses if other != pair)))
            for pair in crosses
        },
        **({"no crosses": Change(crossed())} if len(crosses) > 1 else {}),
        **({"all calls count alike": Change(contract.with_modelling(half_life_days=None))} if half_life else {}),
        "no number as categories, no cross with one": Change(plain_numbers()),
        "no piecewise-linear codes: one bin": Change(contract, patches={"modules.purchase.transform.BINS": 1}),
        "8 bins instead of 16": Change(contract, patches={"modules.purchase.transform.BINS": 8}),
        "32 bins": Change(contract, patches={"modules.purchase.transform.BINS": 32}),
        "one member instead of 3": Change(contract, {"members": 1}),
        "6 members": Change(contract, {"members": 6}),
        "96 units instead of 48": Change(contract, {"width": 96}),
        "one hidden layer instead of 2": Change(contract, {"depth": 1}),
        "3 hidden layers": Change(contract, {"depth": 3}),
        "no dropout of features": Change(contract, {"input_dropout": 0.0}),
        "no dropout of hidden units": Change(contract, {"dropout": 0.0}),
        "batch normalisation": Change(contract, {"batch_normalization": True}),
        "weight decay of 0.01 instead of 1": Change(contract, {"weight_decay": 0.01}),
        "constant learning rate": Change(contract, patches={"modules.purchase.training.learning_rates": _constant}),
        "28 epochs at most instead of 14": Change(contract, {"epochs": 28}),
        "plain Platt scaling: one piece": Change(contract, patches={"modules.purchase.calibration.SEGMENTS": 1}),
        "no calibration": Change(contract, patches={"modules.purchase.calibration.fit": lambda *rows: Calibration()}),
    }


def _constant(hyperparameters: Any, steps: int) -> np.ndarray:
    return np.full((hyperparameters.epochs, steps), hyperparameters.learning_rate, np.float32)


def ablate(files: Sequence[Path], seeds: int, results: Results) -> None:
    """Measures the ablations that the results do not have yet: random splits, columns that are features by default."""
    for contract, columns in _read(files):
        for seed, (name, change) in itertools.product(range(seeds), changes(contract).items()):
            case = Case(contract.name, False, False, "random", seed)
            if (case, name) not in results.figures:
                with contextlib.ExitStack() as stack:
                    for target, value in change.patches.items():
                        stack.enter_context(mock.patch(target, value))
                    results.add(case, name, measure(functools.partial(_changed, change, seed), columns, contract, case))


def _changed(change: Change, seed: int, train: Columns, evaluation: Columns) -> Score:
    from modules.purchase import estimator
    from modules.purchase.hyperparameters import Hyperparameters

    hyperparameters = Hyperparameters.from_mapping(
        {**change.contract.modelling.hyperparameters, **change.hyperparameters}
    )
    return estimator.fit(train, evaluation, change.contract, False, hyperparameters, seed).score


def _read(files: Sequence[Path]) -> Iterator[tuple[Contract, Columns]]:
    for file in files:
        contract = contracts.find(reader.header(file)[0], str(file))
        yield contract, csv_columns.read(file, contract)


def _groups(results: Results) -> dict[tuple[str, str, str], dict[str, dict[int, dict]]]:
    """Figures by table (split, data, columns in words), model and seed."""
    groups: dict = {}
    for (case, model), figures in results.figures.items():
        words = f"{'with' if case.with_after_call else 'without'} duration{', with calendar' * case.with_calendar}"
        table = groups.setdefault((case.split, case.data, words), {})
        table.setdefault(model, {})[case.seed] = figures
    return dict(sorted(groups.items(), key=lambda item: item[0][0]))


def summary_table(results: Results, boosted: Mapping[str, str]) -> str:
    """Markdown: the network and the best boosted trees by mean; differences are taken seed by seed.

    Args:
      results: only the seeds that all these models have are used.
      boosted: the display names of the boosted trees.
    """
    lines = [
        "| data, columns, split | AUC | best boosted trees | difference | log loss | best boosted trees | more | ECE "
        "| of a perfect forecast |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (kind, data, words), table in _groups(results).items():
        if not {NETWORK, *boosted} <= table.keys():
            continue
        seeds = sorted(set.intersection(*(set(table[model]) for model in (NETWORK, *boosted))))
        columns = {
            model: {key: np.array([table[model][seed][key] for seed in seeds]) for key in ("auc", "log_loss")}
            for model in (NETWORK, *boosted)
        }
        ranking = max(boosted, key=lambda model: columns[model]["auc"].mean())
        forecast = min(boosted, key=lambda model: columns[model]["log_loss"].mean())
        loss, least = columns[NETWORK]["log_loss"].mean(), columns[forecast]["log_loss"].mean()
        cells = [
            f"{data}, {words}, {kind}",
            f"{columns[NETWORK]['auc'].mean():.4f}",
            f"{columns[ranking]['auc'].mean():.4f} {boosted[ranking]}",
            mean_and_deviation(columns[NETWORK]["auc"] - columns[ranking]["auc"], signed=True),
            f"{loss:.4f}",
            f"{least:.4f} {boosted[forecast]}",
            f"{loss / least - 1.0:+.1%}",
            *(f"{np.mean([table[NETWORK][seed][key] for seed in seeds]):.4f}" for key in ("ece", "perfect_ece")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def comparison_tables(results: Results, names: Mapping[str, str]) -> str:
    """Markdown: one table for each data set, columns and split, with mean and standard deviation over seeds."""
    lines = []
    for (kind, data, words), table in _groups(results).items():
        lines += [
            f"### {data}, {words}, {kind} split, {_seeds(table)} seeds",
            "",
            "| model | " + " | ".join(METRICS.values()) + " | CPU s |",
            "|---|" + "---|" * (len(METRICS) + 1),
        ]
        for model in (name for name in names if name in table):
            figures = table[model].values()
            cells = [mean_and_deviation([figure[key] for figure in figures]) for key in METRICS]
            seconds = np.mean([figure["cpu_seconds"] for figure in figures])
            lines.append(f"| {names[model]} | {' | '.join(cells)} | {seconds:.1f} |")
        if NETWORK in table:
            perfect = np.mean([figure["perfect_ece"] for figure in table[NETWORK].values()])
            lines += ["", f"The ECE of a perfect forecast on so many rows: {perfect:.4f}."]
        lines.append("")
    return "\n".join(lines)


def ablation_tables(results: Results) -> str:
    """Markdown: for each data set the network's figures, and their change by each ablation, seed by seed."""
    lines = []
    for (_, data, words), table in _groups(results).items():
        lines += [
            f"### {data}, {words}, {_seeds(table)} seeds",
            "",
            "| change | " + " | ".join(METRICS[key] for key in MOVED) + " | CPU s |",
            "|---|" + "---|" * (len(MOVED) + 1),
        ]
        for change, by_seed in table.items():
            reference = {} if change == AS_IT_IS else table[AS_IT_IS]
            cells = [
                mean_and_deviation(
                    [figures[key] - reference.get(seed, {key: 0.0})[key] for seed, figures in by_seed.items()],
                    signed=change != AS_IT_IS,
                )
                for key in MOVED
            ]
            seconds = np.mean([figures["cpu_seconds"] for figures in by_seed.values()])
            lines.append(f"| {change} | {' | '.join(cells)} | {seconds:.1f} |")
        lines.append("")
    return "\n".join(lines)


def mean_and_deviation(values: Sequence[float], signed: bool = False) -> str:
    """`0.8042 ± 0.0110`: mean and standard deviation over seeds."""
    return f"{np.mean(values):{'+' * signed}.4f} ± {np.std(values, ddof=min(1, len(values) - 1)):.4f}"


def _seeds(table: Mapping[str, Mapping[int, Any]]) -> int:
    return max(map(len, table.values()))


def main() -> None:
    """Measures what is missing and writes the tables to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--data", type=Path, nargs="+", default=FILES, metavar="FILE", help="CSV files of a contract")
    parser.add_argument(
        "--seeds", type=int, default=10, help="number of seeds; five draw one set of folds (default: %(default)s)"
    )
    parser.add_argument("--splits", nargs="+", default=SPLITS, choices=SPLITS)
    parser.add_argument("--models", nargs="+", default=list(names()), choices=list(names()))
    parser.add_argument(
        "--ablation", action="store_true", help="measure the worth of each choice of the network instead"
    )
    parser.add_argument(
        "--results", type=Path, help="default: comparison.json or ablation.json in artifacts/benchmarks"
    )
    options = parser.parse_args()
    absent = [str(file) for file in options.data if not file.is_file()]
    if absent:
        parser.error(f"no such file: {', '.join(absent)}; name others with --data")

    results = Results(options.results or RESULTS / ("ablation.json" if options.ablation else "comparison.json"))
    if options.ablation:
        ablate(options.data, options.seeds, results)
        sys.stdout.write(ablation_tables(results))
    else:
        compare(options.data, options.models, options.seeds, options.splits, results)
        sys.stdout.write(f"{summary_table(results, boosted())}\n\n{comparison_tables(results, names())}")


if __name__ == "__main__":
    main()
