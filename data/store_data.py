"""Downloads data files from an object store, for commands that read files: `--data s3://bucket/calls.csv`."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path, PurePosixPath

from data import object_store
from data.command import to_stderr
from data.errors import BadFileError, BadOptionError
from data.object_store import Location, StoredFile
from data.paths import downloads_folder
from data.store_versions import PART


def local(data: str, artifacts: Path, say: Callable[[str], None] = to_stderr) -> Path:
    """The path that a command reads: of a file or folder on this machine, or of a download of what a URL means.

    A download is under a name that follows from the names, sizes and times of the files in the store. So what has not
    changed is not downloaded again, and nobody who reads a download sees it change. It appears when it is complete.

    Args:
      data: a path, or the URL of a file or of a folder: all files whose names begin with it and a slash.
      artifacts: the folder that everything is written to.
      say: gets a line before a download.

    Raises:
      BadOptionError: the URL is none, or nothing can be written to the folder.
      BadFileError: there is no such file, or the connection was lost.
    """
    if not object_store.is_url(data):
        return Path(data)
    source = object_store.locate(data)
    files = source.files()
    folder = downloads_folder(artifacts) / _fingerprint(source, files)
    target = folder / source.name
    if target.exists():
        return target
    with _alone(folder.parent, say):
        if target.exists():  # another command was faster
            return target
        say(f"downloading {source.url} ({sum(file.size for file in files) / 1e6:,.1f} MB) ...")
        part = folder.with_name(f"{PART}{folder.name}")
        try:
            _download(source, files, part)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return target


@contextmanager
def _alone(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Waits until no other command downloads, and removes what a killed one left."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise BadOptionError(f"--artifacts: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another download ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob(f"{PART}*"):
            shutil.rmtree(left)
        yield


def _download(source: Location, files: list[StoredFile], part: Path) -> None:
    for file in files:
        one = source / file.name if file.name else source
        if {"/", ".."} & set(PurePosixPath(file.name).parts):
            raise BadFileError(f"{one.url}: the name leads out of the folder")
        size = one.download(part / source.name / file.name)
        if size != file.size:
            raise BadFileError(
                f"{one.url}: got {size} bytes, expected {file.size}; the connection was lost, or the file was "
                "replaced meanwhile. Nothing was kept; give the command again"
            )


def _fingerprint(source: Location, files: list[StoredFile]) -> str:
    content = json.dumps([source.url, *map(astuple, files)])
    return hashlib.sha256(content.encode()).hexdigest()[:12]
