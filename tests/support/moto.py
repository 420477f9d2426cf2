"""AWS as moto plays it on loopback, for tests; moto has an environment of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from data.paths import ROOT
from tests.support.server import free_port

MOTO = ROOT / ".venv-aws" / "bin" / "moto_server"
needs_moto = pytest.mark.skipif(not MOTO.exists(), reason="moto's environment is not there: make .venv-aws/installed")


@contextmanager
def moto(folder: Path, *buckets: str) -> Iterator[str]:
    """Starts a server with empty buckets; yields its address.

    Args:
      folder: for its log.
      buckets: their names.
    """
    url = f"http://127.0.0.1:{(port := free_port())}"
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(
            [MOTO, "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/moto-api/data.json").raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, (folder / "moto.log").read_text()
                assert process.poll() is None, (folder / "moto.log").read_text()
                time.sleep(0.1)
        for bucket in buckets:
            httpx.put(f"{url}/{bucket}").raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait(20)


def environment(url: str) -> dict[str, str]:
    """What a client needs in its environment to use this S3 and no other."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
