"""Which version of a model is the champion, and which challenger is on trial.

TensorFlow Serving's label `stable` is the champion's, `canary` the challenger's; `data.models_config` is about their
file. Requests without a label go to the version with the highest number. A version that is withdrawn moves to
`<model>/.withdrawn/<version>`, where no server looks.

Each change is made under a lock. What an interrupted change left undone is done by the next one.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data import model_folder, models_config
from data.command import to_stderr
from data.errors import BadFileError, NotReadyError
from data.files import sync
from data.model_folder import models, versions
from data.models_config import CANARY, STABLE, Labels
from data.paths import serving_folder
from runs.lock import exclusive

WITHDRAWN = ".withdrawn"
"""In a model's folder: the folder of its withdrawn versions."""
INCOMING = ".incoming-"
"""Begins the name of a version's folder while it is copied."""
NOTICE_SECONDS = 3.0
"""Within this time a server has read the labels again. So long a version stays loaded after its labels were moved."""
_INTENT = "intent.json"
"""In the folder of the withdrawn versions: a roll back that has begun."""


@dataclass(frozen=True)
class _RollBack:
    """A roll back that has begun: the version that becomes the champion, and those that are withdrawn."""

    to: int
    withdraw: tuple[int, ...]

    def to_json(self) -> str:
        return json.dumps({"to": self.to, "withdraw": self.withdraw})

    @classmethod
    def from_json(cls, text: str) -> _RollBack:
        document = json.loads(text)
        return cls(int(document["to"]), tuple(map(int, document["withdraw"])))


def champion(artifacts: Path, model: str) -> int | None:
    """The version with the label `stable`, else the newest one; None where there is none."""
    base = serving_folder(artifacts, model)
    numbers = _numbers(base)
    stable = labels(base).get(STABLE)
    return stable if stable in numbers else max(numbers, default=None)


def on_trial(artifacts: Path, model: str) -> int | None:
    """The version with the label `canary`; None while no challenger is on trial."""
    base = serving_folder(artifacts, model)
    number = labels(base).get(CANARY)
    return number if number in _numbers(base) and number != champion(artifacts, model) else None


def labels(base: Path) -> Labels:
    """The labels of the model whose versions are in a folder.

    Raises:
      BadFileError: their file cannot be read.
    """
    return models_config.read(base.parent / models_config.FILE).get(base.name, {})


def canary(artifacts: Path, model: str, version: int) -> None:
    """Puts a version on trial as challenger of the champion, which stays the champion.

    Requests without a label go to the challenger if it is the newest version.

    Raises:
      NotReadyError: there is no such version, or no other one that could be the champion.
    """
    base = serving_folder(artifacts, model)
    with _changing(base):
        numbers = _numbers(base)
        _must_be(version, numbers, base)
        stable = labels(base).get(STABLE)
        if stable not in numbers:
            stable = max(numbers - {version}, default=None)
        if stable is None:
            raise NotReadyError(f"{base}: version {version} is the only one; promote it")
        _label(base, stable, version)


def promote(artifacts: Path, model: str, version: int) -> int:
    """Makes a version the champion, for requests with the label `stable` and for those without a label.

    If there are newer versions, a copy of the model gets a number above theirs. So does a version that was withdrawn.

    Returns:
      The number under which it serves.

    Raises:
      NotReadyError: there is no such version.
    """
    base = serving_folder(artifacts, model)
    with _changing(base):
        numbers = _numbers(base)
        withdrawn = base / WITHDRAWN / str(version)
        if version not in numbers and withdrawn.is_dir():
            return _make_champion(base, withdrawn)
        _must_be(version, numbers, base)
        if version < max(numbers):
            return _make_champion(base, base / str(version))
        return _label(base, version, version)


def restore(artifacts: Path, model: str, source: Path) -> int:
    """Makes a copy of a model the champion, under a new number; if the newest version is such a copy, that one.

    Args:
      artifacts: the folder that runs write to.
      model: the model's name.
      source: folder of the SavedModel.

    Returns:
      The number under which it serves.
    """
    base = serving_folder(artifacts, model)
    with _changing(base):
        return _make_champion(base, source)


def roll_back(artifacts: Path, model: str, to: int | None = None) -> int:
    """Makes an earlier version the champion, and withdraws all newer ones. Takes NOTICE_SECONDS.

    Args:
      artifacts: the folder that runs write to.
      model: the model's name.
      to: the version to go back to. None: the champion where there is a newer version, such as a challenger on trial;
        else the version before the champion.

    Returns:
      The version that is the champion then.

    Raises:
      NotReadyError: there is no such version.
    """
    base = serving_folder(artifacts, model)
    with _changing(base) as finished:
        if finished is not None and to in (None, finished.to):
            return finished.to
        numbers = _numbers(base)
        if to is None:
            to = _earlier(champion(artifacts, model), numbers, base)
        _must_be(to, numbers, base)
        step = _RollBack(to, tuple(sorted(number for number in numbers if number > to)))
        _replace(base / WITHDRAWN / _INTENT, step.to_json())
        _carry_out(base, step)
    return to


@contextmanager
def pushing(base: Path) -> Iterator[frozenset[int]]:
    """Holds the lock while a version is pushed to a model's folder, and lists a new model for servers at the end.

    Yields:
      The versions with a label, which must stay.
    """
    with exclusive(base.parent, _wait):
        yield frozenset(labels(base).values())
        if (base.parent / models_config.FILE).is_file():
            _write(base.parent, {})


def relabel(base: Path, wanted: Labels) -> None:
    """Gives the versions in a model's folder the labels that they have elsewhere, such as in an object store.

    Args:
      base: the model's folder.
      wanted: all labels of the model; the versions that they name are there.
    """
    with exclusive(base.parent, _wait):
        known = models_config.read(base.parent / models_config.FILE)
        if known.get(base.name) != wanted and (known or wanted):
            _write(base.parent, {base.name: wanted})


def _earlier(present: int | None, numbers: set[int], base: Path) -> int:
    if present is None:
        raise NotReadyError(f"{base}: no model has been pushed yet; run `make run` first")
    if present < max(numbers):
        return present
    before = max((number for number in numbers if number < present), default=None)
    if before is None:
        raise NotReadyError(f"{base}: version {present} is the only one, so there is none to go back to")
    return before


def _must_be(version: int, numbers: set[int], base: Path) -> None:
    if version not in numbers:
        there = ", ".join(map(str, sorted(numbers))) or "none"
        raise NotReadyError(f"{base}: got version {version}, expected one that is there: {there}")


@contextmanager
def _changing(base: Path) -> Iterator[_RollBack | None]:
    """Holds the lock, and finishes a roll back that was interrupted, which it yields."""
    with exclusive(base.parent, _wait):
        for name in base.glob(f"{INCOMING}*"):
            shutil.rmtree(name)
        intent = base / WITHDRAWN / _INTENT
        step = None
        if intent.is_file():
            try:
                step = _RollBack.from_json(intent.read_text())
            except (KeyError, TypeError, ValueError) as error:
                raise BadFileError(f"{intent}: expected a roll back that has begun; remove the file") from error
            _carry_out(base, step)
        yield step


def _wait(pid: str) -> None:
    to_stderr(f"waiting for another change of the served models (process {pid}) ...")


def _carry_out(base: Path, step: _RollBack) -> None:
    """Each part may be done already. First no label names a version that is withdrawn, then it goes."""
    _label(base, step.to, step.to)
    if step.withdraw:
        time.sleep(NOTICE_SECONDS)
    for number in step.withdraw:
        if (base / str(number)).is_dir():
            shutil.rmtree(base / WITHDRAWN / str(number), ignore_errors=True)
            (base / str(number)).rename(base / WITHDRAWN / str(number))
    sync(base)
    (base / WITHDRAWN / _INTENT).unlink()


def _make_champion(base: Path, source: Path) -> int:
    newest = model_folder.newest(base)
    number = newest.version if newest and _same(newest.path, source) else _add(base, source)
    return _label(base, number, number)


def _add(base: Path, source: Path) -> int:
    """Copies a model into a model's folder under the next number: the time, or one more than the highest so far."""
    number = max(int(time.time()), max(_numbers(base) | _numbers(base / WITHDRAWN), default=0) + 1)
    incoming = base / f"{INCOMING}{number}"
    shutil.copytree(source, incoming)
    incoming.rename(base / str(number))
    sync(base)
    return number


def _same(one: Path, other: Path) -> bool:
    """Whether two folders have the same files."""
    files, others = (
        {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()} for folder in (one, other)
    )
    return files.keys() == others.keys() and all(
        filecmp.cmp(path, others[name], shallow=False) for name, path in files.items()
    )


def _numbers(base: Path) -> set[int]:
    return {folder.version for folder in versions(base)}


def _label(base: Path, stable: int, canary: int) -> int:
    _write(base.parent, {base.name: {STABLE: stable, CANARY: canary}})
    return stable


def _write(folder: Path, changed: Mapping[str, Labels]) -> None:
    """Replaces the labels of some models in the file, and lists in it every model that has a version."""
    known = models_config.read(folder / models_config.FILE)
    listed = {name: known.get(name, {}) for name in models(folder)}
    _replace(folder / models_config.FILE, models_config.text(folder, {**listed, **changed}))


def _replace(file: Path, content: str) -> None:
    """Writes a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.new")
    with beside.open("w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)
    sync(file.parent)
