"""Writes the JSON files of the Grafana dashboards: `python -m monitoring.dashboards`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from monitoring.dashboards import DASHBOARDS
from monitoring.dashboards.builder import document

FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"


def main() -> None:
    for dashboard in DASHBOARDS:
        file = FOLDER / f"{dashboard.name}.json"
        file.write_text(json.dumps(document(dashboard), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
