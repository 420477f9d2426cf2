"""A campaign from its list to its outcomes, over the API of a desk that runs."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence

import httpx
import numpy as np

from data import sample

PATIENCE_SECONDS = 60


def sample_list(rows: int, seed: int, features: Sequence[str]) -> tuple[str, list[bool]]:
    """A list of synthetic customers as CSV, and who of them buys.

    They are taken from a sample of the usual size, so that as many calls a day are planned as a model has learned.
    """
    (whole,) = sample.draw(seed=seed)
    places = np.arange(rows) * sample.ROWS // rows
    drawn = {name: column[places] for name, column in whole.items()}
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(["id", *features])
    columns = [drawn[name].tolist() for name in features]
    writer.writerows([f"C{number:06d}", *row] for number, row in enumerate(zip(*columns, strict=True), 1))
    return output.getvalue(), [bought == "yes" for bought in drawn["y"].tolist()]


def run(desk: str, name: str, text: str, bought: Sequence[bool], calls: int, known: float = 1.0) -> int:
    """Uploads a list, waits until it is ranked, freezes its call list, and uploads what became of the calls.

    Args:
      desk: address of the desk.
      name: of the campaign.
      text: the list, as `sample_list` makes it.
      bought: who of it buys, by row.
      calls: in the call list.
      known: share of the calls with an outcome; none is uploaded where it is 0.

    Returns:
      The id of the campaign.
    """
    with httpx.Client(base_url=desk, timeout=PATIENCE_SECONDS) as client:
        terms = {"name": name, "cost": "5", "margin": "80", "calls": str(calls), "control_share": "0.1"}
        started = client.post("/api/campaigns", data=terms, files={"file": ("list.csv", text)})
        campaign = started.raise_for_status().json()["id"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (state := client.get(f"/api/campaigns/{campaign}").json())["state"] != "ranked":
            assert state["state"] != "failed", state["problem"]
            assert time.monotonic() < deadline, state
            time.sleep(0.2)
        client.post(f"/api/campaigns/{campaign}/freeze").raise_for_status()
        if known:
            content = client.get(f"/api/campaigns/{campaign}/calls.csv").raise_for_status().content.decode("utf-8-sig")
            outcomes = _outcomes(content, bought, known)
            sent = client.post(f"/api/campaigns/{campaign}/outcomes", files={"file": ("outcomes.csv", outcomes)})
            sent.raise_for_status()
    return campaign


def _outcomes(calls: str, bought: Sequence[bool], known: float) -> str:
    rows = list(csv.DictReader(io.StringIO(calls)))
    chosen = np.random.default_rng(0).permutation(len(rows))[: round(len(rows) * known)]
    lines = [f"{rows[one]['identifier']},yes,{_answer(rows[one]['identifier'], bought)}" for one in chosen]
    return "\n".join(["identifier,called,bought", *lines]) + "\n"


def _answer(identifier: str, bought: Sequence[bool]) -> str:
    return "yes" if bought[int(identifier[1:]) - 1] else "no"
