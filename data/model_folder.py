"""Names inside an exported model and the files beside it. Imports nothing heavy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RAW_SIGNATURE = "serving_default"
EXAMPLE_SIGNATURE = "tf_examples"
EXAMPLE_INPUT = "examples"
PROBABILITY = "probability"
PURCHASE = "purchase"


CARD = "model.json"
CANARY = "canary.json"
PROFILE = "profile.json"
WARMUP = "tf_serving_warmup_requests"


def serving_folder(artifact: str | Path) -> Path:
    """The SavedModel inside a TFX Model artifact."""
    return Path(artifact) / "Format-Serving"


def extras(model: str | Path) -> Path:
    """The folder of a SavedModel that model servers leave alone, where card, canary and profile lie."""
    return Path(model) / "assets.extra"


def read_card(model: str | Path) -> dict[str, Any]:
    """What the Trainer noted about a SavedModel: `threshold`, `features`, `hyperparameters`, `parameters`, ..."""
    return json.loads((extras(model) / CARD).read_text())
