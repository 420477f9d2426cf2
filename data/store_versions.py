"""Folders that are in an object store as a whole, or not at all: versions of models, the report of a run.

A folder is its files and `manifest.json`, which is written last and removed first: sha256 and size of every file. What
has no manifest is not there. What has one is taken only if every file is what the manifest says.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.errors import BadFileError
from data.files import sha256, sync
from data.model_folder import is_version
from data.object_store import Location

MANIFEST = "manifest.json"
PART = ".part-"
"""Begins the name of a folder while it is downloaded."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ManifestFile:
    """What a file of a folder must be; its name is its path below the folder, its size in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a folder, by name."""

    files: tuple[ManifestFile, ...]

    @classmethod
    def of(cls, folder: Path, names: Iterable[str]) -> Manifest:
        """Of files on this machine."""
        return cls(tuple(_described(folder, name) for name in sorted(names)))

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Raises ValueError where the text is not what `to_json` wrote, or a name leads out of the folder."""
        try:
            manifest = cls(tuple(ManifestFile(**file) for file in json.loads(text)["files"]))
            wrong = next((file.name for file in manifest.files if not _is_sound(file)), None)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a manifest: {error}") from error
        if wrong is not None:
            raise ValueError(f"not a manifest: a file has a wrong name, size or sha256: {wrong!r}")
        return manifest


def push(folder: Path, target: Location, names: Iterable[str] | None = None) -> bool:
    """Uploads a folder; the manifest comes last.

    What an interrupted upload left is written again.

    Args:
      folder: on this machine; nobody changes its files meanwhile.
      target: where it goes.
      names: of the files to upload, by default all.

    Returns:
      False where the store has the folder already.

    Raises:
      BadFileError: the store does not answer or refuses, or has another folder there.
    """
    if names is None:
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    manifest = Manifest.of(folder, names)
    text = manifest.to_json().encode()
    there = (target / MANIFEST).read()
    if there == text:
        return False
    if there is not None and _is_manifest(there):
        raise BadFileError(f"{target.url}: there is another folder of this name, with other files than {folder}")
    for file in manifest.files:
        (target / file.name).write(folder / file.name)
    stored = {file.name: file.size for file in target.files()}
    for file in manifest.files:
        if stored.get(file.name) != file.size:
            raise BadFileError(
                f"{target.url}/{file.name}: the store has {stored.get(file.name, 0)} bytes, expected {file.size}"
            )
    (target / MANIFEST).write(text)
    return True


def read_manifest(source: Location) -> Manifest | None:
    """The manifest of a folder; None where the folder is not there.

    Raises:
      BadFileError: it cannot be read, or the store does not answer.
    """
    content = (source / MANIFEST).read()
    try:
        return None if content is None else Manifest.from_json(content)
    except ValueError as error:
        raise BadFileError(f"{source.url}/{MANIFEST}: {error}") from error


def fetch(source: Location, target: Path) -> int:
    """Downloads a folder into one that is not there yet, which appears when it is complete and verified.

    Args:
      source: the folder in the store.
      target: its path on this machine. What an interrupted download left beside it is removed.

    Returns:
      How many bytes were downloaded.

    Raises:
      BadFileError: there is no manifest, a file is not what it says, or the connection is lost.
      OSError: this machine cannot write it.
    """
    manifest = read_manifest(source)
    if manifest is None:
        raise BadFileError(f"{source.url}: there is no {MANIFEST}, so the upload is not complete")
    part = target.with_name(f"{PART}{target.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for file in manifest.files:
            _fetch_file(source, file, part)
        for folder in {part, *(path for path in part.rglob("*") if path.is_dir())}:
            sync(folder)
        part.rename(target)
        sync(target.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest.size


def versions(model: Location) -> list[int]:
    """The versions of a model that are there as a whole, oldest first.

    Raises:
      BadFileError: the store does not answer.
    """
    numbers = sorted({int(name) for name in model.folders() if is_version(name) and name == str(int(name))})
    return [number for number in numbers if (model / str(number) / MANIFEST).exists()]


def remove(folder: Location) -> None:
    """Removes a folder: first the manifest, so that nobody takes it any more.

    Raises:
      BadFileError: the store does not answer or refuses.
    """
    (folder / MANIFEST).remove()
    folder.remove()


def _fetch_file(source: Location, file: ManifestFile, folder: Path) -> None:
    path = folder / file.name
    size = (source / file.name).download(path)
    if size != file.size:
        raise BadFileError(f"{source.url}/{file.name}: got {size} bytes, expected {file.size}")
    if (found := sha256(path)) != file.sha256:
        raise BadFileError(f"{source.url}/{file.name}: the file is damaged: sha256 {found}, expected {file.sha256}")


def _described(folder: Path, name: str) -> ManifestFile:
    file = folder / name
    return ManifestFile(name, file.stat().st_size, sha256(file))


def _is_manifest(content: bytes) -> bool:
    try:
        Manifest.from_json(content)
    except ValueError:
        return False
    return True


def _is_sound(file: ManifestFile) -> bool:
    path = PurePosixPath(file.name)
    inside = not path.is_absolute() and ".." not in path.parts and str(path) == file.name != MANIFEST
    return inside and file.size >= 0 and _SHA256.fullmatch(file.sha256) is not None
