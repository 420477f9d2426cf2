"""The dashboards against the JSON-level rules of Grafana's dashboard-linter, and the links they carry."""

import json
import re

import pytest
import yaml

from data.model_spec import PURCHASE_MODEL
from monitoring import dashboards
from monitoring.dashboards.__main__ import FOLDER
from monitoring.dashboards.builder import RUNBOOK, WIDTH, document

DASHBOARDS = {f"{dashboard.name}.json": document(dashboard) for dashboard in dashboards.DASHBOARDS}
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
TARGETS = [
    pytest.param(target, id=f"{name}-{panel['title']}-{target['refId']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    for target in panel.get("targets", [])
]
EXPRESSIONS = [target for target in TARGETS if "expr" in target.values[0]]
SQL = [target for target in TARGETS if "rawSql" in target.values[0]]
OF_A_MODEL = (
    *("model_", "instance_model:", ":tensorflow:"),
    *(f"campaigns_{name}" for name in ("calls", "expected", "realised", "auc", "brier", "ece")),
)
"""How the names of metrics of a model begin."""
GRAFANA = FOLDER.parent
UNITS = {"none", "short", "s", "µs", "bytes", "reqps", "percentunit", "currencyEUR", "dateTimeAsIso"}
MATCHERS = re.compile(r"([\w:]*)\{([^{}]*)\}")


def test_committed_files_are_what_the_source_builds():
    for name, content in DASHBOARDS.items():
        assert json.loads((FOLDER / name).read_text()) == content, "run python -m monitoring.dashboards"
    assert {file.name for file in FOLDER.glob("*")} == set(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboard_is_ready_to_be_provisioned(name):
    dashboard = DASHBOARDS[name]
    assert dashboard["id"] is None
    assert dashboard["uid"]
    assert dashboard["editable"] is False
    assert dashboard["annotations"]["list"][0]["expr"]
    assert [link["url"] for link in dashboard["links"] if "url" in link] == [RUNBOOK]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_variables_are_templated_as_the_linter_wants(name):
    variables = {variable["name"]: variable for variable in DASHBOARDS[name]["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["datasource"]["label"] == "Data source"
    for wanted in ("job", "instance", "model"):
        variable = variables[wanted]
        assert variable["type"] == "query"
        assert variable["datasource"]["uid"] == "${datasource}"
        assert variable["multi"]
        assert variable["allValue"] in (".+", "campaign-.+")
        assert variable["label"] == wanted.capitalize()
        assert variable["refresh"] == 2


@pytest.mark.parametrize("panel", PANELS)
def test_panel_has_what_a_reader_needs(panel):
    assert panel["title"]
    assert len(panel["description"]) > 20
    assert panel["datasource"]["uid"] in ("${datasource}", "${database}")
    assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["targets"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_neither_overlap_nor_stick_out(name):
    taken = set()
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= WIDTH
        assert not taken & cells
        taken |= cells


@pytest.mark.parametrize("target", EXPRESSIONS)
def test_query_follows_the_variables_and_the_rate_interval(target):
    expression = target["expr"]
    selectors = [(metric, selector) for metric, selector in MATCHERS.findall(expression) if "=" in selector]
    assert selectors
    for metric, selector in selectors:
        assert 'job=~"$job"' in selector
        assert 'instance=~"$instance"' in selector
        of_a_model = re.search(r'model(_name|_path)?=~".*\$model\b', selector) is not None
        assert of_a_model == (metric.startswith(OF_A_MODEL) and not metric.startswith("model_server_process_"))
    ranges = re.findall(r"\}\[([^\]]*)\]", expression)
    assert set(ranges) <= {"$__rate_interval"}
    for counter in re.findall(r"\w+_total\b", expression):
        assert re.search(rf"(rate|increase)\({counter}", expression)


@pytest.mark.parametrize("target", SQL)
def test_sql_follows_the_variables(target):
    assert "${model:regex}" in target["rawSql"]
    assert "${version:regex}" in target["rawSql"]
    assert ("$__timeFilter(" in target["rawSql"]) == (target["format"] == "time_series")


def test_dashboards_are_of_no_single_model():
    for name, dashboard in DASHBOARDS.items():
        assert PURCHASE_MODEL.name not in json.dumps(dashboard), name
        assert "purchase" not in json.dumps(dashboard).lower(), name


def test_every_alert_has_a_panel_and_every_link_a_section():
    rules = GRAFANA.parent / "prometheus" / "rules"
    alerts = {
        rule["alert"].lower()
        for name in ("alerts.yml", "campaign_alerts.yml")
        for group in yaml.safe_load((rules / name).read_text())["groups"]
        for rule in group["rules"]
    }
    linked = {
        link["url"].partition("#")[2] for panel in PANELS for link in panel.values[0]["links"] if "#" in link["url"]
    }
    assert linked <= alerts
    watched_elsewhere = {"modelmetricsabsent", "modelexporterdown", "modelnoversionavailable", "modelsyncbehind"}
    assert alerts - linked <= watched_elsewhere | {"modelmemorygrowth"}


def test_provisioning_names_the_data_sources_and_folder_that_compose_mounts():
    sources = {
        source["uid"]: source["type"]
        for file in (GRAFANA / "provisioning" / "datasources").glob("*.yml")
        for source in yaml.safe_load(file.read_text())["datasources"]
    }
    chosen = {
        variable["current"]["value"]: variable["query"]
        for dashboard in DASHBOARDS.values()
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "datasource"
    }
    assert chosen == sources
    providers = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "models.yml").read_text())
    assert providers["providers"][0]["allowUiUpdates"] is False
