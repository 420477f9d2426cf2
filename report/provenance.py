"""For auditing the run: its data, the gate, its components, and where everything came from."""

from __future__ import annotations

import csv
import platform
from collections.abc import Mapping
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from analysis.drift import RULE_OF_THUMB, Drift
from pages.blocks import Block, Figure, Paragraph, Section, Table
from pages.charts import Row, around, rows
from pages.formatting import UNKNOWN, any_value, number, percent
from report.gather import Records
from report.overview import in_words
from runs.summary import RunSummary

LIBRARIES = (
    "tfx",
    "tensorflow",
    "keras",
    "tensorflow-transform",
    "tensorflow-model-analysis",
    "apache-beam",
    "scikit-learn",
)
MOST_QUARANTINED = 20
"""Quarantined rows that the page lists; quarantine.csv has all of them."""


def data(summary: RunSummary, records: Records, uses: Mapping[str, str]) -> Section:
    """Rows, splits, anomalies, quarantined rows, and drift between the splits.

    Args:
      summary: of the run.
      records: of the run.
      uses: what each split is used for.
    """
    dataset = summary.dataset
    text = (
        f"{number(dataset.read)} rows were read from {dataset.source}: {number(dataset.rows)} were kept and "
        f"{number(dataset.quarantined)} quarantined."
    )
    if dataset.distinct is not None:
        text += f" By their identifiers they are {number(dataset.distinct)} different customers."
    blocks: list[Block] = [Paragraph("rows", text), _splits(summary, uses)]
    if records.anomalies:
        blocks.append(Paragraph("anomalies", "Anomalies, compared with the contract:"))
        blocks += [Paragraph("anomaly", line) for line in records.anomalies]
    else:
        text = "There are no anomalies: all values are within the ranges and vocabularies of the contract."
        blocks.append(Paragraph("no-anomalies", text))
    if records.quarantine:
        blocks.append(_quarantined(records.quarantine))
    if records.drift:
        text = (
            "Do the other splits look like train? The population stability index (PSI) compares the shares of a "
            "column's bins. 0 means no difference; above 0.1 is commonly called a shift, above 0.25 a large shift."
        )
        blocks.append(Paragraph("drift", text))
        blocks += [_drift(split, drift) for split, drift in records.drift.items()]
    return Section("data", "The data", blocks)


def _splits(summary: RunSummary, uses: Mapping[str, str]) -> Table:
    labelled = summary.dataset.label_rate is not None
    cells = [
        (name, number(split.rows), *[percent(split.label_rate, 1)] * labelled, uses.get(name, UNKNOWN))
        for name, split in summary.splits.items()
    ]
    head = ("Split", "Customers", *[summary.dataset.words.many.capitalize()] * labelled, "Used for")
    return Table("splits", "Splits", head, cells, texts=frozenset({0, len(head) - 1}))


def _quarantined(file: Path) -> Block:
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        head = next(reader, [])
        bad = [row for row in islice(reader, MOST_QUARANTINED) if row]
    if not bad:
        return Paragraph("nothing-quarantined", "No row was quarantined.")
    caption = f"Quarantined rows, the first {len(bad)} of {file.name}"
    columns = [name.replace("_", " ").capitalize() for name in head]
    return Table("quarantine", caption, columns, bad, texts=frozenset(range(len(head))))


def _drift(split: str, drift: Drift) -> Figure:
    shifts = sorted(drift.features.items(), key=lambda item: -item[1].psi)
    moved = [name for name, shift in shifts if shift.alarm]
    says = (
        f"{', '.join(moved)} shifted."
        if moved
        else f"No column has a PSI above {RULE_OF_THUMB:g} that chance does not explain."
    )
    chart = rows(
        f"drift-{split}",
        f"PSI of each column, {split} against train",
        says,
        around("PSI", [RULE_OF_THUMB, *(shift.psi for _, shift in shifts)], lambda v: f"{v:.2g}", zero=True),
        [Row(name, shift.psi, style=1 if shift.alarm else 0) for name, shift in shifts],
    )
    cells = [
        (
            name,
            number(shift.psi, 4),
            number(shift.line, 3),
            number(shift.l_infinity, 4),
            percent(shift.shares.get("missing"), 1),
            {None: "too few rows", True: "shifted", False: "like train"}[shift.alarm],
        )
        for name, shift in shifts
    ]
    head = ("Column", "PSI", "Alarm above", "L-infinity", "Missing", "Verdict")
    caption = f"{split.capitalize()} against train"
    return Figure(chart, says, Table(chart.name, caption, head, cells, texts=frozenset({0, 5})))


def gate(summary: RunSummary, measured: str) -> Section:
    """The checks of the gate.

    Args:
      summary: of the run.
      measured: on which rows the checks are measured, in a sentence or two.
    """
    result = summary.gate
    cells = [
        (
            in_words(check),
            any_value(check.value) if isinstance(check.value, bool) else number(check.value, 4),
            any_value(check.bound) if isinstance(check.bound, bool) else number(check.bound, 4),
            "passed" if check.passed else "failed",
        )
        for check in result.checks
    ]
    text = f"A model is pushed only if it passes every check. {measured}"
    head = ("Check", "Value", "At least", "Verdict")
    table = Table("gate", "Checks", head, cells, texts=frozenset({0, 3}))
    blocks: list[Block] = [Paragraph("gate", text), table, Paragraph("probe", f"Serving probe: {result.probe}.")]
    return Section("gate", "The gate", blocks)


def timings(summary: RunSummary) -> Section:
    """Seconds of each component."""
    stages = summary.stages
    cached = sum(stage.cached for stage in stages)
    longest = max(stages, key=lambda stage: stage.seconds)
    says = f"{longest.name} took longest, {number(longest.seconds, 1)} s."
    chart = rows(
        "timings",
        "Seconds of each component",
        says,
        around("seconds", [stage.seconds for stage in stages], lambda v: f"{v:g}", zero=True),
        [Row(stage.name, stage.seconds, style=3 if stage.cached else 0) for stage in stages],
    )
    cells = [(stage.name, number(stage.seconds, 2), any_value(stage.cached)) for stage in stages]
    head = ("Component", "Seconds", "From the cache")
    table = Table("timings", "Components in the order they ran", head, cells, texts=frozenset({0, 2}))
    note = f" {cached} results came from the cache." if cached else ""
    text = f"The run took {number(summary.seconds)} s, with start-up.{note}"
    return Section("timings", "Where the time went", [Paragraph("seconds", text), Figure(chart, says, table)])


def lineage(summary: RunSummary, records: Records, model: str, settings: Table) -> Section:
    """Data, code, settings and artifacts behind the run.

    Args:
      summary: of the run.
      records: of the run.
      model: what was trained, in words.
      settings: of the training.
    """
    cells = [
        ("Run", summary.run_id),
        ("Contract", summary.dataset.contract),
        ("Data", summary.dataset.source),
        ("Data, sha256", summary.settings.data_sha256 or UNKNOWN),
        ("Git commit", summary.settings.commit or "not in a git checkout"),
        ("Columns", ", ".join(summary.features)),
        ("Model", model),
        ("Seed", any_value(summary.settings.seed)),
        ("Python", platform.python_version()),
        *((name, version(name)) for name in LIBRARIES),
    ]
    artifacts = [(record.output, str(record.number), record.folder) for record in records.artifacts]
    text = (
        "A commit that ends in + had uncommitted changes. The versions are those of the machine that wrote this page."
    )
    blocks: list[Block] = [
        Paragraph("versions", text),
        Table("run", "The run", ("What", "Value"), cells, texts=frozenset({0, 1})),
        settings,
        Table(
            "artifacts",
            "Artifacts in ML Metadata",
            ("Output", "Artifact", "Folder"),
            artifacts,
            texts=frozenset({0, 2}),
        ),
    ]
    return Section("lineage", "Where it came from", blocks)
