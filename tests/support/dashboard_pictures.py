"""Draws the dashboards as pictures for the documentation: `python -m tests.support.dashboard_pictures`.

A picture shows what the queries of a dashboard return from a real Prometheus and a real PostgreSQL during a load test
of some minutes: few requests, many, many while a new version is pushed and put on trial, then, when it is promoted, few
with customers from the end of the synthetic sample only. A campaign desk scores customers meanwhile, and has campaigns
in the first and the last phase.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from rich.console import Console

from analysis.profile import Profile
from data import sample
from data.command import DONE, guarded
from data.errors import NotReadyError
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import ARTIFACTS, ROOT, serving_folder
from monitoring import query
from monitoring.dashboards import DASHBOARDS
from monitoring.dashboards.builder import WIDTH, Dashboard, Panel, Row, Variable, layout
from monitoring.load import Customer, Load, synthetic_customers, takes_synthetic_customers
from monitoring.stack import Ports, Stack, Watched
from runs import decisions, versions
from runs.decisions import Action, Decision
from tests.support import desk_campaign, postgresql
from tests.support.desk_process import DeskProcess
from tests.support.server import free_port

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = ROOT / "monitoring" / "pictures"
POINTS = 150
INTERVAL_SECONDS = 2
RATE_WINDOW = "20s"
CELL_INCHES = (0.75, 0.32)
"""Width and height of one cell of a dashboard's grid."""
LIST_ROWS = 8_000
"""Customers of a campaign's list."""
LATER_SHARE = 0.2
"""Share of the synthetic sample, at its end, whose rows are the later customers."""

Named = list[tuple[str, query.Series]]
"""Series with the text of their legend."""


class Recorded:
    """The answers of a Prometheus and of a database to the queries of panels, between two Unix times.

    Args:
      url: of Prometheus.
      database: of the desk's PostgreSQL.
      start, end: the Unix times.
    """

    def __init__(self, url: str, database: str, start: float, end: float) -> None:
        self._url, self._database = url, database
        self.start = start
        self._end = end

    def rows(self, panel: Panel) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names of the columns and rows of a panel with SQL."""
        (query,) = panel.queries.values()
        query = query.replace("$__timeFilter(time)", "true").replace("${model:regex}", ".+")
        with psycopg.connect(self._database) as connection:
            cursor = connection.execute(query.replace("${version:regex}", ".+").encode())
            return [column.name for column in cursor.description or ()], cursor.fetchall()

    def series(self, panel: Panel, choices: Sequence[Variable]) -> Named:
        """The series of a panel, everything chosen; the times are in seconds since the start."""
        if panel.language == "sql":
            return self._by_metric(panel)
        named = []
        for legend, expression in panel.queries.items():
            for choice in choices:
                expression = re.sub(rf"\${choice.name}\b", lambda _, all=choice.all: all, expression)
            expression = expression.replace("$__rate_interval", RATE_WINDOW)
            step = max((self._end - self.start) / POINTS, 1)
            for series in query.over_time(self._url, expression, self.start, self._end, step):
                samples = [(at - self.start, value) for at, value in series.samples]
                named.append((_fill_in(legend, series.labels), query.Series(series.labels, samples)))
        return named

    def _by_metric(self, panel: Panel) -> Named:
        """Rows of time, metric and value as series."""
        found: dict[str, list[tuple[float, float]]] = {}
        for moment, metric, value in self.rows(panel)[1]:
            found.setdefault(metric, []).append((moment.timestamp() - self.start, float(value)))
        return [(metric, query.Series({}, samples)) for metric, samples in found.items()]


def _fill_in(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), legend).strip()


def draw(dashboard: Dashboard, recorded: Recorded, file: Path) -> None:
    """Draws one dashboard, panel by panel, as Grafana lays it out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    placed, height = layout(dashboard.rows)
    wide, high = CELL_INCHES
    figure = Figure((WIDTH * wide, height * high), facecolor="#f4f5f5")
    FigureCanvasAgg(figure)
    for place, item in placed:
        left, bottom = place["x"] / WIDTH, 1 - (place["y"] + place["h"]) / height
        if isinstance(item, Row):
            figure.text(left + 0.004, bottom + 0.3 / height, item.title, fontsize=12, weight="bold")
            continue
        axes = figure.add_axes(
            (left + 0.75 / WIDTH, bottom + 1.2 / height, (place["w"] - 1.1) / WIDTH, (place["h"] - 2.5) / height)
        )
        axes.set_title(item.title, fontsize=10, loc="left")
        if item.kind == "table":
            _table(axes, item, *recorded.rows(item))
        else:
            _DRAWN.get(item.kind, _lines)(axes, item, recorded.series(item, dashboard.variables))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=80)


def _lines(axes: Axes, panel: Panel, series: Named) -> None:
    for name, curve in series:
        dashed = "line" in name or name in ("training", "limit")
        if name == "limit" and panel.unit == "bytes":
            continue  # the limit of a large host would flatten the curve
        at, values = (np.array(numbers) for numbers in zip(*curve.samples, strict=True))
        style = "o" if panel.language == "sql" else "--" if dashed else "-"
        axes.plot(at / 60, values * _scale(panel)[0], style, label=name, lw=1.3)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.15)
    axes.set_ylabel(_scale(panel)[1], fontsize=8)
    axes.set_xlabel("minutes", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    if len(series) > 1:
        many = len(series) > 6
        axes.legend(fontsize=6 if many else 7, loc="upper left", ncols=(panel.width // 4) if many else 1)


def _stat(axes: Axes, panel: Panel, series: Named) -> None:
    value = series[0][1].samples[-1][1] if series else float("nan")
    factor, unit = _scale(panel)
    if "mappings" in panel.defaults:
        texts = panel.defaults["mappings"][0]["options"]
        text = texts.get(f"{value:.0f}", {"text": f"{value:.0f}"})["text"]
    elif panel.unit == "dateTimeAsIso":
        text = f"{datetime.fromtimestamp(value / 1000, timezone.utc):%Y-%m-%d}" if value == value else "-"
    else:
        text = f"{value * factor:.{panel.defaults.get('decimals', 2)}f} {unit}"
    steps = panel.defaults["thresholds"]["steps"]
    color = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    axes.set_axis_off()
    axes.text(0.5, 0.35, text, fontsize=17, ha="center", va="center", color=_COLORS[color], transform=axes.transAxes)


def _bars(axes: Axes, panel: Panel, series: Named) -> None:
    bars = [(name, curve.samples[-1][1] * _scale(panel)[0]) for name, curve in series]
    if panel.options["orientation"] == "vertical":
        bars.sort(key=lambda bar: float(bar[0]))
        axes.bar([name for name, _ in bars], [value for _, value in bars], color=_COLORS["blue"])
        axes.tick_params(axis="x", rotation=60)
    else:
        bars.sort(key=lambda bar: bar[1])
        has_line = len(panel.defaults["thresholds"]["steps"]) > 1
        colors = [_COLORS["blue" if not has_line else "green" if value < 1 else "red"] for _, value in bars]
        axes.barh([name for name, _ in bars], [value for _, value in bars], color=colors)
        axes.axvline(1 if has_line else 0, color="black", lw=1, ls="--")
        left, bottom, width, height = axes.get_position().bounds
        axes.set_position((left + width / 10, bottom, width * 9 / 10, height))
    axes.tick_params(labelsize=7)
    axes.set_ylabel(_scale(panel)[1], fontsize=8)


def _table(axes: Axes, panel: Panel, names: list[str], rows: list[tuple[Any, ...]]) -> None:
    def text(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.0f}"
        return str(value)[:19]

    cells = [[text(value) for value in row] for row in rows]
    axes.set_axis_off()
    drawn = axes.table(cells or [[""] * len(names)], colLabels=names, loc="upper center", cellLoc="right")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8)


def _heatmap(axes: Axes, panel: Panel, series: Named) -> None:
    """Draws the differences of neighbouring buckets, since Prometheus's buckets are cumulative."""
    ordered = sorted(series, key=lambda item: float(item[0]))
    cumulated = np.array([[value for _, value in curve.samples] for _, curve in ordered])
    counts = np.diff(cumulated, axis=0, prepend=0)
    limits = np.array([float(name) for name, _ in ordered])
    kept = (counts.sum(axis=1) > 0) & np.isfinite(limits)
    first, last = np.flatnonzero(kept)[[0, -1]]
    minutes = np.array([at for at, _ in ordered[0][1].samples]) / 60
    edges = limits[max(first - 1, 0) : last + 1] / 1000
    axes.pcolormesh(minutes, np.arange(last - first + 1), counts[first : last + 1], cmap="Blues", shading="nearest")
    labels = [f"{edge:.3g}" for edge in edges[-(last - first + 1) :]]
    axes.set_yticks(range(last - first + 1), labels, fontsize=7)
    axes.set_ylabel("ms, up to", fontsize=8)
    axes.set_xlabel("minutes", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)


def _timeline(axes: Axes, panel: Panel, series: Named) -> None:
    for height, (name, curve) in enumerate(series):
        minutes = [at / 60 for at, _ in curve.samples]
        axes.plot(minutes, [height] * len(minutes), lw=16, solid_capstyle="butt", alpha=0.5)
        axes.text(minutes[0], height, f" {name}", fontsize=8, va="center")
    axes.set_yticks([])
    axes.set_ylim(-0.7, len(series) - 0.3)
    axes.set_xlabel("minutes", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)


_DRAWN = {"stat": _stat, "bargauge": _bars, "heatmap": _heatmap, "state-timeline": _timeline}
_COLORS = {"green": "#2b8a3e", "orange": "#e67700", "red": "#c92a2a", "blue": "#1864ab", "text": "#495057"}
_SCALES: dict[str, tuple[float, str]] = {
    "s": (1000, "ms"),
    "bytes": (2**-20, "MiB"),
    "percentunit": (100, "%"),
    "reqps": (1, "requests/s"),
    "currencyEUR": (1, "€"),
}


def _scale(panel: Panel) -> tuple[float, str]:
    if panel.title.startswith(("Age", "Since", "Oldest")):
        return 1 / 60, "min"
    return _SCALES.get(panel.unit, (1, ""))


class DeskLoad(Load):
    """Sends customers to the desk's API."""

    def __init__(self, desk: str, customers: Sequence[Customer], requests_per_second: float) -> None:
        super().__init__(desk, PURCHASE_MODEL.name, customers, requests_per_second)
        self._path = "/api/score"


def load_test(stack: Stack, desk: str, features: Sequence[str], seconds: float) -> None:
    """Four phases of equal length: 10 requests per second, 100, 100 with a challenger, then 10 of later customers.

    The desk gets a tenth of the requests besides, and a campaign in the first phase and in the last one.
    """
    customers = synthetic_customers(sample.ROWS, sample.SEED + 1, features)
    of_segments = [{name: one[name] for name in _features(stack, SEGMENT_MODEL.name)} for one in customers]
    for number, (group, rate) in enumerate(
        ((customers, 10), (customers, 100), (customers, 100), (_later_customers(features), 10))
    ):
        ends = time.monotonic() + seconds / 4
        with (
            Load(stack.server_url, PURCHASE_MODEL.name, group, rate),
            Load(stack.server_url, SEGMENT_MODEL.name, of_segments, rate / 10),
            DeskLoad(desk, group, rate / 10),
        ):
            if number == 2:
                _push_a_challenger(stack)
            if number == 3:
                _promote(stack)
            if number in (0, 3):
                text, bought = desk_campaign.sample_list(LIST_ROWS, number, features)
                desk_campaign.run(desk, f"Phase {number + 1}", text, bought, LIST_ROWS // 5)
                desk_campaign.run(desk, f"Phase {number + 1}, not called yet", text, bought, LIST_ROWS // 10, known=0)
            time.sleep(max(ends - time.monotonic(), 0))


def _features(stack: Stack, name: str) -> list[str]:
    return list(Profile.of_version(stack.version(name)).features)


def _push_a_challenger(stack: Stack) -> None:
    """Copies the newest version to the next number, as a push would, and puts it on trial."""
    newest = stack.version(PURCHASE_MODEL.name)
    partial = newest.path.with_name("partial")
    shutil.copytree(newest.path, partial)
    partial.rename(newest.path.with_name(str(newest.version + 1)))
    _decide(stack, "train")
    versions.canary(stack.artifacts, PURCHASE_MODEL.name, newest.version + 1)
    _decide(stack, "canary")


def _promote(stack: Stack) -> None:
    versions.promote(stack.artifacts, PURCHASE_MODEL.name, stack.version(PURCHASE_MODEL.name).version)
    _decide(stack, "promote")


def _decide(stack: Stack, action: Action) -> None:
    number = stack.version(PURCHASE_MODEL.name).version
    decision = Decision(datetime.now(timezone.utc), action, version=number)
    decisions.append(decisions.ledger(stack.artifacts, PURCHASE_MODEL.name), decision)


def _later_customers(features: Sequence[str]) -> list[Customer]:
    (rows,) = sample.draw(sample.ROWS, sample.SEED + 1)
    first = int(sample.ROWS * (1 - LATER_SHARE))
    order = np.random.default_rng(0).permutation(np.arange(first, sample.ROWS))
    columns = [rows[name][order].tolist() for name in features]
    return [dict(zip(features, row, strict=True)) for row in zip(*columns, strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.dashboard_pictures", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="as given to pipeline.run")
    parser.add_argument("--minutes", type=float, default=9, help="length of the load test, default %(default)g")
    parser.add_argument("--out", type=Path, default=FOLDER, help="default %(default)s")
    arguments = parser.parse_args()
    return guarded(lambda: _run(arguments.artifacts.resolve(), arguments.minutes * 60, arguments.out))


def _run(artifacts: Path, seconds: float, out: Path) -> int:
    console = Console()
    there = Stack(artifacts, out)
    features = _features(there, PURCHASE_MODEL.name)
    if not takes_synthetic_customers(features + _features(there, SEGMENT_MODEL.name)):
        raise NotReadyError(f"{artifacts}: the models do not take the synthetic sample's columns")
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder, ports = Path(name) / "artifacts", Ports(free_port(), free_port(), free_port())
        for model in (PURCHASE_MODEL.name, SEGMENT_MODEL.name):
            version = there.version(model).path
            shutil.copytree(version, serving_folder(folder, model) / version.name)
        shutil.copytree(artifacts / "runs", folder / "runs", ignore=shutil.ignore_patterns("*.html", decisions.FILE))
        database = running.enter_context(postgresql.running()).new_database()
        options = ["--server", f"http://127.0.0.1:{ports.server}", "--database", database]
        desk = running.enter_context(DeskProcess(options, folder)).url
        stack = Stack(folder, Path(name) / "stack", ports=ports, interval=INTERVAL_SECONDS, watched=Watched(desk=desk))
        with stack, console.status("load test ..."):
            start = time.time()
            load_test(stack, desk, features, seconds)
            recorded = Recorded(stack.prometheus_url, database, start, time.time())
            for dashboard in DASHBOARDS:
                file = out / f"{dashboard.name}.png"
                draw(dashboard, recorded, file)
                console.print(file)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
