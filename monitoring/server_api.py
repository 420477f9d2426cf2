"""Asks a model server over its REST API, which TensorFlow Serving and `python -m serving` share."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from data.errors import ServiceError

TIMEOUT_SECONDS = 3
"""For each answer. A scrape needs three answers, and Prometheus waits ten seconds for a scrape."""


@dataclass(frozen=True)
class VersionStatus:
    """The status of one version of a model.

    Attributes:
      version: its number.
      state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
      error_code: `OK`, or why the version could not be loaded.
    """

    version: str
    state: str
    error_code: str


class ServerApi:
    """One model on one server.

    Args:
      url: of the server, such as http://localhost:8501.
      model: its name.
      version: that is asked for predictions; None for the one that the server chooses.
    """

    def __init__(self, url: str, model: str, version: int | None = None) -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._asked = model if version is None else f"{model}/versions/{version}"

    def versions(self) -> list[VersionStatus]:
        """The status of each version that the server knows; none before the first push.

        Raises:
          ServiceError: the server does not answer, or its answer is not a status.
        """
        try:
            statuses = _ask(f"{self._url}/v1/models/{self._model}")["model_version_status"]
            return [VersionStatus(s["version"], s["state"], s["status"]["error_code"]) for s in statuses]
        except ServiceError as error:
            if _knows_no_version(error.__cause__):
                return []
            raise
        except (KeyError, TypeError) as error:
            raise ServiceError(f"unexpected status: {error}") from error

    def predict(self, instances: list[dict[str, Any]]) -> tuple[list[Any], float]:
        """Asks for predictions; a header tells the embedded server not to count these rows among the customers.

        Args:
          instances: rows as a REST request has them.

        Returns:
          One prediction for each row, and the seconds that the request took.

        Raises:
          ServiceError: the server does not answer, or its answer has no predictions.
        """
        body = json.dumps({"instances": instances}).encode()
        started = time.perf_counter()
        answer = _ask(f"{self._url}/v1/models/{self._asked}:predict", body, {"X-Golden-Request": "true"})
        seconds = time.perf_counter() - started
        try:
            return answer["predictions"], seconds
        except (KeyError, TypeError) as error:
            raise ServiceError(f"no predictions in the answer: {error}") from error

    def recent(self) -> dict[str, Any]:
        """The counts of recent customers, which only the embedded server keeps.

        Returns:
          `{"version": "3", "profile": ..., "recent": ...}` with documents of `analysis.profile`.

        Raises:
          ServiceError: the server does not answer, or it has no counts of this model.
        """
        try:
            return _ask(f"{self._url}/monitoring/profile")[self._model]
        except (KeyError, TypeError) as error:
            raise ServiceError(f"no profile: {error}") from error


def _knows_no_version(error: BaseException | None) -> bool:
    """Whether a model server answered 404; other servers do so with a page instead of JSON."""
    if not isinstance(error, urllib.error.HTTPError) or error.code != 404:
        return False
    return error.headers.get_content_type() == "application/json"


def _ask(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return json.load(response)
    except (OSError, ValueError) as error:
        raise ServiceError(str(error)) from error
