"""One pass of the sidecar: a server's folder becomes what the object store has.

A version is taken only with its manifest, verified, and renamed into place. Labels follow when the versions that they
name are there, and a version that was withdrawn from the store goes when no label names it. The last version stays.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data import models_config, store_versions
from data.errors import BadFileError, ExpectedError
from data.model_folder import is_version
from data.model_folder import versions as local_versions
from data.models_config import Labels
from data.object_store import Location
from data.store_versions import PART
from runs.lock import exclusive
from runs.versions import NOTICE_SECONDS, labels, relabel

REMOVED = ".removed-"
"""Begins the name of a version's folder while it is removed."""


@dataclass(frozen=True)
class Pass:
    """What a pass did for one model.

    Attributes:
      model: name of its folder.
      present: the versions in the folder at the end, oldest first.
      added, removed: versions.
      bytes: downloaded.
      failures: what did not succeed, in words; the rest went on.
    """

    model: str
    present: tuple[int, ...]
    added: tuple[int, ...]
    removed: tuple[int, ...]
    bytes: int
    failures: tuple[str, ...]


def sync(source: Location, folder: Path, sleep: Callable[[float], None] = time.sleep) -> Iterator[Pass]:
    """Makes a folder equal to the store, model by model.

    Args:
      source: a model's folder in the store, with versions in it; or a folder of such folders.
      folder: the same on this machine.
      sleep: waits so many seconds, while servers take up new labels.

    Raises:
      BadFileError: the store does not answer; what is in the folder stays.
      OSError: the folder cannot be written to.
    """
    names = [name for name in source.folders() if not name.startswith(".")]
    if any(map(is_version, names)):
        yield _sync_model(source, folder, sleep)
        return
    for name in names:
        if any(map(is_version, (source / name).folders())):
            yield _sync_model(source / name, folder / name, sleep)


def _sync_model(source: Location, base: Path, sleep: Callable[[float], None]) -> Pass:
    base.mkdir(parents=True, exist_ok=True)
    with exclusive(base, lambda pid: None):
        for name in (PART, REMOVED):
            for left in base.glob(f"{name}*"):
                shutil.rmtree(left)
        # First the labels: the versions that they name are in the store by then.
        wanted = _labels(source)
        stored = set(store_versions.versions(source))
        added: list[int] = []
        failures: list[str] = []
        downloaded = 0
        # The newest one first, since it is what a server waits for.
        for number in sorted(stored - _numbers(base), reverse=True):
            try:
                downloaded += store_versions.fetch(source / str(number), base / str(number))
                added.append(number)
            except (ExpectedError, OSError) as error:
                failures.append(str(error))
        if wanted is not None:
            failures += _relabel(base, wanted)
        if removed := _withdrawn(base, stored):
            sleep(_seconds_to_notice(base))
        for number in removed:
            aside = base / f"{REMOVED}{number}"
            (base / str(number)).rename(aside)
            shutil.rmtree(aside)
        present = tuple(sorted(_numbers(base)))
    return Pass(base.name, present, tuple(sorted(added)), tuple(removed), downloaded, tuple(failures))


def _relabel(base: Path, wanted: Labels) -> list[str]:
    """Takes over labels, unless one names a version that is not in the folder; says which."""
    present = _numbers(base)
    missing = [
        f"{base}: label {label} names version {number}, which is not there"
        for label, number in sorted(wanted.items())
        if number not in present
    ]
    if present and not missing:
        relabel(base, wanted)
    return missing


def _seconds_to_notice(base: Path) -> float:
    """How long servers may still follow the labels before."""
    try:
        written = (base.parent / models_config.FILE).stat().st_mtime
    except FileNotFoundError:
        return 0.0
    return max(0.0, NOTICE_SECONDS - (time.time() - written))


def _labels(source: Location) -> Labels | None:
    """The labels of a model in the store; None where the store has no file of labels."""
    if not source.parent.path:  # a bucket that is a model
        return None
    file = source.parent / models_config.FILE
    content = file.read()
    try:
        return None if content is None else models_config.parse(content.decode()).get(source.name, {})
    except ValueError as error:
        raise BadFileError(f"{file.url}: cannot be read: {error}") from error


def _withdrawn(base: Path, stored: set[int]) -> list[int]:
    """The versions to remove: not in the store, without a label, and not the last one."""
    present = _numbers(base)
    gone = sorted(present - stored - set(labels(base).values()))
    return gone if len(gone) < len(present) else gone[:-1]


def _numbers(base: Path) -> set[int]:
    return {version.version for version in local_versions(base)}
