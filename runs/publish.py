"""Takes served versions and their labels to an object store: `python -m runs.publish s3://bucket/models`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data import models_config, object_store, store_versions
from data.command import DONE, guarded
from data.errors import NotReadyError
from data.model_folder import versions
from data.models_config import Labels
from data.object_store import Location
from data.paths import serving_folder
from runs.folder import add_options
from runs.lock import exclusive
from runs.versions import WITHDRAWN, labels

KEEP = 5
"""Pushed versions to leave, here and in the store."""
_MODELS = Path("/models")
"""Stands for the folder of the models in the store's file of labels; whoever serves has it elsewhere."""


def publish(artifacts: Path, model: str, store: Location, keep: int = KEEP) -> tuple[int, ...]:
    """Makes the store have what is served here: versions first, then labels; what was withdrawn goes last.

    Versions that only the store has stay as long as they are among the newest or have a label.

    Args:
      artifacts: the folder that runs write to.
      model: the model's name.
      store: the folder of all models in the store.
      keep: versions to leave in the store; those with a label stay besides.

    Returns:
      The versions that the store did not have, oldest first.

    Raises:
      BadFileError: the store does not answer or refuses, or has another version under the same number.
    """
    base, target = serving_folder(artifacts, model), store / model
    with exclusive(base.parent, lambda pid: None):
        own = {folder.version: folder.path for folder in versions(base)}
        withdrawn = {folder.version for folder in versions(base / WITHDRAWN)}
        there = set(store_versions.versions(target))
        wanted = labels(base) or _stored(store).get(model, {})
        kept = {*sorted((there | own.keys()) - withdrawn)[-keep:], *wanted.values()}
        new = tuple(
            number for number in sorted(own.keys() & kept) if store_versions.push(own[number], target / str(number))
        )
        _label(store, model, wanted)
        for number in sorted(there - kept):
            store_versions.remove(target / str(number))
    return new


def _stored(store: Location) -> dict[str, Labels]:
    content = (store / models_config.FILE).read()
    return models_config.parse(content.decode(errors="replace")) if content else {}


def _label(store: Location, model: str, wanted: Labels) -> None:
    known = _stored(store)
    if known.get(model, {}) != wanted:
        text = models_config.text(_MODELS, {**known, model: wanted})
        (store / models_config.FILE).write(text.encode())


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m runs.publish",
        description="Takes the served versions of a model and their labels to an object store, and removes from it "
        "what was withdrawn. `pipeline.run --push-to` and `schedule --push-to` do so by themselves; after a promotion "
        "or a roll back by hand this command does.",
    )
    parser.add_argument("url", metavar="URL", help="the folder of all models, such as s3://bucket/models")
    add_options(parser)
    options = parser.parse_args(arguments)
    return guarded(lambda: _publish(options.artifacts.resolve(), options.model, options.url))


def _publish(artifacts: Path, model: str, url: str) -> int:
    store, base = object_store.locate(url).check(), serving_folder(artifacts, model)
    if not versions(base):
        raise NotReadyError(f"{base}: no model has been pushed yet; run `make run` first")
    new = publish(artifacts, model, store)
    there = ", ".join(map(str, store_versions.versions(store / model)))
    sys.stdout.write(f"{store.url}/{model}: versions {there}; new: {', '.join(map(str, new)) or 'none'}\n")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
