"""The Grafana dashboards, written as Python: `python -m monitoring.dashboards` makes their JSON anew.

Each panel is one entry below: title, what it shows, unit and queries. What all panels share (data source, matchers,
layout, links) is added here, so that no panel can forget it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
RUNBOOK = "/public/runbook/RUNBOOK.md"
"""Where compose lets Grafana serve the runbook."""
WIDTH = 24

MATCH = 'job=~"$job",instance=~"$instance",model_name=~"$model"'
"""The exporter's target carries the instance label of the server it watches, so that one choice fits both."""


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
      queries: PromQL by legend, which may use `{{label}}`.
      kind: Grafana's panel type.
      width: of 24 columns.
      unit: Grafana's unit id.
      options: of the panel type.
      defaults: field options beside the unit, such as thresholds or limits of the axis.
      overrides: field options for some series only.
      instant: whether only the newest value is asked for.
      format: of the answer: `time_series`, `table` or `heatmap`.
      alert: name of the alert that watches this, linked to its section of the runbook.
    """

    title: str
    description: str
    unit: str
    queries: dict[str, str]
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    options: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    overrides: list[dict[str, Any]] = field(default_factory=list)
    instant: bool = False
    format: str = "time_series"
    alert: str = ""


@dataclass(frozen=True)
class Row:
    """A headline over some panels."""

    title: str
    panels: Sequence[Panel]


def _steps(*steps: tuple[float | None, str]) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


def _stat(title: str, description: str, unit: str, query: str, steps: dict[str, Any], **more: Any) -> Panel:
    defaults = {"thresholds": steps, "color": {"mode": "thresholds"}, **more.pop("defaults", {})}
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area", "colorMode": "background"}
    return Panel(title, description, unit, {"": query}, "stat", 4, 4, options, defaults, **more)


_GOOD_IS_ONE = _steps((None, "red"), (1, "green"))
_UP_OR_DOWN = {
    "defaults": {
        "mappings": [{"type": "value", "options": {"0": {"text": "no"}, "1": {"text": "yes"}}}],
        "min": 0,
        "max": 1,
    }
}
_STACKED = {"custom": {"stacking": {"mode": "normal"}, "fillOpacity": 30}}
_SHARE = {"min": 0, "max": 1}


def _dashed(name: str, color: str) -> dict[str, Any]:
    """An override that draws a series as a dashed line."""
    return {
        "matcher": {"id": "byRegexp", "options": name},
        "properties": [
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
            {"id": "custom.fillOpacity", "value": 0},
            {"id": "custom.stacking", "value": {"mode": "none"}},
            {"id": "color", "value": {"mode": "fixed", "fixedColor": color}},
        ],
    }


SERVICE = [
    Row(
        "Is it fine?",
        [
            _stat(
                "Server answers",
                "Whether the server answers the exporter's status request.",
                "none",
                f"min(model_server_up{{{MATCH}}})",
                _GOOD_IS_ONE,
                alert="PurchaseModelServerDown",
                **_UP_OR_DOWN,
            ),
            _stat(
                "Golden request",
                "Whether a stored row gets the probability that was stored with the model.",
                "none",
                f"min(model_server_golden_request_success{{{MATCH}}})",
                _GOOD_IS_ONE,
                alert="PurchaseModelGoldenRequestFailing",
                **_UP_OR_DOWN,
            ),
            _stat(
                "Serving version",
                "Number of the newest version that serves.",
                "none",
                f"max(model_server_serving_version_number{{{MATCH}}})",
                _steps((None, "blue")),
                defaults={"decimals": 0},
                alert="PurchaseModelPushNotServing",
            ),
            _stat(
                "Age of the version",
                "Time since the serving version was written.",
                "s",
                f"time() - max(model_server_serving_version_pushed_timestamp_seconds{{{MATCH}}})",
                _steps((None, "blue")),
            ),
            _stat(
                "Server errors",
                "Share of requests of the last five minutes that failed inside the server. Bad requests do not count.",
                "percentunit",
                f"max(instance_model:server_error_ratio:rate5m{{{MATCH}}})",
                _steps((None, "green"), (0.01, "orange"), (0.05, "red")),
                alert="PurchaseModelHighErrorRatio",
            ),
            _stat(
                "p95 latency",
                "95 of 100 predictions of the last five minutes were quicker; in the server, without the network.",
                "s",
                f"max(instance_model:prediction_latency_seconds:p95_5m{{{MATCH}}})",
                _steps((None, "green"), (0.05, "orange"), (0.1, "red")),
                alert="PurchaseModelHighLatency",
            ),
        ],
    ),
    Row(
        "Requests",
        [
            Panel(
                "Rate",
                "Predictions per second, and all requests, status requests included.",
                "reqps",
                {
                    "predictions {{instance}}": "sum by (instance) (rate(:tensorflow:serving:request_latency_count"
                    f'{{{MATCH},API=~"predict|Predict"}}[$__rate_interval]))',
                    "all {{instance}}": "sum by (instance) (rate(:tensorflow:serving:request_count"
                    f"{{{MATCH}}}[$__rate_interval]))",
                },
                alert="PurchaseModelNoTraffic",
            ),
            Panel(
                "Results",
                "Requests per second by status as TensorFlow Serving names it: OK, errors of the client such as "
                "INVALID_ARGUMENT and NOT_FOUND, errors of the server such as INTERNAL and UNAVAILABLE.",
                "reqps",
                {
                    "{{status}}": "sum by (status) (rate(:tensorflow:serving:request_count"
                    f"{{{MATCH}}}[$__rate_interval]))"
                },
                defaults=_STACKED,
            ),
            Panel(
                "Errors",
                "Share of requests of the last five minutes that failed, by whose fault it is.",
                "percentunit",
                {
                    "server": f"max(instance_model:server_error_ratio:rate5m{{{MATCH}}})",
                    "client": f"max(instance_model:client_error_ratio:rate5m{{{MATCH}}})",
                },
                defaults=_SHARE,
                alert="PurchaseModelHighErrorRatio",
            ),
            Panel(
                "Latency",
                "Quantiles of the time of a prediction in the server over five minutes. Buckets grow by 1.8, so a "
                "quantile may be up to 80 % too high.",
                "s",
                {
                    f"p{quantile}": f"max(instance_model:prediction_latency_seconds:p{quantile}_5m{{{MATCH}}})"
                    for quantile in (50, 95, 99)
                },
                defaults={"min": 0},
                alert="PurchaseModelHighLatency",
            ),
            Panel(
                "Latency of all predictions",
                "How many predictions took how long; darker is more.",
                "µs",
                {
                    "{{le}}": "sum by (le) (increase(:tensorflow:serving:request_latency_bucket"
                    f'{{{MATCH},API=~"predict|Predict"}}[$__rate_interval]))'
                },
                kind="heatmap",
                format="heatmap",
                options={
                    "calculate": False,
                    "yAxis": {"unit": "µs"},
                    "color": {"mode": "scheme", "scheme": "Blues", "steps": 64},
                    "tooltip": {"mode": "single", "yHistogram": True},
                },
            ),
            Panel(
                "Time in the model",
                "p99 of a prediction beside p99 of the model's run alone. The rest is JSON and waiting.",
                "s",
                {
                    "prediction p99": f"max(instance_model:prediction_latency_seconds:p99_5m{{{MATCH}}})",
                    "model p99": f"max(instance_model:run_latency_seconds:p99_5m{{{MATCH}}})",
                },
                defaults={"min": 0},
            ),
        ],
    ),
    Row(
        "Serving process",
        [
            Panel(
                "Memory",
                "Resident memory (RSS) of the serving process and its limit. It rises for a moment while one version "
                "replaces another.",
                "bytes",
                {
                    "RSS": f"max(model_server_process_resident_memory_bytes{{{MATCH}}})",
                    "limit": f"min(model_server_process_memory_limit_bytes{{{MATCH}}})",
                },
                width=12,
                defaults={"min": 0},
                overrides=[_dashed("limit", "red")],
                alert="PurchaseModelMemoryNearLimit",
            ),
            Panel(
                "CPU",
                "Cores in use by the serving process.",
                "short",
                {"cores": f"sum(rate(model_server_process_cpu_seconds_total{{{MATCH}}}[$__rate_interval]))"},
                width=6,
                defaults={"min": 0},
            ),
            Panel(
                "Threads and open files",
                "A steady climb of either is a leak.",
                "short",
                {
                    "threads": f"max(model_server_process_threads{{{MATCH}}})",
                    "open files": f"max(model_server_process_open_fds{{{MATCH}}})",
                },
                width=6,
                defaults={"min": 0},
            ),
        ],
    ),
    Row(
        "Versions",
        [
            Panel(
                "State of each version",
                "Which versions the server knows, in which state, and why one could not be loaded.",
                "none",
                {"{{version}} {{state}} {{error_code}}": f"model_server_version_state{{{MATCH}}}"},
                kind="state-timeline",
                width=12,
                options={"mergeValues": True, "showValue": "never", "legend": {"showLegend": False}},
                defaults={"color": {"mode": "continuous-GrYlRd"}, "custom": {"fillOpacity": 70}},
                alert="PurchaseModelPushNotServing",
            ),
            Panel(
                "Loads",
                "Attempts to load a version since the server started, by result.",
                "short",
                {
                    "{{status}}": "sum by (status) (:tensorflow:cc:saved_model:load_attempt_count"
                    '{job=~"$job",instance=~"$instance"})'
                },
                width=6,
                defaults={"min": 0, "decimals": 0, "custom": {"lineInterpolation": "stepAfter"}},
                alert="PurchaseModelLoadFailed",
            ),
            Panel(
                "Golden request latency",
                "Time of one prediction as a client on the exporter's host sees it.",
                "s",
                {"golden": f"max(model_server_golden_request_duration_seconds{{{MATCH}}})"},
                width=6,
                defaults={"min": 0},
                alert="PurchaseModelGoldenRequestFailing",
            ),
        ],
    ),
]

_SOURCE = f'{MATCH},source=~"$source"'
_FEATURE_BARS = {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": {"calcs": ["lastNotNull"]}}

MODEL = [
    Row(
        "The served version when it was pushed, on its test split",
        [
            *(
                _stat(
                    title,
                    description,
                    unit,
                    f'max(model_quality{{{MATCH},metric="{metric}"}})',
                    _steps((None, "blue")),
                    defaults={"decimals": 3},
                )
                for title, description, unit, metric in (
                    ("Accuracy", "Share of right answers at a threshold of 0.5.", "percentunit", "accuracy"),
                    ("Majority", "Accuracy of always saying no, on the same rows.", "percentunit", "majority_accuracy"),
                    ("AUC", "Chance that a buyer is scored above a non-buyer.", "none", "auc"),
                    ("PR-AUC", "Area under precision over recall.", "none", "pr_auc"),
                    (
                        "Calibration error",
                        "Mean gap between score and buy rate (ECE); 0 is best.",
                        "percentunit",
                        "ece",
                    ),
                )
            ),
            _stat(
                "Real data",
                "Whether the version learned from customers. 'no' means the synthetic sample.",
                "none",
                f'1 - max(model_training_info{{{MATCH},synthetic="true"}} or 0 * model_training_info{{{MATCH}}})',
                _steps((None, "orange"), (1, "green")),
                **_UP_OR_DOWN,
            ),
        ],
    ),
    Row(
        "Scores",
        [
            Panel(
                "Mean score",
                "Mean probability of recent customers against that of the training split. Far apart: probabilities "
                "no longer mean what they did.",
                "percentunit",
                {
                    "recent {{source}}": f"max by (source) (model_drift_mean_score{{{_SOURCE}}})",
                    "training": f"max(model_drift_reference_mean_score{{{_SOURCE}}})",
                },
                overrides=[_dashed("training", "text")],
                defaults={"min": 0},
            ),
            Panel(
                "Score distribution",
                "Share of scores in each tenth of the training scores; the label is the upper limit. Without drift "
                "every bar is 10 %.",
                "percentunit",
                {
                    "{{upper}}": f'max by (upper) (model_drift_score_ratio{{{MATCH},window="recent"}})',
                },
                kind="bargauge",
                instant=True,
                options={**_FEATURE_BARS, "orientation": "vertical"},
                defaults={"min": 0, "thresholds": _steps((None, "blue")), "color": {"mode": "thresholds"}},
            ),
            Panel(
                "Score drift",
                "PSI of the score against the training split, with the line above which it is neither small nor "
                "chance.",
                "short",
                {
                    "PSI {{source}}": f"max by (source) (model_drift_score_psi{{{_SOURCE}}})",
                    "alarm line": f"max(model_drift_score_psi_alarm_line{{{_SOURCE}}})",
                },
                overrides=[_dashed("alarm line", "red")],
                defaults={"min": 0},
                alert="PurchaseModelScoreDrift",
            ),
        ],
    ),
    Row(
        "Customers",
        [
            Panel(
                "Drift by feature",
                "PSI of each feature divided by its alarm line, the largest first: from 1 on the feature has moved.",
                "short",
                {
                    "{{feature}}": "sort_desc(max by (feature) "
                    f"(model_drift_psi{{{_SOURCE}}} / model_drift_psi_alarm_line{{{_SOURCE}}}))"
                },
                kind="bargauge",
                width=8,
                height=12,
                instant=True,
                options=_FEATURE_BARS,
                defaults={
                    "min": 0,
                    "max": 5,
                    "thresholds": _steps((None, "green"), (1, "orange"), (2.5, "red")),
                    "color": {"mode": "thresholds"},
                },
                alert="PurchaseModelFeatureDrift",
            ),
            Panel(
                "Drift over time",
                "PSI of each feature against the training split; the dashed line is the highest alarm line.",
                "short",
                {
                    "{{feature}}": f"max by (feature) (model_drift_psi{{{_SOURCE}}})",
                    "alarm line": f"max(model_drift_psi_alarm_line{{{_SOURCE}}})",
                },
                width=16,
                height=12,
                overrides=[_dashed("alarm line", "red")],
                defaults={"min": 0},
                alert="PurchaseModelFeatureDrift",
            ),
            Panel(
                "Unseen values",
                "Share of recent customers whose value the model has never seen, by feature.",
                "percentunit",
                {"{{feature}}": f"max by (feature) (model_drift_unseen_ratio{{{_SOURCE}}})"},
                defaults=_SHARE,
            ),
            Panel(
                "Missing values",
                "Share of recent customers without a value, by feature. pdays is missing for everybody who was never "
                "called before.",
                "percentunit",
                {"{{feature}}": f"max by (feature) (model_drift_missing_ratio{{{_SOURCE}}})"},
                defaults=_SHARE,
            ),
            Panel(
                "Out of range",
                "Share of recent customers below or above everything in the training split, by feature.",
                "percentunit",
                {"{{feature}}": f"max by (feature) (model_drift_out_of_range_ratio{{{_SOURCE}}})"},
                defaults=_SHARE,
            ),
            Panel(
                "Rows compared",
                "Recent customers that the drift figures stand on. Below 200 there is no verdict.",
                "short",
                {"{{source}}": f"max by (source) (model_drift_rows{{{_SOURCE}}})"},
                width=12,
                defaults={"min": 0},
            ),
            Panel(
                "Features above their line",
                "How many features have moved.",
                "short",
                {"{{source}}": f"sum by (source) (model_drift_alarm{{{_SOURCE}}})"},
                width=12,
                defaults={"min": 0, "decimals": 0},
                alert="PurchaseModelFeatureDrift",
            ),
        ],
    ),
]


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_VARIABLES = [
    {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "prometheus"},
    },
    _variable("job", "Job", 'label_values(up{job=~"model-.+"}, job)'),
    _variable("instance", "Instance", 'label_values(up{job=~"$job"}, instance)'),
    _variable("model", "Model", 'label_values(model_server_up{job=~"$job",instance=~"$instance"}, model_name)'),
]
_SOURCE_VARIABLE = _variable("source", "Source", f"label_values(model_drift_rows{{{MATCH}}}, source)")


def layout(rows: Sequence[Row]) -> tuple[list[tuple[dict[str, int], Row | Panel]], int]:
    """Grid positions of headlines and panels, filled from the left, and the height of the whole."""
    placed: list[tuple[dict[str, int], Row | Panel]] = []
    top = 0
    for row in rows:
        placed.append(({"x": 0, "y": top, "w": WIDTH, "h": 1}, row))
        top += 1
        left = height = 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                top, left, height = top + height, 0, 0
            placed.append(({"x": left, "y": top, "w": panel.width, "h": panel.height}, panel))
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return placed, top


def dashboard(uid: str, title: str, description: str, rows: Sequence[Row], variables: Sequence[dict]) -> dict[str, Any]:
    """Grafana's JSON model (schema 39) of one dashboard."""
    placed, _ = layout(rows)
    return {
        "id": None,
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["purchase-model"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": list(variables)},
        "annotations": {"list": [_DEPLOYS]},
        "links": [
            {
                "title": "Purchase model",
                "type": "dashboards",
                "tags": ["purchase-model"],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
            },
            {"title": "Runbook", "type": "link", "url": RUNBOOK, "icon": "doc", "targetBlank": True},
        ],
        "panels": [
            _headline(item, number, place) if isinstance(item, Row) else _panel(item, number, place)
            for number, (place, item) in enumerate(placed, start=1)
        ],
    }


_DEPLOYS = {
    "name": "Deploys",
    "datasource": _DATASOURCE,
    "enable": True,
    "iconColor": "blue",
    "expr": f"changes(model_server_serving_version_number{{{MATCH}}}[$__rate_interval]) > 0",
    "titleFormat": "A new version serves",
    "step": "15s",
}


def _headline(row: Row, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    links = []
    if panel.alert:
        url = f"{RUNBOOK}#{panel.alert.lower()}"
        links.append({"title": f"Runbook: {panel.alert}", "url": url, "targetBlank": True})
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "gridPos": place,
        "links": links,
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, **panel.options},
        "fieldConfig": {"defaults": {"unit": panel.unit, **panel.defaults}, "overrides": panel.overrides},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _DATASOURCE,
                "expr": query,
                "legendFormat": legend or "__auto",
                "instant": panel.instant,
                "range": not panel.instant,
                "format": panel.format,
            }
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def build() -> dict[str, dict[str, Any]]:
    """Every dashboard by file name."""
    return {
        "service.json": dashboard(
            "purchase-model-service",
            "Service",
            "Whether the model server is fine: requests, latency, errors, memory, versions.",
            SERVICE,
            _VARIABLES,
        ),
        "model-and-data.json": dashboard(
            "purchase-model-data",
            "Model and data",
            "Whether today's customers still look like those the model has learned from, and what it makes of them.",
            MODEL,
            [*_VARIABLES, _SOURCE_VARIABLE],
        ),
    }


def main() -> None:
    for name, content in build().items():
        (FOLDER / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")


if __name__ == "__main__":
    main()
