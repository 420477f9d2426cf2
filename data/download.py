"""Fetches a contract's published file and verifies it: `python -m data.download bank-full`."""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path

from data import contract as contracts
from data.command import DONE, guarded
from data.contract import Contract
from data.errors import BadContractError, BadFileError

RAW = Path(__file__).parent / "raw"
"""The folder of published and synthetic files; git ignores it."""

TIMEOUT_SECONDS = 30
LARGEST_ARCHIVE_BYTES = 1 << 30


def fetch(contract: Contract, folder: Path = RAW) -> Path:
    """Downloads the published CSV of a contract, unless it is there already with the right checksum.

    The file appears under its name only when it is complete and verified.

    Args:
      contract: its `source` gives the address, the path inside the archive and the checksum of the CSV.
      folder: where the file goes, under the name it has in the archive.

    Returns:
      The path of the CSV.

    Raises:
      BadContractError: the contract has no address.
      BadFileError: the server cannot be reached or answers with an error, or the file is not the one that the contract
        describes.
    """
    source = contract.source
    if source.url is None:
        raise BadContractError(
            f"contract {contract.name} names no address to download from; give the path of a file that you have"
        )
    file = folder / Path((source.member or (source.url,))[-1]).name
    if file.is_file() and source.sha256 in (None, _sha256(file.read_bytes())):
        return file
    content = _unpack(_download(source.url), source.member, source.url)
    digest = _sha256(content)
    if source.sha256 not in (None, digest):
        raise BadFileError(
            f"{source.url}: {file.name} is not the published file: expected sha256 {source.sha256}, got {digest}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file


def _download(url: str) -> bytes:
    import httpx
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    content = io.BytesIO()
    try:
        with (
            Progress(*columns, console=Console(stderr=True), transient=True) as progress,
            httpx.stream("GET", url, follow_redirects=True, timeout=TIMEOUT_SECONDS) as response,
        ):
            response.raise_for_status()
            size = response.headers.get("content-length", "")
            task = progress.add_task(url, total=int(size) if size.isdecimal() else None)
            for block in response.iter_bytes():
                content.write(block)
                if content.tell() > LARGEST_ARCHIVE_BYTES:
                    raise BadFileError(f"{url}: more than {LARGEST_ARCHIVE_BYTES >> 30} GiB, expected a small archive")
                progress.update(task, completed=response.num_bytes_downloaded)
    except httpx.HTTPStatusError as error:
        answer = f"{error.response.status_code} {error.response.reason_phrase}".strip()
        raise BadFileError(f"{url}: the server answers {answer}, expected a file") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BadFileError(
            f"{url}: the download failed ({error or type(error).__name__}); give the path of a file that you have"
        ) from error
    return content.getvalue()


def _unpack(content: bytes, member: tuple[str, ...], where: str) -> bytes:
    for name in member:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(name)
        except KeyError as error:
            raise BadFileError(f"{where}: the archive holds no {name!r}") from error
        except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError) as error:
            raise BadFileError(f"{where}: expected a zip archive with {name!r} inside, got: {error}") from error
        where = f"{where}!{name}"
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data.download", description=__doc__.splitlines()[0])
    parser.add_argument("contract", help="name of a contract with a published file, such as bank-full")
    options = parser.parse_args(arguments)

    def body() -> int:
        sys.stdout.write(f"{fetch(contracts.load(options.contract))}\n")
        return DONE

    return guarded(body)


if __name__ == "__main__":
    sys.exit(main())
