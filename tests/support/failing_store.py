"""A store that fails: a file system with injected failures, and an S3 server that refuses or hangs up half way."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from pyarrow import fs

from data.object_store import Location


class FailingFileSystem:
    """A local folder that fails now and then, as a store on a bad network does.

    Attributes:
      rate: probability that an operation fails.
      failures: how many did.
      watch: called at each operation.
    """

    def __init__(self, seed: int, rate: float):
        self.rate = rate
        self.failures = 0
        self.watch: Callable[[], None] = lambda: None
        self._random = random.Random(seed)
        self._inner = fs.LocalFileSystem()

    def fails(self) -> bool:
        self.watch()
        if self._random.random() >= self.rate:
            return False
        self.failures += 1
        return True

    def damaged(self, block: bytes) -> bytes:
        """The block cut short, or with another byte in it."""
        place = self._random.randrange(len(block))
        return block[:place] if self._random.random() < 0.5 else block[:place] + b"\xff" + block[place + 1 :]

    def _may_fail(self) -> None:
        if self.fails():
            raise OSError("AWS Error NETWORK_CONNECTION during an operation: curlCode: 56, failure when receiving data")

    def get_file_info(self, what: Any) -> Any:
        self._may_fail()
        return self._inner.get_file_info(what)

    def open_input_stream(self, path: str) -> _Stream:
        self._may_fail()
        return _Stream(self, self._inner.open_input_stream(path))

    def open_output_stream(self, path: str) -> _Stream:
        self._may_fail()
        return _Stream(self, self._inner.open_output_stream(path))

    def create_dir(self, path: str, recursive: bool) -> None:
        self._inner.create_dir(path, recursive=recursive)

    def move(self, source: str, target: str) -> None:
        self._may_fail()
        self._inner.move(source, target)

    def delete_file(self, path: str) -> None:
        self._may_fail()
        self._inner.delete_file(path)

    def delete_dir(self, path: str) -> None:
        self._may_fail()
        self._inner.delete_dir(path)


class _Stream:
    """A file of the file system; a write that fails has written a part."""

    def __init__(self, filesystem: FailingFileSystem, inner: Any):
        self._filesystem = filesystem
        self._inner = inner

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.close()

    def read(self, size: int) -> bytes:
        self._filesystem._may_fail()
        block = bytes(self._inner.read(size))
        return self._filesystem.damaged(block) if block and self._filesystem.fails() else block

    def write(self, block: bytes) -> None:
        if self._filesystem.fails():
            self._inner.write(block[: len(block) // 2])
            raise OSError("AWS Error NETWORK_CONNECTION during UploadPart operation: curlCode: 55, failed sending data")
        self._inner.write(block)


def failing(folder: Path, seed: int, rate: float) -> tuple[Location, FailingFileSystem]:
    """A folder as a store that fails."""
    filesystem: Any = FailingFileSystem(seed, rate)
    return Location(folder.as_uri(), str(folder), filesystem), filesystem


@contextmanager
def s3_server(behaviour: Literal["denies", "hangs up", "other region"], content: bytes = b"") -> Iterator[str]:
    """An S3 server that has the file `calls.csv` in a bucket of any name; yields its address.

    Args:
      behaviour: it refuses every request, ends the connection after half of the file, or names another region.
      content: of the file.
    """
    statuses = {"denies": 403, "other region": 301}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status = statuses.get(behaviour, 200 if self.path.endswith("/calls.csv") else 404)
            half = behaviour == "hangs up" and status == 200
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if half else 0))
            self.send_header("Last-Modified", "Tue, 01 Dec 2026 10:00:00 GMT")
            self.end_headers()
            if half and self.command == "GET":
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True

        do_HEAD = do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
