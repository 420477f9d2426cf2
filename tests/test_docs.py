"""The READMEs name what exists, and all that exists."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import typing

import pytest
import yaml

from analysis.figures import Metrics
from analysis.segmentation import Candidate, CandidateFigures
from data import command
from data.contract import Categorical, Contract, Label, Modelling, Numeric, Published, Source, View
from runs.summary import Check, PurchaseSummary, SegmentSummary
from serving.flags import Flags
from tests.conftest import ROOT
from tests.support import segmentations, summaries

COMMANDS = (
    "pipeline.run",
    "pipeline.segment",
    "pipeline.backtest",
    "pipeline.compile",
    "pipeline.score",
    "pipeline.worker",
    "report",
    "runs",
    "runs.promote",
    "runs.prune",
    "runs.publish",
    "runs.rollback",
    "data.draft",
    "data.sample",
    "data.download",
    "data.spans",
    "serving.client",
    "serving.sync",
    "campaigns",
    "campaigns.keys",
    "campaigns.forget",
    "monitoring",
    "schedule",
    "monitoring.exporter",
    "monitoring.drift",
    "monitoring.dashboards.upload",
)
FOREIGN = {
    *("--rm", "--build", "--build-arg", "--profile", "--target", "--file", "--filename", "--job_endpoint"),
    *("--kustomize", "--tag", "--from", "--from-literal"),
    *("--bucket", "--cluster", "--force-new-deployment", "--password-stdin", "--service", "--username"),
    "--versioning-configuration",
    *("--url", "--ablation", "--models", "--seeds", "--splits", "--growth", "--workers", "--postgresql", "--times"),
}
"""Options of docker, kubectl, the AWS CLI and Beam, of test programs and of benchmarks."""
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z_-]+")


def documents() -> str:
    """The text of every README and of the runbook."""
    files = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return "\n".join((ROOT / file).read_text() for file in files.split() if file != "CHANGELOG.md")


def code(file: str) -> set[str]:
    """What stands between backticks in a document, and its parts at commas, dots and blanks."""
    spans = re.findall(r"`([^`\n]+)`", (ROOT / file).read_text())
    return {part for span in spans for part in (span, *re.split(r"[\s,.:{}]+", span))}


@pytest.fixture(scope="module")
def flags() -> set[str]:
    """Every option of every command, by its help text; of the server by its definitions."""
    found = {f"--{field.name}" for field in dataclasses.fields(Flags)}
    for name in COMMANDS:
        result = subprocess.run(
            [sys.executable, "-m", name, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        found |= set(FLAG.findall(result.stdout))
    return found - {"--help"}


def test_every_option_in_a_readme_exists(flags):
    assert set(FLAG.findall(documents())) - flags - FOREIGN - {"--help", "--version"} == set()


def test_every_option_is_in_a_readme(flags):
    assert flags - set(FLAG.findall(documents())) == set()


def fields(kind: type) -> set[str]:
    """Names of the fields of a dataclass, and of the dataclasses in it other than figures."""
    names = set()
    for field, hint in typing.get_type_hints(kind).items():
        names.add(field)
        for inner in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(inner) and inner not in (Metrics, CandidateFigures):
                names |= fields(inner)
    return names


def test_every_field_of_a_summary_is_described():
    described = code("pipeline/README.md")
    assert (fields(PurchaseSummary) | fields(SegmentSummary) | fields(Candidate)) - described == set()


def test_every_check_of_the_gate_is_described():
    from modules.segments import gate
    from pipeline.summarize.purchase import CHECKS, trial_checks

    of_segments = {check.metric for check in gate.checks(segmentations.search(), segmentations.segmentation())}
    of_trial = {check.metric for check in trial_checks(summaries.trial())}
    assert {*CHECKS.values(), *of_segments, *of_trial, "served_as_evaluated", "same_inputs_as_serving"} <= code(
        "pipeline/README.md"
    )
    assert {field.name for field in dataclasses.fields(Check)} <= code("pipeline/README.md")


def test_every_key_of_a_contract_is_described():
    models = (Contract, Source, Numeric, Categorical, Label, View, Published, Modelling)
    keys = {key for model in models for key in model.model_fields}
    assert keys - code("data/README.md") == set()


def test_every_exit_code_is_described():
    codes = {command.DONE, command.FAILED, command.BAD_INPUT, command.NOT_BLESSED}
    listed = re.findall(r"^\| (\d) \|", (ROOT / "pipeline" / "README.md").read_text(), re.MULTILINE)
    assert {int(number) for number in listed} == codes


def test_every_alert_has_its_section_in_the_runbook():
    groups = [
        group
        for name in ("alerts.yml", "campaign_alerts.yml")
        for group in yaml.safe_load((ROOT / "monitoring" / "prometheus" / "rules" / name).read_text())["groups"]
    ]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    headings = set(re.findall(r"^## (\w+)$", (ROOT / "monitoring" / "RUNBOOK.md").read_text(), re.MULTILINE))
    assert headings == alerts


def test_every_file_and_link_in_a_readme_exists():
    for readme in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split():
        for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / readme).read_text()):
            assert ((ROOT / readme).parent / link).exists(), f"{readme}: {link}"
