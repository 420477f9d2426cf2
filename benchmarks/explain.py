"""Measures the signature `explain` of the purchase model: its cost, and how close it is to Shapley values.

    python -m benchmarks.explain FILE [--model FOLDER] [--rounds 15] [--permutations 400]

The model is the newest one in artifacts/serving, or the one in FOLDER; FILE has rows of its contract. Plain predictions
and explanations of the same 1,000 rows alternate in one process and one TF1 session, as `python -m serving` runs them.
The ratio is that of their CPU time, which other work on the machine moves less than the time on the clock. The
reference of the last 200 rows is sampled from the definition, see `benchmarks/shapley.py`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import logit
from scipy.stats import spearmanr

from benchmarks import shapley
from data import columns, model_folder
from data import contract as contracts
from data.model_folder import CONTRACT, ModelFolder
from data.model_spec import CONTRIBUTIONS, EXPLAIN_SIGNATURE, PURCHASE_MODEL, RAW_SIGNATURE
from data.paths import ARTIFACTS, serving_folder
from serving.servable import RuntimeOptions, Servable

ROWS = 1000
REFERENCE_ROWS = 200
BACKGROUND = 256


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="a CSV file of training rows, or a folder of them")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="a version of the purchase model")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the timing (default: %(default)s)")
    parser.add_argument(
        "--permutations", type=int, default=400, help="orders of the columns in the reference (default: %(default)s)"
    )
    options = parser.parse_args()
    newest = model_folder.newest(serving_folder(ARTIFACTS, PURCHASE_MODEL.name))
    folder = ModelFolder(options.model) if options.model else newest
    if folder is None:
        parser.error("no model in artifacts/serving; give one with --model")
    contract = contracts.parse(folder.extra(CONTRACT).read_text(), str(folder.path))
    rows = columns.read(options.file, contract)
    model = Servable(PURCHASE_MODEL.name, 1, folder.path, RuntimeOptions())
    table = Table("", "measured")
    for name, figure in [*cost(model, rows, options.rounds), *closeness(model, rows, options.permutations)]:
        table.add_row(name, figure)
    Console().print(table)


def run(model: Servable, signature: str, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of a signature."""
    found = model.signatures[signature]
    return model.run(found, [rows[name] for name in found.inputs])


def cost(model: Servable, rows: Mapping[str, np.ndarray], rounds: int) -> list[tuple[str, str]]:
    """CPU time of predictions and explanations."""
    some = {name: values[:ROWS] for name, values in rows.items()}
    seconds: dict[str, list[float]] = {RAW_SIGNATURE: [], EXPLAIN_SIGNATURE: []}
    for signature in seconds:
        run(model, signature, some)  # the first run optimises the graph
    for _ in range(rounds):
        for signature, times in seconds.items():
            started = time.process_time()
            run(model, signature, some)
            times.append(time.process_time() - started)
    plain, explained = (statistics.median(times) for times in seconds.values())
    return [
        (f"{ROWS:,} predictions", f"{plain * 1e3:.1f} ms of CPU"),
        (f"{ROWS:,} explanations", f"{explained * 1e3:.1f} ms of CPU"),
        ("ratio", f"{explained / plain:.1f}"),
        ("1,000,000 explanations", f"{explained * 1e6 / ROWS:.0f} s of CPU"),
    ]


def closeness(model: Servable, rows: Mapping[str, np.ndarray], permutations: int) -> list[tuple[str, str]]:
    """Rank correlation of the columns with Shapley values."""
    names = sorted(model.signatures[EXPLAIN_SIGNATURE].inputs)
    count = len(rows[names[0]])
    chosen = np.linspace(0, count - REFERENCE_ROWS - 1, BACKGROUND).round().astype(int)
    some = {name: rows[name][-REFERENCE_ROWS:] for name in names}
    background = {name: rows[name][chosen] for name in names}

    def score(mixed: Mapping[str, np.ndarray]) -> np.ndarray:
        return logit(run(model, RAW_SIGNATURE, mixed)[PURCHASE_MODEL.score].astype(np.float64))

    expected = shapley.sampled(score, some, background, names, permutations, seed=1)
    found = run(model, EXPLAIN_SIGNATURE, some)[CONTRIBUTIONS]
    by_row = [spearmanr(*pair).statistic for pair in zip(found, expected, strict=True)]
    overall = spearmanr(np.abs(found).mean(axis=0), np.abs(expected).mean(axis=0)).statistic
    top = [
        len({*np.argsort(-np.abs(one))[:3]} & {*np.argsort(-np.abs(other))[:3]}) / 3
        for one, other in zip(found, expected, strict=True)
    ]
    return [
        (f"rank correlation with Shapley values, mean of {REFERENCE_ROWS} rows", f"{np.mean(by_row):.3f}"),
        ("that of the mean sizes", f"{overall:.3f}"),
        ("share of the three largest that agree", f"{np.mean(top):.2f}"),
        ("root mean squared difference", f"{np.sqrt(np.mean((found - expected) ** 2)):.3f}"),
        ("root mean squared Shapley value", f"{np.sqrt(np.mean(expected**2)):.3f}"),
    ]


if __name__ == "__main__":
    main()
