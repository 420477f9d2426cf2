"""Loss and time of K-Medoids: the own FasterPAM in numpy against the package kmedoids, which is written in Rust.

    python -m benchmarks.kmedoids                  3,000 and 5,000 synthetic customers; 2, 5 and 10 medoids
    python -m benchmarks.kmedoids --json result.json

Both get the same matrix of Gower distances, one thread, and the same number of different first medoids, and take turns.
Seconds are CPU seconds, which depend little on the load of the machine. The exit code is 1 if a bar is missed. The
package kmedoids is under the GPL: benchmarks and tests use it, the product does not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import kmedoids as package
import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from modules.segments.gower import gower
from modules.segments.kmedoids import fasterpam

ROWS = (3_000, 5_000)
CLUSTERS = (2, 5, 10)
STARTS = 5
LOSS = 1.01
"""Bar: mean loss over that of the package."""
TIME = 2.0
"""Bar: seconds over those of the package."""


@dataclass(frozen=True)
class Result:
    """Both implementations on one matrix."""

    rows: int
    clusters: int
    loss: float
    """Mean over the starts of the own loss, over that of the package."""
    worst: float
    """The own largest loss over the package's smallest."""
    seconds: float
    """Of one fit."""
    package_seconds: float

    @property
    def time(self) -> float:
        return self.seconds / self.package_seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        results = [
            _compare(distances, clusters)
            for rows in ROWS
            for distances in [gower(_customers(rows), _customers(rows), np.arange(10) >= 6)]
            for clusters in CLUSTERS
        ]
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    return 0 if _show(results) else 1


def _customers(rows: int) -> np.ndarray:
    """Gower rows of eight kinds of customers: six numbers from 0 to 1, and four categories."""
    generator = np.random.default_rng(0)
    kind = generator.integers(0, 8, rows)
    numbers = np.clip(generator.uniform(size=(8, 6))[kind] + 0.15 * generator.normal(size=(rows, 6)), 0, 1)
    usual = generator.integers(0, 4, (8, 4))[kind]
    categories = np.where(generator.uniform(size=(rows, 4)) < 0.7, usual, generator.integers(0, 4, (rows, 4)))
    return np.hstack([numbers, categories]).astype(np.float32)


def _compare(distances: np.ndarray, clusters: int) -> Result:
    own, others = [], []
    for seed in range(STARTS):
        own.append(_timed(lambda seed=seed: fasterpam(distances, clusters, np.random.default_rng(seed))))
        others.append(
            _timed(lambda seed=seed: package.fasterpam(distances, clusters, random_state=seed, n_cpu=1).medoids)
        )
    losses, package_losses = (
        [float(distances[medoids].min(axis=0).sum(dtype=np.float64)) for medoids, _ in runs] for runs in (own, others)
    )
    return Result(
        rows=len(distances),
        clusters=clusters,
        loss=float(np.mean(losses) / np.mean(package_losses)),
        worst=max(losses) / min(package_losses),
        seconds=float(np.mean([seconds for _, seconds in own])),
        package_seconds=float(np.mean([seconds for _, seconds in others])),
    )


def _timed(fit: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    start = time.process_time()
    medoids = fit()
    return medoids, time.process_time() - start


def _show(results: list[Result]) -> bool:
    """Prints the table and the bars; returns whether all bars are met."""
    table = Table(title="FasterPAM: own and the package kmedoids")
    for heading in ("rows", "medoids", "loss", "worst", "CPU s", "package's", "ratio"):
        table.add_column(heading, justify="right")
    for result in results:
        table.add_row(
            f"{result.rows:,}",
            str(result.clusters),
            f"{result.loss:.4f}",
            f"{result.worst:.4f}",
            f"{result.seconds:.2f}",
            f"{result.package_seconds:.2f}",
            f"{result.time:.2f}",
        )
    console = Console()
    console.print(table)
    loss, slowest = max(result.loss for result in results), max(result.time for result in results)
    bars = (
        (f"mean loss over the package's: at most {loss:.4f}, bar {LOSS}", loss <= LOSS),
        (f"CPU seconds over the package's: at most {slowest:.2f}, bar {TIME:g}", slowest <= TIME),
    )
    for text, met in bars:
        console.print(f"{text}: {'[green]met' if met else '[red]missed'}")
    return all(met for _, met in bars)


if __name__ == "__main__":
    sys.exit(main())
