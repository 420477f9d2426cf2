"""The card of a purchase model that knows how many calls are usual."""

from __future__ import annotations

from pathlib import Path

from data.model_folder import CARD, ListSize, ModelFolder, PurchaseCard
from data.model_spec import PURCHASE_MODEL
from data.paths import serving_folder

USUAL = ListSize(12, 70, 280, "2010-11")


def write(artifacts: Path, contract: str, size: ListSize | None = USUAL, version: str = "1") -> ModelFolder:
    """Writes the card of a version, and returns the version's folder."""
    folder = ModelFolder(serving_folder(artifacts, PURCHASE_MODEL.name) / version)
    card = PurchaseCard(
        contract=contract, synthetic=False, features=("age",), hyperparameters={"depth": 2}, parameters=9, members=1,
        best_epoch=3, calibration={"slope": 1.0}, threshold=0.5, list_size=size,
    )  # fmt: skip
    folder.extra(CARD).parent.mkdir(parents=True, exist_ok=True)
    folder.extra(CARD).write_text(card.to_json())
    return folder
