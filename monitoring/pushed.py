"""What the pipeline has pushed: version folders and the files that lie beside each model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analysis.profile import Profile

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "artifacts" / "serving" / "purchase-model"
RUNS = ROOT / "artifacts" / "runs"

_EXTRAS = "assets.extra"


def newest(models: Path = MODELS) -> Path | None:
    """The folder of the highest version, or None if nothing has been pushed."""
    versions = [path for path in models.glob("*") if path.name.isdecimal() and path.is_dir()]
    return max(versions, key=lambda path: int(path.name), default=None)


def profile(version: Path) -> Profile | None:
    """The reference profile of a version, or None if it has none or it is damaged."""
    try:
        return Profile.from_json((version / _EXTRAS / "profile.json").read_bytes())
    except (OSError, ValueError):
        return None


def golden(version: Path) -> dict[str, Any] | None:
    """`{"instances": [row], "predictions": [answer]}` of a version, or None."""
    return _read_json(version / _EXTRAS / "golden_request.json")


def summary(version: str, runs: Path = RUNS) -> dict[str, Any] | None:
    """The summary of the run that pushed a version, or None."""
    for file in sorted(runs.glob("*/summary.json"), reverse=True):
        found = _read_json(file)
        if found and (found.get("pushed") or {}).get("version") == version:
            return found
    return None


def _read_json(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
