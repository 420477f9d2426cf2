"""What a model server answers over REST, whether TensorFlow Serving or `python -m serving`."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 3
"""For one answer; a scrape needs three and Prometheus waits ten seconds."""


class NoAnswerError(Exception):
    """The server cannot be reached, refuses, or answers with something else than expected."""


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model."""

    version: str
    state: str
    """`AVAILABLE`, `LOADING`, `START`, `UNLOADING` or `END`."""
    error_code: str
    """`OK` or why it could not be loaded."""


class ServerApi:
    """Asks one server about one model.

    Args:
      url: such as http://localhost:8501.
      model: its name.
    """

    def __init__(self, url: str, model: str) -> None:
        self._url = url.rstrip("/")
        self._model = model

    def versions(self) -> list[VersionStatus]:
        """Every version the server knows: none while nothing has been pushed. Raises NoAnswerError."""
        try:
            found = _ask(f"{self._url}/v1/models/{self._model}")["model_version_status"]
            return [VersionStatus(v["version"], v["state"], v["status"]["error_code"]) for v in found]
        except NoAnswerError as error:
            if _knows_no_version(error.__cause__):
                return []
            raise
        except (KeyError, TypeError) as error:
            raise NoAnswerError(f"unexpected status: {error}") from error

    def predict(self, instances: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], float]:
        """Predictions, one for each instance, and the seconds they took. Raises NoAnswerError.

        The header keeps the embedded server from counting these rows among the customers.
        """
        body = json.dumps({"instances": instances}).encode()
        started = time.perf_counter()
        answer = _ask(f"{self._url}/v1/models/{self._model}:predict", body, {"X-Golden-Request": "true"})
        seconds = time.perf_counter() - started
        try:
            return answer["predictions"], seconds
        except (KeyError, TypeError) as error:
            raise NoAnswerError(f"no predictions in the answer: {error}") from error

    def recent(self) -> dict[str, Any]:
        """Profile and recent counts as the embedded server keeps them; TensorFlow Serving has no such page.

        Returns:
          `{"version": "3", "profile": ..., "recent": ...}`, the latter two as analysis/profile.py writes them.

        Raises:
          NoAnswerError: no answer, or the model has no profile.
        """
        try:
            return _ask(f"{self._url}/monitoring/profile")[self._model]
        except (KeyError, TypeError) as error:
            raise NoAnswerError(f"no profile: {error}") from error


def _knows_no_version(error: BaseException | None) -> bool:
    """Whether a model server has said so; anything else answers 404 with a page."""
    if not isinstance(error, urllib.error.HTTPError) or error.code != 404:
        return False
    return error.headers.get_content_type() == "application/json"


def _ask(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return json.load(response)
    except (OSError, ValueError) as error:
        raise NoAnswerError(str(error)) from error
