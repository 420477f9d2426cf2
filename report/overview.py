"""The first screen: what the model is worth, whether it was blessed, on which data, and what has changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.economics import auc_interval, profit
from analysis.metrics import gains
from pages.blocks import Block, Section, Table
from pages.formatting import any_value, euro, interval, number, percent, plain_euro, signed
from report.gather import Material
from runs.compare import Run, differences, flatten, same_test_rows

HEADLINE_SHARE = 0.2
"""Share of customers called in the page's first sentence."""
DIGEST = 12
"""Letters of a digest that tell it from others."""
GATE = {
    "accuracy_gain": "Accuracy above always saying no",
    "auc": "AUC",
    "accuracy_against_last_blessed": "Accuracy against the last blessed model",
    "auc_against_last_blessed": "AUC against the last blessed model",
    "served_as_evaluated": "Served as evaluated",
}
"""The bounds of the gate in words."""
FIGURES = {
    "auc": "AUC",
    "pr_auc": "PR-AUC",
    "accuracy": "Accuracy at 0.5",
    "log_loss": "Log loss",
    "ece": "Calibration error",
    "f1_at_threshold": "F1 at the threshold",
    "lift_top_decile": "Lift in the best tenth",
}
"""Test figures that runs are compared by."""


@dataclass(frozen=True)
class Tile:
    """One figure, what it is, and what to hold it against."""

    figure: str
    what: str
    beside: str


@dataclass(frozen=True)
class First:
    """The first screen."""

    headline: str
    blessed: bool
    verdict: str
    synthetic: bool
    caution: str | None
    """Why the figures are not a forecast."""
    data: list[tuple[str, str]]
    tiles: list[Tile]


def rankable(material: Material) -> bool:
    """Whether eval and test have rows of both labels, without which there is no curve to draw."""
    return all(0 < material.scores[split][0].sum() < len(material.scores[split][0]) for split in ("eval", "test"))


def first(material: Material, cost: float, margin: float) -> First:
    """The first screen of a run; cost of a call and margin of a buyer in euros."""
    summary = material.summary
    data = summary["dataset"]
    split = "at random, 70/15/15" if data["split"] == "random" else "by time, the newest rows as test"
    known = "some known only after" if summary.get("settings", {}).get("with_duration") else "all known before"
    return First(
        headline=_headline(material),
        blessed=summary["gate"]["blessed"],
        verdict=_verdict(summary),
        synthetic=data["synthetic"],
        caution=_caution(material),
        data=[
            ("Data", data["contract"] + (", synthetic sample" if data["synthetic"] else "")),
            ("Source", Path(data["source"]).name),
            ("Customers", f"{number(data['rows'])}, of whom {percent(data['label_rate'], 1)} bought"),
            (
                "Set aside",
                f"{number(data['quarantined'])} rows that could not be read" if data["quarantined"] else "nothing",
            ),
            ("Split", split),
            ("Columns", f"{len(summary['features'])}, {known} the call"),
        ],
        tiles=_tiles(material, cost, margin),
    )


def changes(material: Material) -> Section:
    """What differs from the last blessed run, settings first, and its test figures beside this run's."""
    now, before = material.summary, material.previous
    title = "What changed since the last blessed run"
    if before is None:
        return Section("changes", title, ["There is no earlier blessed run with this data, split and columns."])
    runs = [Run(summary["run_id"], flatten(summary), None) for summary in (before, now)]
    chosen = [(_setting(key), *(_short(value) for value in values)) for key, values in differences(runs).items()]
    rows = []
    for key, name in FIGURES.items():
        a, b = before["metrics"]["test"].get(key), now["metrics"]["test"].get(key)
        rows.append((name, number(a, 4), number(b, 4), signed(b - a) if None not in (a, b) else "–"))
    head = ("Last blessed", "This run")
    figures = Table(
        f"Test figures of run {before['run_id']} and of this one", ("Figure", *head, "Difference"), rows, narrow=True
    )
    blocks: list[Block] = [figures]
    if not same_test_rows(runs):
        blocks.insert(0, "The two were not measured on the same test customers, so a difference may be theirs.")
    if chosen:
        words = frozenset({0, 1, 2})
        blocks.append(Table("What was chosen differently", ("Setting", *head), chosen, words, narrow=True))
    else:
        blocks.append("Nothing was chosen differently.")
    return Section("changes", title, blocks)


def _headline(material: Material) -> str:
    if not rankable(material):
        return "The eval or the test customers all gave the same answer, so nothing can be said about the ranking."
    reached = float(gains(*material.scores["test"], np.array(HEADLINE_SHARE)))
    return (
        f"Calling the best-scored {percent(HEADLINE_SHARE)} of customers reaches {percent(reached)} of buyers, "
        f"{number(reached / HEADLINE_SHARE, 1)} times as many as calling at random."
    )


def _verdict(summary: Mapping[str, Any]) -> str:
    failed = [check for check in summary["gate"]["checks"] if not check["passed"]]
    if summary["pushed"]:
        return f"It passed every bound of the gate and was pushed as version {summary['pushed']['version']}."
    if not failed:
        return "It passed every bound of the gate, and was not pushed."
    reasons = [f"{GATE.get(c['metric'], c['metric'])}: {_bound(c)}" for c in failed]
    return f"Nothing was pushed; the model that serves stays. {'. '.join(reasons)}."


def _bound(check: Mapping[str, Any]) -> str:
    if isinstance(check["bound"], bool):
        return "no, and it has to be"
    found = "cannot be computed" if check["value"] is None else number(check["value"], 4)
    return f"{found}, at least {number(check['bound'], 4)} is asked"


def _caution(material: Material) -> str | None:
    if material.summary["dataset"]["split"] != "random" or material.summary["dataset"]["synthetic"]:
        return None
    found = material.backtest
    figures = found and [found["random_split"]["auc"], found["mean"]["expanding"]["auc"]]
    if not figures or None in figures:
        return (
            "Figures are of customers held out at random, from the same weeks the model learned from. Expect less of "
            "the weeks to come."
        )
    random, ahead = figures
    return (
        "Figures are of customers held out at random, from the same weeks the model learned from. On the weeks that "
        f"came next AUC was {number(ahead, 2)}, against {number(random, 2)} at random."
    )


def _tiles(material: Material, cost: float, margin: float) -> list[Tile]:
    test = material.summary["metrics"]["test"]
    tiles = []
    if rankable(material):
        earned = profit(material.scores["eval"], material.scores["test"], cost, margin)
        tiles.append(
            Tile(
                euro(earned.best),
                f"profit per 1,000 customers when calling the best {percent(earned.best_share)}"
                if earned.best_share
                else "profit per 1,000 customers: no call pays at this price",
                f"{euro(earned.everyone)} when calling all, at {plain_euro(cost)} a call and "
                f"{plain_euro(margin)} a buyer",
            )
        )
        tiles.append(
            Tile(
                f"{number(test['lift_top_decile'], 1)} ×",
                "as many buyers in the best-scored tenth as in a random tenth",
                f"{percent(test['lift_top_decile'] * material.summary['splits']['test']['label_rate'])} of them buy, "
                f"{percent(material.summary['splits']['test']['label_rate'])} of all",
            )
        )
        labels = material.scores["test"][0]
        low, high = auc_interval(test["auc"], labels.sum(), (1 - labels).sum())
        tiles.append(
            Tile(
                number(test["auc"], 3),
                "AUC: how often a buyer is scored above a non-buyer",
                f"0.5 is chance; 95 % interval {interval(low, high, 3)}",
            )
        )
    tiles.append(
        Tile(
            percent(test["accuracy"], 1),
            "accuracy at 0.5",
            f"{percent(test['majority_accuracy'], 1)} by always giving the commoner answer",
        )
    )
    return tiles


def _setting(key: str) -> str:
    """`model.hyperparameters.weight_decay` -> `weight decay`."""
    return key.rsplit(".", 1)[-1].replace("_", " ")


def _short(value: Any) -> str:
    """A digest by its beginning; other values as they are."""
    text = any_value(value)
    return f"{text[:DIGEST]}…" if re.fullmatch(r"[0-9a-f]{40,64}[+]?", text) else text
