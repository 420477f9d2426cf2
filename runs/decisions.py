"""The ledger of the schedule: each decision about a model with its reasons, one JSON object a line, oldest first."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

from data.paths import runs_folder

FILE = "decisions.jsonl"
Action = Literal["train", "set-aside", "refuse", "canary", "promote", "roll-back", "fail"]
"""Training began; a month was set aside; the challenger was refused; it serves as canary; it became the champion; an
earlier version became the champion again; the training failed."""


@dataclass(frozen=True)
class Decision:
    """A decision about a model.

    Attributes:
      time: when, with a time zone.
      action: see :data:`Action`.
      reasons: in words.
      run_id: of the run that trained the model.
      version: that the decision is about.
      champion: the version that serves afterwards, under the label `stable`; a version that is promoted may get another
        number.
      month: the newest month it is about, such as `2009-03`; None where it is about none.
      trained_on: with `train`: name and version of each month's span.
    """

    time: datetime
    action: Action
    reasons: tuple[str, ...] = ()
    run_id: str | None = None
    version: int | None = None
    champion: int | None = None
    month: str | None = None
    trained_on: tuple[tuple[str, int], ...] = ()

    def to_json(self) -> str:
        return json.dumps({**dataclasses.asdict(self), "time": self.time.isoformat()}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Decision:
        """Raises ValueError where the text is not what `to_json` wrote."""
        try:
            document = json.loads(text)
            document["time"] = datetime.fromisoformat(document["time"])
            document["reasons"] = tuple(document["reasons"])
            document["trained_on"] = tuple((name, version) for name, version in document["trained_on"])
            return cls(**document)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a decision: {error}") from error


def ledger(artifacts: Path, model: str) -> Path:
    """The file of a model's decisions."""
    return runs_folder(artifacts, model) / FILE


def read(file: Path) -> list[Decision]:
    """All decisions, oldest first. A last line that was cut off by a crash does not count.

    Raises:
      ValueError: another line is not a decision.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    whole, _, _ = text.rpartition("\n")
    return [Decision.from_json(line) for line in whole.split("\n") if line]


def append(file: Path, decision: Decision) -> None:
    """Adds a decision; it is on the disk at the end. Processes that do so at the same time wait for each other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.truncate(_whole(stream))
        stream.write(f"{decision.to_json()}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())


def _whole(stream: BinaryIO) -> int:
    """Bytes up to the end of the last whole line."""
    stream.seek(0)
    return stream.read().rfind(b"\n") + 1
