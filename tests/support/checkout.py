"""A copy of the code whose files may be changed, for tests of fingerprints."""

from __future__ import annotations

import shutil
from pathlib import Path

from data.paths import ROOT

PACKAGES = ("data", "analysis", "pages", "modules", "runs", "monitoring", "serving", "report", "pipeline")


def copy_of_the_code(folder: Path) -> Path:
    """Copies all packages; returns the root of the copy."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / "checkout" / package, ignore=lambda _, names: {"raw", "__pycache__"})
    return folder / "checkout"
