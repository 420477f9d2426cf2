"""Tries a challenger before it becomes the champion: it has to answer the golden request in its folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data.model_folder import ModelFolder
from data.model_spec import PURCHASE_MODEL
from monitoring.model_metrics import same_answer
from monitoring.server_api import ServerApi

WAIT_SECONDS = 120
"""Given to a server to load a new version."""


def fault(folder: ModelFolder, model: str, server: str | None) -> str | None:
    """Why a version must not become the champion, in words; None where nothing speaks against it.

    Args:
      folder: of the version.
      model: the model's name.
      server: address of the server that serves it; None loads it here.

    Raises:
      ServiceError: the server does not answer.
    """
    golden = folder.golden_request()
    if golden is None:
        return "it has no golden request"
    expected: list[Any] = golden.predictions
    if server is None:
        answer = _answer_here(folder, golden.instances)
        expected = [prediction[PURCHASE_MODEL.score] for prediction in expected]
    else:
        api = ServerApi(server, model, folder.version)
        if problem := _not_loaded(api, folder.version):
            return problem
        answer, _ = api.predict(golden.instances)
    return None if same_answer(answer, expected) else f"its golden request was answered {answer}, expected {expected}"


def _answer_here(folder: ModelFolder, instances: Sequence[Mapping[str, Any]]) -> list[float]:
    """The probabilities of rows by the version, loaded in this process."""
    from modules.purchase.predictor import scorer

    features = folder.card().features
    columns = {name: [row[name] for row in instances] for name in features}
    arrays = {
        name: np.array([value.encode() for value in values], object)
        if isinstance(values[0], str)
        else np.array(values, np.float32)
        for name, values in columns.items()
    }
    return scorer(str(folder.path), features)(arrays).tolist()


def _not_loaded(api: ServerApi, version: int) -> str | None:
    """Waits until a server serves a version; why it does not."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        states = {status.version: status for status in api.versions()}
        status = states.get(str(version))
        if status and status.state == "AVAILABLE":
            return None
        if status and status.error_code != "OK":
            return f"the server could not load it: {status.error_code}"
        if time.monotonic() > deadline:
            return f"the server did not load it in {WAIT_SECONDS} seconds"
        time.sleep(0.5)
