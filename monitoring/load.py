"""Sends customers to a model server, as an application would."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from analysis.profile import Profile
from data import contract as contracts
from data import sample

Customer = dict[str, Any]
BATCH = (1, 1, 1, 1, 5, 20, 100)
"""Rows of a request, drawn at random: mostly single customers, sometimes a list."""


def demonstration_customers(profile: Profile, count: int, seed: int) -> list[Customer]:
    """Varied rows for any model, as REST instances.

    A model with the columns of the synthetic sample gets rows of the sample. For other models each column is drawn from
    the reference profile, independently of the others: no feature drifts, but the score may, as the columns are no
    longer correlated.
    """
    if takes_synthetic_customers(profile.features):
        return synthetic_customers(count, seed, list(profile.features))
    return _instances(profile.draw(count, np.random.default_rng(seed)))


def synthetic_customers(count: int, seed: int, features: Sequence[str]) -> list[Customer]:
    """Rows of the synthetic sample in random order, as REST instances with these features.

    They are taken from a sample of the usual size, so that as many calls a day are planned as a model has learned.
    """
    customers: list[Customer] = []
    rows = max(count, sample.ROWS)
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:count])
    for number, chunk in enumerate(sample.draw(rows, seed)):
        places = chosen[chosen // sample.CHUNK == number] % sample.CHUNK
        customers += _instances({name: chunk[name][places] for name in features})
    random.Random(seed).shuffle(customers)
    return customers


def takes_synthetic_customers(features: Sequence[str] | Mapping[str, Any]) -> bool:
    """Whether the synthetic sample has all features of a model."""
    return set(features) <= set(contracts.load("bank-full").with_calendar().features(with_after_call=True))


def _instances(columns: Mapping[str, np.ndarray]) -> list[Customer]:
    values = (column.tolist() for column in columns.values())
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


class Load:
    """Sends the same customers again and again, in a thread of its own, until the context ends.

    Args:
      url: of the server.
      model: its name.
      customers: REST instances.
      requests_per_second: rate to aim at.
    """

    def __init__(self, url: str, model: str, customers: Sequence[Customer], requests_per_second: float) -> None:
        self._address = urlsplit(url).netloc
        self._path = f"/v1/models/{model}:predict"
        self._customers = customers
        self._pause = 1 / requests_per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self.answered = 0
        self.failed = 0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        draw = random.Random(0)
        connection = http.client.HTTPConnection(self._address, timeout=10)
        rows: Iterator[Customer] = iter(())
        while not self._stop.is_set():
            started = time.monotonic()
            batch = list(islice(rows, draw.choice(BATCH)))
            if not batch:
                rows = iter(self._customers)
                continue
            try:
                connection.request("POST", self._path, json.dumps({"instances": batch}))
                response = connection.getresponse()
                response.read()
                good = response.status == 200
            except (OSError, http.client.HTTPException):
                connection.close()
                good = False
            self.answered += good
            self.failed += not good
            self._stop.wait(max(self._pause - (time.monotonic() - started), 0))
