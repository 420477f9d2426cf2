"""Prometheus configuration and rules, judged by promtool, and the conventions promtool does not know."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "monitoring" / "prometheus"
ALERTS = [
    rule
    for name in ("alerts.yml", "campaign_alerts.yml")
    for group in yaml.safe_load((FOLDER / "rules" / name).read_text())["groups"]
    for rule in group["rules"]
]
RECORDED = yaml.safe_load((FOLDER / "rules" / "recording.yml").read_text())["groups"][0]["rules"]
TESTS = [
    test
    for name in ("alerts_test.yml", "campaign_alerts_test.yml")
    for test in yaml.safe_load((FOLDER / "tests" / name).read_text())["tests"]
]


@pytest.fixture
def promtool():
    path = shutil.which("promtool")
    if path is None:
        assert "CI" not in os.environ, "promtool is needed in CI; it is in Debian's package prometheus"
        pytest.skip("promtool is not installed (Debian package prometheus)")

    def run(*arguments, folder=FOLDER):
        result = subprocess.run([path, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr

    return run


def test_configuration_is_valid(promtool, tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "prometheus")
    (folder / "keys" / "campaign-desk").write_text("a key")
    promtool("check", "config", "prometheus.yml", folder=folder)


def test_rules_do_what_their_tests_say(promtool):
    promtool("test", "rules", *(f"tests/{file.name}" for file in (FOLDER / "tests").glob("*.yml")))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_alert_has_a_firing_and_a_healthy_test_and_a_runbook(alert):
    results = [
        bool(check["exp_alerts"])
        for test in TESTS
        for check in test["alert_rule_test"]
        if check["alertname"] == alert["alert"]
    ]
    assert {True, False} == set(results)
    assert alert["alert"].startswith(("Model", "Campaigns"))
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert {"summary", "description", "runbook_url"} == set(alert["annotations"])
    assert "{{" not in alert["annotations"]["summary"]
    file, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert anchor == alert["alert"].lower()
    headings = re.findall(r"^## (.+)$", (FOLDER.parents[1] / file).read_text(), re.MULTILINE)
    assert alert["alert"] in headings


@pytest.mark.parametrize(
    "alert", [one for one in ALERTS if one["alert"].startswith("Model")], ids=lambda alert: alert["alert"]
)
def test_alert_of_a_model_carries_its_name(alert):
    labels = [
        firing["exp_labels"]
        for test in TESTS
        for check in test["alert_rule_test"]
        for firing in check["exp_alerts"]
        if check["alertname"] == alert["alert"]
    ]
    of_a_process = alert["alert"] in {
        *("ModelServerDown", "ModelMetricsAbsent", "ModelExporterDown"),
        *("ModelMemoryNearLimit", "ModelMemoryGrowth", "ModelSyncBehind"),
    }
    assert all(("model_name" in names) != of_a_process for names in labels)


def test_runbook_describes_no_alert_that_is_gone():
    headings = re.findall(r"^## (.+)$", (FOLDER.parent / "RUNBOOK.md").read_text(), re.MULTILINE)
    assert set(headings) == {alert["alert"] for alert in ALERTS}


@pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule["record"])
def test_recorded_names_say_level_metric_and_operation(rule):
    assert re.fullmatch(r"instance_model:[a-z_]+:(rate5m|p\d+_5m)", rule["record"])
