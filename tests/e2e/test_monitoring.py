"""The monitoring with the real server, exporter and Prometheus: every query has an answer, alerts fire and clear."""

import dataclasses
import itertools
import json
import os
import re
import shutil
import time
import urllib.request
from datetime import datetime, timedelta, timezone

import httpx
import numpy as np
import pytest
import yaml

from data import spans
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import serving_folder, spans_folder
from monitoring import query
from monitoring.dashboards import DASHBOARDS
from monitoring.dashboards.builder import DECISIONS, DEPLOYS, document
from monitoring.load import Load
from monitoring.stack import CONFIG, Ports, Stack, Watched
from runs import decisions
from runs.decisions import Decision
from tests.support import desk_campaign, stand_in
from tests.support.customers import CONTRACT, bank_full, synthetic
from tests.support.desk_process import DeskProcess
from tests.support.server import free_port

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 60
ROWS_PER_REQUEST = 500
MODEL = PURCHASE_MODEL.name
PREDICT = f"/v1/models/{MODEL}:predict"
OF_MODEL = f'model_name="{MODEL}"'
RULES = [
    rule
    for name in ("recording.yml", "alerts.yml", "campaign_alerts.yml")
    for group in yaml.safe_load((CONFIG / "rules" / name).read_text())["groups"]
    for rule in group["rules"]
]
DOCUMENTS = [document(dashboard) for dashboard in DASHBOARDS]


def filled_in(expression, dashboard):
    """A query as Grafana sends it with everything selected."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            expression = re.sub(rf"\${variable['name']}\b", lambda _, all=variable["allValue"]: all, expression)
    return expression.replace("$__rate_interval", "10s")


PANELS = [
    pytest.param(
        [filled_in(target["expr"], dashboard) for target in panel["targets"]], id=f"{dashboard['uid']}-{panel['title']}"
    )
    for dashboard in DOCUMENTS
    for panel in dashboard["panels"]
    if panel["type"] != "row" and panel["datasource"]["type"] == "prometheus"
]
VARIABLES = [
    pytest.param(filled_in(variable["definition"], dashboard), id=f"{dashboard['uid']}-{variable['name']}")
    for dashboard in DOCUMENTS
    for variable in dashboard["templating"]["list"]
    if variable["type"] == "query"
]
MARKS = sorted(
    {
        filled_in(annotation["expr"], dashboard)
        for dashboard in DOCUMENTS
        for annotation in dashboard["annotations"]["list"]
    }
)
"""The queries of the dashboards' marks."""


class QuickStack(Stack):
    """Alerts need two seconds of a condition instead of minutes."""

    def configure(self):
        super().configure()
        for rules in (self.folder / "rules").glob("*alerts.yml"):
            rules.write_text(re.sub(r"for: \w+", "for: 2s", rules.read_text()))


@pytest.fixture(scope="module")
def real_columns(real_data):
    return bank_full(real_data)


@pytest.fixture(scope="module")
def fifths(real_columns):
    """Row numbers of bank-full: a random four fifths, the other random fifth, and the last fifth in time."""
    rows = len(real_columns["age"])
    training, random = np.split(np.random.default_rng(0).permutation(rows), [rows * 4 // 5])
    return training, random, np.random.default_rng(1).permutation(np.arange(rows * 4 // 5, rows))


@pytest.fixture(scope="module")
def running(tmp_path_factory, real_data, real_columns, fifths):
    if shutil.which("prometheus") is None:
        assert "CI" not in os.environ, "prometheus is needed in CI; it is Debian's package of that name"
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("monitoring")
    training = {name: column[fifths[0]] for name, column in real_columns.items()}
    stand_in.push(folder / "artifacts", 1, training)
    stand_in.push_segments(folder / "artifacts", 1, training)
    keep_a_schedule(folder / "artifacts", real_data)
    ports = Ports(free_port(), free_port(), free_port())
    server = f"http://127.0.0.1:{ports.server}"
    with DeskProcess(["--server", server], folder / "artifacts") as desk:
        watched = Watched(desk=desk.url)
        with QuickStack(folder / "artifacts", folder / "stack", ports=ports, interval=1, watched=watched) as stack:
            work_with_the_desk(desk.url)
            stack.desk = desk
            yield stack


def keep_a_schedule(artifacts, real_data):
    """A month of calls that the champion learned from, and a correction that came just now; a failure long past."""
    with (real_data / "bank-full.csv").open() as calls, (artifacts / "calls.csv").open("w") as first:
        first.writelines(itertools.islice(calls, 2_000))
    spans.add(spans_folder(artifacts, CONTRACT.name), artifacts / "calls.csv", CONTRACT)
    correct(artifacts, datetime.now(timezone.utc))
    decide(artifacts, "train")
    decide(artifacts, "fail")
    learn(artifacts, 1)


def correct(artifacts, written):
    """A new version of the month, written some time ago."""
    (span,) = spans.spans(spans_folder(artifacts, CONTRACT.name))
    copy = shutil.copytree(span.folder, span.folder.with_name("partial"))
    manifest = dataclasses.replace(span.manifest, written=written)
    (copy / "manifest.json").write_bytes(manifest.to_json())
    copy.rename(span.folder.with_name(f"version-{span.version + 1}"))


def decide(artifacts, action, **about):
    decision = Decision(datetime.now(timezone.utc), action, **about)
    decisions.append(decisions.ledger(artifacts, MODEL), decision)


def learn(artifacts, version):
    """A training on a version of the month, whose model is promoted."""
    decide(artifacts, "train", trained_on=(("2008-05", version),))
    decide(artifacts, "canary", version=1)
    decide(artifacts, "promote", version=1, champion=1)


def work_with_the_desk(desk):
    """Two campaigns, one with outcomes and one without, a scored row and a wrong request."""
    text, bought = desk_campaign.sample_list(3_000, 5, CONTRACT.features())
    desk_campaign.run(desk, "Spring", text, bought, 600)
    desk_campaign.run(desk, "Summer", text, bought, 100, known=0)
    row = stand_in.instances(synthetic(10), np.arange(1))
    assert httpx.post(f"{desk}/api/score", json={"instances": row}).status_code == 200
    assert httpx.get(f"{desk}/campaigns/99").status_code == 404


@pytest.fixture
def stack(running, real_columns, fifths):
    """The stack with scored customers and a bad request, whichever tests ran before."""
    drift = "count(model_drift_score_alarm) == 2"
    if not found(running, drift):
        customers = stand_in.instances(real_columns, fifths[1])
        of_segments = [{"age": customer["age"], "housing": customer["housing"]} for customer in customers]
        with (
            Load(running.server_url, MODEL, customers, 50) as load,
            Load(running.server_url, SEGMENT_MODEL.name, of_segments, 20),
        ):
            wait_until(lambda: load.answered > 300 and found(running, drift))
        status, _ = ask(running, PREDICT, {"instances": [{}]})
        assert status == 400
        wait_until(lambda: found(running, "instance_model:client_error_ratio:rate5m"))
    return running


def ask(stack, path, body=None):
    """Status and JSON of a request to the server."""
    request = urllib.request.Request(stack.server_url + path, json.dumps(body).encode() if body else None)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def send(stack, columns, rows):
    for start in range(0, len(rows), ROWS_PER_REQUEST):
        instances = stand_in.instances(columns, rows[start : start + ROWS_PER_REQUEST])
        status, _ = ask(stack, PREDICT, {"instances": instances})
        assert status == 200


def found(stack, expression):
    return query.instant(stack.prometheus_url, expression)


def alerts(stack, state="firing"):
    return {series.labels["alertname"] for series in found(stack, f'ALERTS{{alertstate="{state}"}}')}


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "nothing happened for a minute"
        time.sleep(0.5)


def wait_for_scrapes(stack, count=3):
    now = time.time()
    wait_until(lambda: found(stack, f"min(timestamp(up)) > {now + count} and count(up == 1) == 3"))


@pytest.mark.parametrize("queries", PANELS)
def test_panel_has_data(stack, queries):
    for expression in queries:
        assert found(stack, expression), expression


@pytest.mark.parametrize("definition", VARIABLES)
def test_variable_has_values(stack, definition):
    selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", definition).groups()
    values = {series.labels[label] for series in found(stack, selector)}
    assert values
    if label == "model_name":
        assert values == {MODEL, SEGMENT_MODEL.name}


@pytest.mark.parametrize("marks", MARKS)
def test_marks_can_be_queried(stack, marks):
    unchanged = marks.replace("> 0", ">= 0")
    assert unchanged != marks
    assert found(stack, unchanged)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("record") or rule["alert"])
def test_rule_can_be_evaluated(stack, rule):
    series = found(stack, rule["expr"])
    assert "alert" in rule or series


def test_prometheus_itself_finds_every_rule_healthy(stack):
    with urllib.request.urlopen(f"{stack.prometheus_url}/api/v1/rules") as response:
        groups = json.load(response)["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == len(RULES)
    assert {rule["health"] for rule in rules} == {"ok"}


def test_every_metric_named_anywhere_is_scraped(stack):
    queries = [expression for panel in PANELS for expression in panel.values[0]]
    queries += [rule["expr"] for rule in RULES] + MARKS
    with urllib.request.urlopen(f"{stack.prometheus_url}/api/v1/label/__name__/values") as response:
        scraped = set(json.load(response)["data"])
    named = set().union(*map(metrics, queries))
    assert len(named) > 40
    of_the_sidecar = {"model_sync_last_success_timestamp_seconds"}
    assert named - scraped == of_the_sidecar, "no sidecar runs here"


def metrics(expression):
    """Metric names in a PromQL expression."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring) *\([^)]*\)', " ", expression)
    names = re.findall(r"(?<![\w:])[:A-Za-z_][\w:]*\b(?! *\()", bare)
    return set(names) - {"or", "and", "unless", "offset", "15m", "e6"} - set(re.findall(r"offset (\w+)", bare))


def test_exporter_and_server_agree_on_memory(stack):
    (told,) = found(stack, "process_resident_memory_bytes{job='model-server'}")
    (seen,) = found(stack, "model_server_process_resident_memory_bytes")
    assert seen.samples[0][1] == pytest.approx(told.samples[0][1], rel=0.05)


def test_random_customers_raise_no_drift_alarm(stack, real_columns, fifths):
    send(stack, real_columns, fifths[1])
    wait_for_scrapes(stack, 5)
    wait_until(lambda: found(stack, f"model_drift_rows{{{OF_MODEL}}} >= 4500"))
    assert not {name for name in alerts(stack) | alerts(stack, "pending") if "Drift" in name}


def test_golden_request_is_not_counted_among_the_customers(stack):
    wait_for_scrapes(stack)
    before = found(stack, f"model_drift_rows{{{OF_MODEL}}}")[0].samples[0][1]
    checks = found(stack, "sum(model_server_golden_request_checks_total)")[0].samples[0][1]
    wait_until(lambda: found(stack, f"sum(model_server_golden_request_checks_total) > {checks + 2}"))
    assert found(stack, f"model_drift_rows{{{OF_MODEL}}}")[0].samples[0][1] == before


def test_a_bad_day(stack, real_columns, fifths):
    """One scenario: no alert fires, customers change, a push fails and is repeated, the server dies and returns, the
    desk dies."""
    # The sample's customers do not buy as the stand-in for a model says.
    usual = {"ModelNoTraffic", "ModelHighLatency", "CampaignsRateOutsideInterval", "ModelSpanMissing"}
    assert alerts(stack) | alerts(stack, "pending") <= usual
    _customers_change_and_return(stack, real_columns, fifths)
    _push_fails_and_is_repeated(stack, real_columns, fifths)
    _server_dies_and_returns(stack)
    _schedule_stops_and_goes_on(stack)
    _desk_dies(stack)
    assert "Traceback" not in (stack.folder / "exporter.log").read_text()


def _customers_change_and_return(stack, columns, fifths):
    send(stack, columns, fifths[2])
    wait_until(lambda: "ModelFeatureDrift" in alerts(stack))
    firing = {s.labels["feature"] for s in found(stack, 'ALERTS{alertname="ModelFeatureDrift"}')}
    assert {"contact", "calls_today", "pdays", "previous", "poutcome"} <= firing
    assert not {"education", "default", "balance"} & firing
    send(stack, columns, fifths[1])
    wait_until(lambda: "ModelFeatureDrift" not in alerts(stack))


def _push_fails_and_is_repeated(stack, columns, fifths):
    models = serving_folder(stack.artifacts, MODEL)
    (models / "partial-2").mkdir()
    (models / "partial-2" / "saved_model.pb").write_bytes(b"not a model")
    broken = (models / "partial-2").rename(models / "2")
    wait_until(lambda: {"ModelLoadFailed", "ModelPushNotServing"} <= alerts(stack))
    named = {series.labels["model_name"] for series in found(stack, 'ALERTS{alertname="ModelLoadFailed"}')}
    assert named == {MODEL}
    status, answer = ask(stack, PREDICT, {"instances": stand_in.instances(columns, fifths[1][:1])})
    assert (status, len(answer["predictions"])) == (200, 1)
    wait_until(lambda: found(stack, 'model_server_version_state{version="2",error_code!="OK"}'))
    shutil.rmtree(broken)
    stand_in.push(stack.artifacts, 3, {name: column[fifths[0]] for name, column in columns.items()})
    wait_until(lambda: found(stack, f"model_server_serving_version_number{{{OF_MODEL}}} == 3"))
    wait_until(lambda: found(stack, filled_in(DEPLOYS.query, DOCUMENTS[0])))
    wait_until(lambda: "ModelPushNotServing" not in alerts(stack))
    wait_until(lambda: found(stack, "min(model_server_golden_request_success) == 1"))


def _server_dies_and_returns(stack):
    server = stack.processes.pop("server")
    server.kill()
    server.wait()
    wait_until(lambda: "ModelServerDown" in alerts(stack, "pending") | alerts(stack))
    wait_until(lambda: "ModelServerDown" in alerts(stack))
    wait_until(lambda: found(stack, "model_server_up == 0"))
    assert found(stack, 'up{job="model-exporter"} == 1')
    stack.start("server")
    wait_until(lambda: not alerts(stack) & {"ModelServerDown", "ModelNoVersionAvailable"})
    wait_until(lambda: found(stack, "min(model_server_up) == 1"))


def _schedule_stops_and_goes_on(stack):
    assert "ModelSpanMissing" in alerts(stack), "the newest month is that of 2008"
    correct(stack.artifacts, datetime.now(timezone.utc) - timedelta(days=4))
    decide(stack.artifacts, "train")
    decide(stack.artifacts, "fail", reasons=("the disk is full",))
    wait_until(lambda: {"ModelRetrainingOverdue", "ModelRetrainingFailed"} <= alerts(stack))
    learn(stack.artifacts, 3)
    wait_until(lambda: not {"ModelRetrainingOverdue", "ModelRetrainingFailed"} & alerts(stack))
    wait_until(lambda: found(stack, filled_in(DECISIONS[0].query, DOCUMENTS[0])))
    (month,) = spans.spans(spans_folder(stack.artifacts, CONTRACT.name))
    spans.set_aside(month, "labels of another list")
    for _ in range(3):
        decide(stack.artifacts, "refuse")
    wait_until(lambda: {"ModelMonthSetAside", "ModelChallengerRefused"} <= alerts(stack))
    spans.accept(month)
    learn(stack.artifacts, 3)
    wait_until(lambda: not {"ModelMonthSetAside", "ModelChallengerRefused"} & alerts(stack))


def _desk_dies(stack):
    assert "CampaignsRateOutsideInterval" in alerts(stack)
    stack.desk.process.kill()
    wait_until(lambda: "CampaignsDeskDown" in alerts(stack))
