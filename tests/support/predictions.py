"""A steady load of predictions on a server, none of which may fail."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from data.model_spec import PURCHASE_MODEL
from tests.support import toy_models
from tests.support.server import ServerProcess, ask, connect


@contextmanager
def load(server: ServerProcess, *paths: str) -> Iterator[Callable[[], Counter]]:
    """Sends predictions to each path of the purchase model until the end, then checks that none failed.

    Yields:
      What counts the answers so far, by path and status.
    """
    body = json.dumps({"instances": [toy_models.row()]})
    answers: Counter[tuple[str, int]] = Counter()
    failures: list[bytes] = []
    stop = threading.Event()

    def send(path: str) -> None:
        connection = connect(server.url)
        while not stop.is_set():
            status, answer, _ = ask(connection, "POST", f"/v1/models/{PURCHASE_MODEL.name}{path}:predict", body)
            answers[path, status] += 1
            if status != 200:
                failures.append(answer)
        connection.close()

    threads = [threading.Thread(target=send, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    yield lambda: answers
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, Counter(failures)
    assert all(answers[path, 200] > 10 for path in paths)
