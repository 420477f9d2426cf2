"""Reads and writes files inside TFX artifacts through TFX's `fileio`, because an artifact may be in object storage."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from data.model_folder import CARD, EXTRAS, Card

LIST_SIZE = "list_size.json"
"""In the Examples, where the contract has the size of the list: a `data.model_folder.ListSize`."""
IMPORTANCE = "importance.json"
"""In the artifact of the component Importance: an `analysis.importance.ImportanceResult`."""
TRIAL = "trial.json"
"""In the artifact of the component NewestMonths: an `analysis.trial_result.ChampionTrial`."""
HISTORY = "history.json"
"""In the Trainer's ModelRun: metrics by epoch."""
TRIALS = "tuner_results.json"
"""In the Tuner's TunerResults, under TFX's name: the trials, the best first."""

SEARCH = "search.json"
"""In the artifact of the component SegmentSearch: an `analysis.segmentation.SearchResult`."""
SEGMENTATION = "segmentation.json"
"""In the artifact of the component SegmentJudge: an `analysis.segmentation.Segmentation`."""


def saved_model(model: str) -> str:
    """The SavedModel inside a TFX Model artifact, given the artifact's URI."""
    return path_utils.serving_model_path(model)


def model_card(model: str, kind: type[Card]) -> Card:
    """The card beside the SavedModel of a TFX Model artifact, given the artifact's URI and the kind of the model."""
    return kind.from_json(read_bytes(saved_model(model), EXTRAS, CARD))


def join(*parts: str) -> str:
    """A path below a URI."""
    return "/".join(part.rstrip("/") for part in parts)


def exists(*parts: str) -> bool:
    return fileio.exists(join(*parts))


def read_bytes(*parts: str) -> bytes:
    """The content of a file; raises OSError or `fileio.NotFoundError` where it does not exist."""
    with fileio.open(join(*parts), "rb") as file:
        return file.read()


def read_json(*parts: str) -> Any:
    return json.loads(read_bytes(*parts))


def write_text(text: str, *parts: str) -> None:
    with fileio.open(join(*parts), "w") as file:
        file.write(text)


def write_bytes(content: bytes, *parts: str) -> None:
    """Writes a file into a folder that may not be there yet."""
    fileio.makedirs(join(*parts[:-1]))
    with fileio.open(join(*parts), "wb") as file:
        file.write(content)


def write_json(content: Any, *parts: str) -> None:
    write_text(json.dumps(content, indent=1), *parts)


def read_arrays(*parts: str) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file by name."""
    with np.load(io.BytesIO(read_bytes(*parts))) as arrays:
        return dict(arrays)


def write_arrays(arrays: dict[str, np.ndarray], *parts: str) -> None:
    """Writes an `.npz` file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with fileio.open(join(*parts), "wb") as file:
        file.write(buffer.getvalue())
