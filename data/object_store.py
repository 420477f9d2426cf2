"""Files and folders in an object store, through pyarrow: `s3://bucket/key`, or `file:///folder` as if it were a store.

S3, or what speaks its protocol at AWS_ENDPOINT_URL, takes credentials from the usual places: the environment, a
profile, the role of a task or machine. `data.store_versions` says when a folder is there as a whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from data.errors import BadFileError, BadOptionError
from data.files import sync

if TYPE_CHECKING:
    from pyarrow import fs

S3, FILE = "s3://", "file://"
BLOCK_BYTES = 8 << 20
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""This pyarrow does not read them itself."""
_REASONS = (
    ("NO_SUCH_BUCKET", "there is no such bucket"),
    ("HTTP status 301", "the bucket lies in another region; set AWS_REGION"),
    (
        "ACCESS_DENIED|INVALID_ACCESS_KEY|UNRECOGNIZED_CLIENT|INVALID_CLIENT_TOKEN|SIGNATURE_DOES_NOT_MATCH"
        "|HTTP status 40[13]",
        "access denied; expected credentials that allow this: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile "
        "in AWS_PROFILE, or the role of the task",
    ),
    ("NETWORK_CONNECTION|curlCode|REQUEST_TIMEOUT", "the store does not answer, or the connection was lost"),
)
"""What pyarrow says, and what it means."""


@dataclass(frozen=True)
class StoredFile:
    """A file in a store.

    Attributes:
      name: its path below the location that was listed; empty where that is the file itself.
      size: in bytes.
      written: Unix time in seconds.
    """

    name: str
    size: int
    written: int


@dataclass(frozen=True)
class Location:
    """A file or a folder in a store, which may not be there.

    Attributes:
      url: its address.
      path: what the file system calls it.
      filesystem: pyarrow's.
    """

    url: str
    path: str
    filesystem: fs.FileSystem

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name

    @property
    def parent(self) -> Location:
        return Location(self.url.rpartition("/")[0], self.path.rpartition("/")[0], self.filesystem)

    def __truediv__(self, name: str) -> Location:
        """What lies below it."""
        return Location(f"{self.url}/{name}", f"{self.path}/{name}", self.filesystem)

    def check(self) -> Location:
        """Itself, once the store has answered that its bucket is there.

        Raises:
          BadFileError: there is no such bucket, or the store does not answer.
        """
        if self._in_bucket:
            with self._told():
                self._list(self.path, recursive=False)
        return self

    def files(self) -> list[StoredFile]:
        """All files below it, by name; where it is a file, that file.

        Raises:
          BadFileError: there is none, or the store does not answer.
        """
        from pyarrow.fs import FileType

        with self._told():
            own = self.filesystem.get_file_info(self.path)
            if own.type == FileType.File:
                return [StoredFile("", own.size, int(own.mtime_ns // 10**9))]
            found = [info for info in self._list(self.path, recursive=True) if info.type == FileType.File]
        if not found:
            raise BadFileError(f"{self.url}: there is no such file, and none whose name begins with {self.name}/")
        start = len(self.path) + 1
        return sorted(
            (StoredFile(info.path[start:], info.size, int(info.mtime_ns // 10**9)) for info in found),
            key=lambda file: file.name,
        )

    def folders(self) -> list[str]:
        """The names of the folders in it, sorted; none where it is not there.

        Raises:
          BadFileError: the store does not answer.
        """
        from pyarrow.fs import FileType

        with self._told():
            found = self._list(self.path, recursive=False)
        return sorted(info.base_name for info in found if info.type == FileType.Directory)

    def exists(self) -> bool:
        """Whether it is a file.

        Raises:
          BadFileError: the store does not answer.
        """
        from pyarrow.fs import FileType

        with self._told():
            return bool(self.filesystem.get_file_info(self.path).type == FileType.File)

    def blocks(self) -> Iterator[bytes]:
        """The content of the file, block by block.

        Raises:
          BadFileError: there is no such file, or the connection is lost.
        """
        with self._told():
            stream = self.filesystem.open_input_stream(self.path)
        with stream:
            while True:
                with self._told():
                    block = stream.read(BLOCK_BYTES)
                if not block:
                    return
                yield block

    def download(self, file: Path) -> int:
        """Writes the content of the file to one on this machine, which is on the disk at the end, or not there.

        Args:
          file: where it goes; its folder is made if it is not there.

        Returns:
          How many bytes there were.

        Raises:
          BadFileError: as `blocks`.
          OSError: this machine cannot write it.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("wb") as stream:
                size = sum(stream.write(block) for block in self.blocks())
            sync(file)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return size

    def read(self) -> bytes | None:
        """The content of a small file; None where there is none.

        Raises:
          BadFileError: the store does not answer.
        """
        return b"".join(self.blocks()) if self.exists() else None

    def write(self, content: bytes | Path) -> None:
        """Writes the file: others see it as a whole, or as it was before.

        Args:
          content: its bytes, or a local file that holds them.

        Raises:
          BadFileError: the store refuses, or the connection is lost.
        """
        if self._in_bucket:
            self._stream(self.path, content)
            return
        beside = f"{self.path}.part"
        with self._told():
            self.filesystem.create_dir(self.parent.path, recursive=True)
        self._stream(beside, content)
        with self._told():
            self.filesystem.move(beside, self.path)

    def remove(self) -> None:
        """Removes the file, or the folder with all below it."""
        from pyarrow.fs import FileType

        with self._told():
            kind = self.filesystem.get_file_info(self.path).type
            if kind == FileType.File:
                self.filesystem.delete_file(self.path)
            elif kind == FileType.Directory:
                self.filesystem.delete_dir(self.path)

    @property
    def _in_bucket(self) -> bool:
        return self.url.startswith(S3)

    def _list(self, path: str, recursive: bool) -> list[fs.FileInfo]:
        from pyarrow.fs import FileSelector

        try:
            return list(self.filesystem.get_file_info(FileSelector(path, recursive=recursive)))
        except FileNotFoundError:
            # With `allow_not_found` pyarrow says the same of a bucket that is not there.
            return []

    def _stream(self, path: str, content: bytes | Path) -> None:
        with self._told():
            stream = self.filesystem.open_output_stream(path)
        with self._told(), stream:
            if isinstance(content, bytes):
                stream.write(content)
                return
            with content.open("rb") as file:
                while block := file.read(BLOCK_BYTES):
                    stream.write(block)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tells what pyarrow raises in our words."""
        try:
            yield
        except FileNotFoundError as error:
            raise BadFileError(f"{self.url}: there is no such file") from error
        except OSError as error:
            said = str(error)
            reasons = (words for sign, words in _REASONS if re.search(sign, said))
            reason = next(reasons, "the store answers with an error")
            raise BadFileError(f"{self.url}: {reason} ({said.splitlines()[0]})") from error


def is_url(text: str) -> bool:
    """Whether a text is the address of something in a store, and not a path."""
    return text.startswith((S3, FILE))


def locate(url: str) -> Location:
    """What an address means; nothing is asked of the store yet.

    Args:
      url: `s3://bucket`, `s3://bucket/key` or `file:///folder`; a slash at the end changes nothing.

    Raises:
      BadOptionError: it is none of these.
    """
    from pyarrow import fs

    url = url.rstrip("/")
    if url.startswith(FILE):
        parts = urlsplit(url)
        path = unquote(parts.path)
        if parts.netloc not in ("", "localhost") or not path or _leads_out(path):
            raise BadOptionError(f"got {url!r}, expected file:// with an absolute path, such as file:///mnt/models")
        return Location(url, path, fs.LocalFileSystem())
    if "@" in url.removeprefix(S3).partition("/")[0]:
        raise BadOptionError("s3://...@...: a key in the address would appear in logs; set AWS_ACCESS_KEY_ID instead")
    path = url.removeprefix(S3)
    if not url.startswith(S3) or not _BUCKET.fullmatch(path.partition("/")[0]) or "//" in path or _leads_out(path):
        raise BadOptionError(f"got {url!r}, expected s3://bucket/key or file:///folder")
    return Location(url, path, _s3())


def _leads_out(path: str) -> bool:
    return bool({".", ".."} & set(path.split("/")))


def _s3() -> fs.FileSystem:
    """The client.

    Raises:
      BadOptionError: the endpoint in the environment is no address.
    """
    from pyarrow import fs

    name = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    endpoint = urlsplit(os.environ[name] if name else "https://")
    if name and not (endpoint.scheme in ("http", "https") and endpoint.netloc):
        raise BadOptionError(f"{name}: got {os.environ[name]!r}, expected an address such as https://host:9000")
    return fs.S3FileSystem(
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        endpoint_override=endpoint.netloc or None,
        scheme=endpoint.scheme,
    )
