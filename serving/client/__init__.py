"""A client for the models of either server: TensorFlow Serving or `python -m serving`.

`python -m serving.client customers.csv --out scored.csv` scores a file with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from data.errors import ServiceError
from data.model_spec import BASE, CONTRIBUTIONS, EXPLAIN_SIGNATURE, PURCHASE_MODEL, RAW_SIGNATURE
from serving.client.refusal import refusal

DEFAULT_URL = "http://localhost:8501"
_LONGEST_PAUSE = 30.0

Row = Mapping[str, float | str]


@dataclass(frozen=True)
class Served:
    """What a server says of a model.

    Attributes:
      version: that answers.
      inputs: names of the model's inputs with their types, such as `DT_FLOAT` and `DT_STRING`.
    """

    version: str
    inputs: dict[str, str]

    @classmethod
    def of_metadata(cls, answer: Mapping[str, Any]) -> Served:
        """Reads a server's answer to `/v1/models/<name>/metadata`."""
        signature = answer["metadata"]["signature_def"]["signature_def"][RAW_SIGNATURE]
        inputs = {name: tensor["dtype"] for name, tensor in signature["inputs"].items()}
        return cls(str(answer.get("model_spec", {}).get("version", "")), inputs)


@dataclass(frozen=True)
class Explanation:
    """Why the purchase model gives a row its probability.

    Attributes:
      probability: of the row.
      base: the mean logit of training rows.
      contributions: what each column adds to it; together they are the logit of the probability.
    """

    probability: float
    base: float
    contributions: Mapping[str, float]


class Client:
    """Asks a model for predictions.

    Args:
      url: the server, such as `http://localhost:8501`.
      model: the model's name.
      timeout: seconds for one attempt.
      attempts: how often a request is tried while the server answers 503 (starting, stopping or full).
      transport: how httpx reaches the server; for tests.
      version: of the model; None for the one that the server chooses, which may change between requests.
      label: of the version, instead of its number.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        model: str = PURCHASE_MODEL.name,
        timeout: float = 30.0,
        attempts: int = 4,
        transport: httpx.BaseTransport | None = None,
        version: str | None = None,
        label: str | None = None,
    ):
        self.model = model
        which = f"/versions/{version}" if version else f"/labels/{label}" if label else ""
        self._url = f"{url.rstrip('/')}/v1/models/{model}{which}"
        self._attempts = attempts
        # The certificates, which plain HTTP does not need, take 20 ms to load.
        self._http = httpx.Client(timeout=timeout, transport=transport, verify=url.startswith("https:"))

    def predict(self, rows: Sequence[Row]) -> list[Any]:
        """One prediction for each row, such as `{"probability": 0.07, "purchase": 0}`.

        Args:
          rows: raw features by name; a missing number is NaN, a missing text "".

        Raises:
          RefusedError: the server refuses the rows, in its own words.
          ServiceError: the server cannot be reached, or does not answer now.
        """
        if not rows:
            return []
        # httpx's own `json=` refuses NaN, which the REST API takes for a missing number.
        body = json.dumps({"signature_name": RAW_SIGNATURE, "instances": list(rows)})
        return self._request("POST", f"{self._url}:predict", body)["predictions"]

    def explain(self, rows: Sequence[Row]) -> list[Explanation]:
        """One explanation for each row, from a purchase model.

        Args:
          rows: as :meth:`predict` takes them.

        Raises:
          RefusedError, ServiceError: as :meth:`predict`; or the model explains nothing.
        """
        if not rows:
            return []
        names = sorted(rows[0])
        columns = {name: [row[name] for row in rows] for name in names}
        outputs = self._columns(columns, EXPLAIN_SIGNATURE)
        # A server takes no columns but its inputs, so these are the columns explained.
        return [
            Explanation(probability, base, dict(zip(names, contributions, strict=True)))
            for probability, base, contributions in zip(
                outputs[PURCHASE_MODEL.score], outputs[BASE], outputs[CONTRIBUTIONS], strict=True
            )
        ]

    def predict_columns(self, columns: Mapping[str, Sequence[float | str]]) -> dict[str, list[Any]]:
        """The outputs [rows] by name, for a model with several; a list of rows travels fastest by columns.

        Args:
          columns: raw features [rows] by name; a missing number is NaN, a missing text "".

        Raises:
          RefusedError, ServiceError: as `predict`.
        """
        return self._columns(columns, RAW_SIGNATURE)

    def _columns(self, columns: Mapping[str, Sequence[float | str]], signature: str) -> dict[str, list[Any]]:
        body = json.dumps({"signature_name": signature, "inputs": dict(columns)})
        return self._request("POST", f"{self._url}:predict", body)["outputs"]

    def inputs(self) -> dict[str, str]:
        """The names of the model's inputs with their types, such as `DT_FLOAT` and `DT_STRING`.

        Raises:
          ServiceError: the server has no such model or cannot be reached.
        """
        return self.served().inputs

    def served(self) -> Served:
        """The version that answers, and its inputs.

        Raises:
          ServiceError: the server has no such model or cannot be reached.
        """
        return Served.of_metadata(self._request("GET", f"{self._url}/metadata"))

    def _request(self, method: str, url: str, body: str | None = None) -> dict[str, Any]:
        for attempt in range(1, self._attempts + 1):
            try:
                response = self._http.request(method, url, content=body)
            except httpx.HTTPError as error:
                raise ServiceError(f"{url}: {error or type(error).__name__}") from error
            if response.status_code != 503 or attempt == self._attempts:
                break
            time.sleep(_pause(response, attempt))
        if response.status_code != 200:
            raise refusal(url, response.status_code, response.content)
        try:
            return response.json()
        except ValueError as error:
            raise ServiceError(f"{url}: the answer is not JSON; is this a model server?") from error

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pause(response: httpx.Response, attempt: int) -> float:
    """Seconds to wait: what the server asks for, or twice as long each time."""
    wanted = response.headers.get("retry-after", "")
    return min(float(wanted), _LONGEST_PAUSE) if wanted.isdigit() else 0.25 * 2**attempt
