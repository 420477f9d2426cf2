"""One step of the schedule as a function, for whoever keeps the time: `python -m schedule`, Prefect.

A step runs in a process of its own, in the product's environment. Standard library only, since Prefect's environment
has nothing else.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from data.command import BAD_INPUT, DONE, FAILED, NOT_BLESSED
from data.paths import ROOT
from schedule import tethered

Kind = Literal["trained", "nothing to do", "refused", "bad input", "failed"]
EXIT_CODES: dict[Kind, int] = {
    "trained": DONE,
    "nothing to do": DONE,
    "refused": NOT_BLESSED,
    "bad input": BAD_INPUT,
    "failed": FAILED,
}


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    Attributes:
      kind: `trained`: a new champion serves. `refused`: a challenger or the labels of a month were not good enough.
        `bad input`: a person can put it right. `failed`: another try may help.
      text: Markdown for people; the last line says it all.
    """

    kind: Kind
    text: str

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.kind]

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        return cls(**json.loads(text))


def retrain(arguments: Sequence[str], say: Callable[[str], None]) -> Outcome:
    """Does one step: takes new calls in, trains where it is due, judges, promotes.

    Whatever interrupts it stops the step, which goes on from there at the next call.

    Args:
      arguments: of `python -m schedule --once`.
      say: gets each line that the step prints.
    """
    python = os.environ.get("PRODUCT_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "outcome.json"
        said: list[str] = []

        def hear(line: str) -> None:
            said.append(line)
            say(line)

        command = [python, "-m", "schedule", "--once", "--json", str(result), *arguments]
        code = tethered.run(command, ROOT, hear)
        if result.is_file():
            return Outcome.from_json(result.read_text(encoding="utf-8"))
    # Refused options, or killed.
    kind: Kind = "bad input" if code == BAD_INPUT else "failed"
    return Outcome(kind, "\n".join(said[-20:]) or f"the step ended with exit code {code}")
