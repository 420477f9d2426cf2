"""The monitoring with the real server, exporter and Prometheus: every expression answers, every alarm rings and clears.

The tests build on each other's traffic and stand in the order of a bad day: customers change, a push fails, the
server dies.
"""

import json
import os
import re
import shutil
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import yaml

from monitoring import dashboards, query
from monitoring.load import Load
from monitoring.stack import Ports, Stack
from tests.serving.harness import free_port
from tests.support import stand_in
from tests.support.customers import bank_full

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 60
ROWS_PER_REQUEST = 500
RULES = [
    rule
    for name in ("recording.yml", "alerts.yml")
    for group in yaml.safe_load((Path(dashboards.__file__).parent / "prometheus" / "rules" / name).read_text())[
        "groups"
    ]
    for rule in group["rules"]
]
PANELS = [
    pytest.param(panel, id=f"{dashboard['uid']}-{panel['title']}")
    for dashboard in dashboards.build().values()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]


class QuickStack(Stack):
    """Alerts need two seconds of a condition instead of minutes."""

    def configure(self):
        super().configure()
        alerts = self.folder / "rules" / "alerts.yml"
        alerts.write_text(re.sub(r"for: \w+", "for: 2s", alerts.read_text()))


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
def stack(tmp_path_factory, real_columns, fifths):
    if shutil.which("prometheus") is None:
        assert "CI" not in os.environ, "prometheus is needed in CI; it is Debian's package of that name"
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("monitoring")
    training = {name: column[fifths[0]] for name, column in real_columns.items()}
    stand_in.push(folder / "models", 1, training)
    stand_in.write_summary(folder / "runs", 1)
    ports = Ports(free_port(), free_port(), free_port())
    with QuickStack(folder / "models", folder / "runs", folder / "stack", ports, interval=1) as stack:
        customers = stand_in.instances(real_columns, fifths[1])
        with Load(stack.server_url, "purchase-model", customers, 50) as load:
            wait_until(lambda: load.answered > 300)
        status, _ = ask(stack, "/v1/models/purchase-model:predict", {"instances": [{}]})
        assert status == 400
        wait_until(lambda: found(stack, "instance_model:client_error_ratio:rate5m"))
        yield stack


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
        status, _ = ask(stack, "/v1/models/purchase-model:predict", {"instances": instances})
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
    wait_until(lambda: found(stack, f"min(timestamp(up)) > {now + count} and count(up == 1) == 2"))


def filled_in(expression):
    """A panel's query as Grafana sends it with everything selected."""
    expression = re.sub(r"\$(job|instance|model|source)\b", ".+", expression)
    return expression.replace("$__rate_interval", "10s")


@pytest.mark.parametrize("panel", PANELS)
def test_panel_has_data(stack, panel):
    for target in panel["targets"]:
        assert found(stack, filled_in(target["expr"])), target["expr"]


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
    queries = [target["expr"] for panel in PANELS for target in panel.values[0]["targets"]]
    queries += [rule["expr"] for rule in RULES]
    with urllib.request.urlopen(f"{stack.prometheus_url}/api/v1/label/__name__/values") as response:
        scraped = set(json.load(response)["data"])
    named = set().union(*map(metrics, queries))
    assert len(named) > 40
    assert named - scraped == set()


def metrics(expression):
    """Metric names in a PromQL expression."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring) *\([^)]*\)', " ", expression)
    names = re.findall(r"(?<![\w:])[:A-Za-z_][\w:]*\b(?! *\()", bare)
    return set(names) - {"or", "and", "unless", "offset", "15m", "e6"} - set(re.findall(r"offset (\w+)", bare))


def test_healthy_service_rings_no_alarm(stack):
    assert alerts(stack) | alerts(stack, "pending") <= {"PurchaseModelNoTraffic", "PurchaseModelHighLatency"}


def test_exporter_and_server_agree_on_memory(stack):
    (told,) = found(stack, "process_resident_memory_bytes{job='model-server'}")
    (seen,) = found(stack, "model_server_process_resident_memory_bytes")
    assert seen.samples[0][1] == pytest.approx(told.samples[0][1], rel=0.05)


def test_random_customers_ring_no_drift_alarm(stack, real_columns, fifths):
    send(stack, real_columns, fifths[1])
    wait_for_scrapes(stack, 5)
    wait_until(lambda: found(stack, "model_drift_rows >= 4500"))
    assert not {name for name in alerts(stack) | alerts(stack, "pending") if "Drift" in name}


def test_golden_request_is_not_counted_among_the_customers(stack):
    before = found(stack, "model_drift_rows")[0].samples[0][1]
    checks = found(stack, "sum(model_server_golden_request_checks_total)")[0].samples[0][1]
    wait_until(lambda: found(stack, f"sum(model_server_golden_request_checks_total) > {checks + 2}"))
    assert found(stack, "model_drift_rows")[0].samples[0][1] == before


def test_the_last_fifth_in_time_rings_the_drift_alarm_until_old_customers_return(stack, real_columns, fifths):
    send(stack, real_columns, fifths[2])
    wait_until(lambda: "PurchaseModelFeatureDrift" in alerts(stack))
    firing = {s.labels["feature"] for s in found(stack, 'ALERTS{alertname="PurchaseModelFeatureDrift"}')}
    assert {"contact", "month", "pdays", "previous", "poutcome"} <= firing
    assert not {"education", "default", "balance"} & firing
    send(stack, real_columns, fifths[1])
    wait_until(lambda: "PurchaseModelFeatureDrift" not in alerts(stack))


def test_corrupt_version_rings_and_the_old_one_still_answers(stack, real_columns, fifths):
    broken = stack.models / "2"
    (stack.models / "partial-2").mkdir()
    (stack.models / "partial-2" / "saved_model.pb").write_bytes(b"not a model")
    (stack.models / "partial-2").rename(broken)
    wait_until(lambda: {"PurchaseModelLoadFailed", "PurchaseModelPushNotServing"} <= alerts(stack))
    status, answer = ask(
        stack, "/v1/models/purchase-model:predict", {"instances": stand_in.instances(real_columns, fifths[1][:1])}
    )
    assert (status, len(answer["predictions"])) == (200, 1)
    wait_until(lambda: found(stack, 'model_server_version_state{version="2",error_code!="OK"}'))
    shutil.rmtree(broken)
    stand_in.push(stack.models, 3, {name: column[fifths[0]] for name, column in real_columns.items()})
    wait_until(lambda: found(stack, "model_server_serving_version_number == 3"))
    wait_until(lambda: "PurchaseModelPushNotServing" not in alerts(stack))
    wait_until(lambda: found(stack, "model_server_golden_request_success == 1"))


def test_dead_server_rings_and_clears_after_its_return(stack):
    server = stack.processes.pop("server")
    server.kill()
    server.wait()
    wait_until(lambda: "PurchaseModelServerDown" in alerts(stack, "pending") | alerts(stack))
    wait_until(lambda: "PurchaseModelServerDown" in alerts(stack))
    wait_until(lambda: found(stack, "model_server_up == 0"))
    assert found(stack, 'up{job="model-exporter"} == 1')
    stack.start("server")
    wait_until(lambda: not alerts(stack) & {"PurchaseModelServerDown", "PurchaseModelNoVersionAvailable"})
    wait_until(lambda: found(stack, "model_server_up == 1"))
    assert "Traceback" not in (stack.folder / "exporter.log").read_text()
