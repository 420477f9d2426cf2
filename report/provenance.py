"""For who answers for the run: its data, the gate, its components, and where all of it came from."""

from __future__ import annotations

import csv
import platform
from importlib.metadata import version
from itertools import islice

from analysis.drift import RULE_OF_THUMB
from pages.blocks import Block, Figure, Section, Table
from pages.charts import Row, around, rows
from pages.formatting import UNKNOWN, any_value, number, percent
from report.gather import Material
from report.overview import GATE

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
"""Rows set aside that the page lists; the file beside it has all of them."""


def data(material: Material) -> Section:
    """Splits, anomalies, rows set aside, and drift between the splits."""
    summary = material.summary
    found = summary["dataset"]
    splits = Table(
        "Splits",
        ("Split", "Customers", "Buyers", "Used for"),
        [
            (name, number(split["rows"]), percent(split["label_rate"], 1), use)
            for (name, split), use in zip(
                summary["splits"].items(),
                ("learning", "early stopping, calibration, threshold", "every figure of this page"),
                strict=True,
            )
        ],
        texts=frozenset({0, 3}),
    )
    blocks: list[Block] = [
        f"{number(found['read'])} rows read from {found['source']}, {number(found['rows'])} kept, "
        f"{number(found['quarantined'])} set aside.",
        splits,
    ]
    if material.anomalies:
        blocks += ["Anomalies against the contract:", *material.anomalies]
    else:
        blocks.append("No anomalies: every value lies within the contract's ranges and vocabularies.")
    if material.quarantine:
        blocks += _quarantined(material)
    blocks += _drift(material)
    return Section("data", "The data", blocks)


def _quarantined(material: Material) -> list[Block]:
    with material.quarantine.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        head = next(reader, [])
        listed = [row for row in islice(reader, MOST_QUARANTINED) if row]
    if not listed:
        return ["No row had to be set aside."]
    return [
        Table(
            f"Rows set aside, the first {len(listed)} of quarantine.csv",
            [name.replace("_", " ").capitalize() for name in head],
            listed,
            texts=frozenset(range(len(head))),
        )
    ]


def _drift(material: Material) -> list[Block]:
    blocks: list[Block] = []
    for split, drift in material.drift.items():
        shifts = sorted(drift.features.items(), key=lambda item: -item[1].psi)
        moved = [name for name, shift in shifts if shift.alarm]
        says = (
            f"{', '.join(moved)} moved."
            if moved
            else "No column moved by more than chance and the rule of thumb allow."
        )
        chart = rows(
            f"drift-{split}",
            f"PSI of each column, {split} against train",
            says,
            around("PSI", [RULE_OF_THUMB, *(shift.psi for _, shift in shifts)], lambda v: f"{v:.2g}", zero=True),
            [Row(name, shift.psi, style=1 if shift.alarm else 0) for name, shift in shifts],
        )
        table = Table(
            f"{split.capitalize()} against train",
            ("Column", "PSI", "Alarm above", "L-infinity", "Missing", "Verdict"),
            [
                (
                    name,
                    number(shift.psi, 4),
                    number(shift.line, 3),
                    number(shift.l_infinity, 4),
                    percent(shift.shares.get("missing"), 1),
                    {None: "too few rows", True: "moved", False: "as train"}[shift.alarm],
                )
                for name, shift in shifts
            ],
            texts=frozenset({0, 5}),
        )
        blocks.append(Figure(chart, says, table))
    if blocks:
        blocks.insert(
            0,
            "Do eval and test look like train? The population stability index compares the shares of a column's "
            "bins; 0 is no difference, above 0.1 is commonly called a shift, 0.25 a large one.",
        )
    return blocks


def gate(material: Material) -> Section:
    """Every bound of the gate."""
    found = material.summary["gate"]
    table = Table(
        "Bounds on the test split",
        ("Bound", "Value", "At least", "Verdict"),
        [
            (
                GATE.get(c["metric"], c["metric"]),
                any_value(c["value"]) if isinstance(c["value"], bool) else number(c["value"], 4),
                any_value(c["bound"]) if isinstance(c["bound"], bool) else number(c["bound"], 4),
                "passed" if c["passed"] else "failed",
            )
            for c in found["checks"]
        ],
        texts=frozenset({0, 3}),
    )
    text = (
        "A model is pushed only if it passes every bound. Falling behind the last blessed model counts from "
        "the second run on."
    )
    return Section("gate", "The gate", [text, table, f"Probed with: {found['probe']}."])


def timings(material: Material) -> Section:
    """Where the seconds went."""
    summary = material.summary
    stages = summary["stages"]
    cached = [stage["name"] for stage in stages if stage["cached"]]
    longest = max(stages, key=lambda stage: stage["seconds"])
    says = f"{longest['name']} took longest, {number(longest['seconds'], 1)} s."
    chart = rows(
        "timings-chart",
        "Seconds of each component",
        says,
        around("seconds", [s["seconds"] for s in stages], lambda v: f"{v:g}", zero=True),
        [Row(s["name"], s["seconds"], style=3 if s["cached"] else 0) for s in stages],
    )
    table = Table(
        "Components in the order they ran",
        ("Component", "Seconds", "From the cache"),
        [(s["name"], number(s["seconds"], 2), any_value(s["cached"])) for s in stages],
        texts=frozenset({0, 2}),
    )
    note = f" {len(cached)} came from the cache." if cached else ""
    text = f"{number(summary['seconds'])} s in all, starting up included.{note}"
    return Section("timings", "Where the time went", [text, Figure(chart, says, table)])


def lineage(material: Material) -> Section:
    """What made this run what it is."""
    summary = material.summary
    settings, model = summary.get("settings", {}), summary["model"]
    rows_ = [
        ("Run", summary["run_id"]),
        ("Contract", summary["dataset"]["contract"]),
        ("Data", summary["dataset"]["source"]),
        ("Data, sha256", settings.get("data_sha256") or UNKNOWN),
        ("Git commit", settings.get("commit") or "not in a git checkout"),
        ("Columns", ", ".join(summary["features"])),
        ("Network", f"{model['members']} nets averaged, {number(model['parameters'])} parameters"),
        ("Seed", any_value(settings.get("seed"))),
        ("Python", platform.python_version()),
        *((name, version(name)) for name in LIBRARIES),
    ]
    hyperparameters = [(name, any_value(value)) for name, value in model["hyperparameters"].items()]
    words = frozenset({0, 1})
    return Section(
        "lineage",
        "Where it came from",
        [
            "A commit that ends in + had uncommitted changes. Versions are those of the machine that wrote this page.",
            Table("The run", ("What", "Value"), rows_, texts=words),
            Table("Hyperparameters", ("Name", "Value"), hyperparameters),
            Table(
                "Artifacts in ML Metadata",
                ("Output", "Artifact", "Folder"),
                [(made.name, str(made.number), made.path) for made in material.artifacts],
                texts=frozenset({0, 2}),
            ),
        ],
    )
