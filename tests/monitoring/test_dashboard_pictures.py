"""Every kind of panel can be drawn from what Prometheus returns."""

from monitoring.dashboards import DASHBOARDS
from monitoring.query import Series
from tests.support import dashboard_pictures as pictures


class Answers:
    def rows(self, panel):
        return ["month", "calls"], [("2026-05", 200), ("2026-06", 0.25)]

    def series(self, panel, choices):
        names = {"heatmap": ["10", "18", "+Inf"], "stat": [""]}.get(panel.kind, ["0.1", "0.5"])
        return [
            (name, Series({}, [(float(at), float(place <= at / 20)) for at in range(0, 60, 5)]))
            for place, name in enumerate(names)
        ]


def test_dashboards_become_pictures(tmp_path):
    for dashboard in DASHBOARDS:
        file = tmp_path / "pictures" / f"{dashboard.name}.png"
        pictures.draw(dashboard, Answers(), file)
        assert file.read_bytes().startswith(b"\x89PNG")
        assert file.stat().st_size > 20_000
