"""What the page says, from its first screen down: plain words first, then pictures with their numbers in tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report import origin, trust, value
from pipeline.report.gather import Material
from pipeline.report.parts import Section, Table, Text, number, plain, share, times
from pipeline.runs import Run, differences, flatten, same_test_rows


@dataclass(frozen=True)
class Page:
    """The whole report."""

    run: str
    headline: str
    verdict: str
    blessed: bool
    synthetic: bool
    data: str
    tiles: Sequence[tuple[str, str, str]]
    """A figure, what it is, and what to compare it with."""
    changes: Section
    sections: Sequence[Section]


def compose(material: Material, cost: float, margin: float) -> Page:
    """The page of one run.

    Args:
      material: what the run made.
      cost: of a call, in euros.
      margin: of a deposit before the cost of the call, in euros.
    """
    summary = material.summary
    data, test = summary["dataset"], summary["metrics"]["test"]
    labels, probabilities = material.scores["test"]
    rankable = 0 < labels.sum() < len(labels) and material.scores["eval"][0].sum() > 0
    return Page(
        run=summary["run_id"],
        headline=value.headline(labels, probabilities)
        if rankable
        else "The test rows all have one answer, so nothing can be said about the ranking.",
        verdict=_verdict(summary),
        blessed=summary["gate"]["blessed"],
        synthetic=data["synthetic"],
        data=f"{data['contract']}: {data['rows']:,} customers, {share(data['label_rate'])} of them buyers; "
        f"split {_split(data['split'])}; source {data['source']}",
        tiles=[
            (number(test["auc"], 3), "AUC on test", "0.5 is chance, 1 is perfect ranking"),
            (times(test["lift_top_decile"]), "lift in the best tenth", "against calling at random"),
            (
                share(test["accuracy"]),
                "accuracy at 0.5",
                f"saying no to everybody: {share(test['majority_accuracy'])}",
            ),
            (number(test["ece"], 3), "calibration error", "mean gap between predicted and real share"),
        ],
        changes=_changes(material),
        sections=[
            *(value.calling(material, cost, margin) if rankable else []),
            trust.calibration(labels, probabilities),
            *([trust.ranking(labels, probabilities)] if rankable else []),
            trust.decisions(material),
            trust.groups(material.slices),
            trust.comparison(summary),
            trust.over_time(material),
            origin.importance(material),
            origin.learning(material),
            origin.data(material),
            origin.run(material),
        ],
    )


def _verdict(summary: Mapping[str, Any]) -> str:
    if summary["pushed"]:
        return f"Blessed and pushed as version {summary['pushed']['version']}: it passed every bound of the gate."
    failed = [check for check in summary["gate"]["checks"] if not check["passed"]]
    if not failed:
        return "Blessed, but not pushed."
    reasons = "; ".join(
        f"{check['metric']} is {number(check['value'])}, at least {number(check['bound'])} is asked" for check in failed
    )
    return f"Not blessed, so nothing was pushed and the served model stays: {reasons}."


def _changes(material: Material) -> Section:
    title = "What changed since the last blessed run"
    now, before = material.summary, material.previous
    if before is None:
        return Section(
            "changes", title, [Text("No earlier blessed run on this data and these columns to compare with.")]
        )
    runs = [Run(summary["run_id"], flatten(summary), None) for summary in (before, now)]
    rows = [(key, plain(then), plain(since), "") for key, (then, since) in differences(runs).items()]
    for name in ("auc", "accuracy", "log_loss", "ece", "lift_top_decile"):
        a, b = before["metrics"]["test"][name], now["metrics"]["test"][name]
        rows.append((f"test {name}", number(a), number(b), f"{b - a:+.4f}" if None not in (a, b) else "-"))
    parts: list[Text | Table] = [Table(f"Run {before['run_id']} and this one", ("", "then", "now", "difference"), rows)]
    if not same_test_rows(runs):
        parts.append(Text("The two were not measured on the same test customers, so a difference may be theirs."))
    return Section("changes", title, parts)


def _split(split: str) -> str:
    return "at random" if split == "random" else "by time, the newest rows as test"
