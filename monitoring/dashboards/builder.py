"""Builds the JSON of a Grafana dashboard from its rows of panels.

What all panels share (data sources, selector of labels, layout, links) is added here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

RUNBOOK = "/public/runbook/RUNBOOK.md"
"""The URL of the runbook in Grafana, see docker-compose.yml."""
WIDTH = 24
"""Columns of Grafana's grid."""
TAG = "model-monitoring"

SELECTED = 'job=~"$job",instance=~"$instance",model_name=~"$model"'
"""Label matchers of queries about a model. The exporter's target has the instance label of its server, so that one
choice of `instance` selects both."""
OF_SERVER = 'job=~"$job",instance=~"$instance"'
"""Label matchers of queries about the serving process, which may have several models."""
FROM_SOURCE = f'{SELECTED},source=~"$source"'
"""Label matchers of drift queries."""


@dataclass(frozen=True)
class Variable:
    """A choice of several values above the panels.

    Attributes:
      name: in the queries, behind a dollar sign.
      values: query of the values, with Grafana's `label_values`.
      all: regular expression where all are chosen.
    """

    name: str
    values: str
    all: str = ".+"


OF_MODELS = (
    Variable("job", 'label_values(up{job=~"model-.+"}, job)'),
    Variable("instance", 'label_values(up{job=~"$job"}, instance)'),
    Variable("model", 'label_values(model_server_up{job=~"$job",instance=~"$instance"}, model_name)'),
)
"""The choices of a dashboard about models."""


@dataclass(frozen=True)
class Marks:
    """Vertical lines in all panels, where a query has a value: their name, the query, what a line says, its color."""

    name: str
    query: str
    text: str
    color: str = "blue"


DEPLOYS = Marks(
    "Deploys",
    f"changes(model_server_serving_version_number{{{SELECTED}}}[$__rate_interval]) > 0",
    "A new version serves",
)


DECISIONS = tuple(
    Marks(
        name,
        f'changes(model_schedule_decisions_total{{{SELECTED},action="{action}"}}[$__rate_interval]) > 0',
        text,
        color,
    )
    for name, action, text, color in (
        ("Promotions", "promote", "A challenger became the champion", "green"),
        ("Roll backs", "roll-back", "A version was withdrawn", "red"),
        ("Refusals", "refuse", "A challenger was refused", "orange"),
    )
)


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
      title: in a few words.
      description: what the panel shows, for its tooltip.
      unit: Grafana's unit id.
      queries: PromQL by legend; a legend may contain `{{label}}`. SQL has an empty legend: a series is named by its
        column `metric`.
      kind: Grafana's panel type.
      width, height: in cells of the grid.
      options: of the panel type.
      defaults: field options besides the unit, such as thresholds or limits of the axis.
      overrides: field options of some series.
      instant: whether to query only the newest value.
      format: of the answer: `time_series`, `table` or `heatmap`.
      alert: name of the alert on the same metric; the panel links to its section of the runbook.
      language: of the queries, `promql` or `sql`.
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
    language: Literal["promql", "sql"] = "promql"


@dataclass(frozen=True)
class Row:
    """A headline with panels below it."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Dashboard:
    """One dashboard.

    Attributes:
      name: of its file, without extension.
      uid: Grafana's id, part of its URL.
      title: in Grafana's list.
      description: which question it answers.
      rows: its panels, from the top.
      variables: the choices, besides those of data sources.
      marks: vertical lines in its panels.
    """

    name: str
    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = OF_MODELS
    marks: Sequence[Marks] = (DEPLOYS,)


# --- panels -----------------------------------------------------------------------------------------------------------


def thresholds(*steps: tuple[float | None, str]) -> dict[str, Any]:
    """Colors by the value from which they apply; the first value is None."""
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


def stat(
    title: str, description: str, unit: str, query: str, colors: dict[str, Any], legend: str = "", **more: Any
) -> Panel:
    """A small panel with one number for each series, on a background in the color of its threshold."""
    defaults = {"thresholds": colors, "color": {"mode": "thresholds"}, **more.pop("defaults", {})}
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area", "colorMode": "background"}
    width = more.pop("width", 4)
    return Panel(title, description, unit, {legend: query}, "stat", width, 4, options, defaults, **more)


GOOD_IS_ONE = thresholds((None, "red"), (1, "green"))
YES_OR_NO: dict[str, Any] = {
    "defaults": {
        "mappings": [{"type": "value", "options": {"0": {"text": "no"}, "1": {"text": "yes"}}}],
        "min": 0,
        "max": 1,
    }
}
STACKED = {"custom": {"stacking": {"mode": "normal"}, "fillOpacity": 30}}
SHARE = {"min": 0, "max": 1}


def dashed(name: str, color: str) -> dict[str, Any]:
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


# --- JSON -------------------------------------------------------------------------------------------------------------

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_DATABASE = {"type": "grafana-postgresql-datasource", "uid": "${database}"}


def layout(rows: Sequence[Row]) -> tuple[list[tuple[dict[str, int], Row | Panel]], int]:
    """Places headlines and panels on the grid, row by row from the left.

    Returns:
      Pairs of position (`x`, `y`, `w`, `h`) and item, and the height of all rows.
    """
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


def document(dashboard: Dashboard) -> dict[str, Any]:
    """Grafana's JSON model (schema 39) of a dashboard."""
    placed, _ = layout(dashboard.rows)
    return {
        "id": None,
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": [TAG],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables(dashboard)},
        "annotations": {"list": [_marks(marks) for marks in dashboard.marks]},
        "links": [
            {
                "title": "Dashboards",
                "type": "dashboards",
                "tags": [TAG],
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


def _variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    sources = [_source("datasource", "Data source", "prometheus", "Prometheus", "prometheus")]
    if any(panel.language == "sql" for row in dashboard.rows for panel in row.panels):
        sources.append(_source("database", "Database", _DATABASE["type"], "PostgreSQL", "postgresql"))
    return [*sources, *map(_variable, dashboard.variables)]


def _source(name: str, label: str, kind: str, text: str, uid: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "datasource",
        "query": kind,
        "current": {"text": text, "value": uid},
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "label": variable.name.capitalize(),
        "type": "query",
        "datasource": _DATASOURCE,
        "definition": variable.values,
        "query": {"query": variable.values, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": variable.all,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _marks(marks: Marks) -> dict[str, Any]:
    return {
        "name": marks.name,
        "datasource": _DATASOURCE,
        "enable": True,
        "iconColor": marks.color,
        "expr": marks.query,
        "titleFormat": marks.text,
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
        "datasource": _DATABASE if panel.language == "sql" else _DATASOURCE,
        "gridPos": place,
        "links": links,
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, **panel.options},
        "fieldConfig": {"defaults": {"unit": panel.unit, **panel.defaults}, "overrides": panel.overrides},
        "targets": [
            {"refId": chr(ord("A") + position), **_target(panel, legend, query)}
            for position, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _target(panel: Panel, legend: str, query: str) -> dict[str, Any]:
    if panel.language == "sql":
        return {
            "datasource": _DATABASE,
            "rawSql": query,
            "rawQuery": True,
            "editorMode": "code",
            "format": panel.format,
        }
    return {
        "datasource": _DATASOURCE,
        "expr": query,
        "legendFormat": legend or "__auto",
        "instant": panel.instant,
        "range": not panel.instant,
        "format": panel.format,
    }
