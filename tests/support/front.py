"""Events of an API Gateway HTTP API, and the function of `deploy/aws/front` that answers them."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from data.paths import ROOT

FOLDER = ROOT / "deploy" / "aws" / "front"
HANDLER = FOLDER / "handler.py"


def zipped(folder: Path) -> Path:
    """The function as it is uploaded: `front.zip` in a folder."""
    file = folder / "front.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(HANDLER, HANDLER.name)
    return file


def event(method: str = "POST", path: str = "/score", body: str | None = None, **headers: str) -> dict[str, Any]:
    """A request as payload 2.0 has it; underscores in the names of headers are hyphens."""
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "front",
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        },
        "isBase64Encoded": False,
        **({} if body is None else {"body": body}),
    }


def load(patch: pytest.MonkeyPatch, url: str, **environment: str) -> ModuleType:
    """The module of the function as a new execution environment has it."""
    for name in ("MODEL_NAME", "MAX_ROWS"):
        patch.delenv(name, raising=False)
    for name, value in {"MODEL_SERVER_URL": url, **environment}.items():
        patch.setenv(name, value)
    return load_file(HANDLER)


def load_file(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("front_handler", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def body_of(answer: dict[str, Any]) -> Any:
    return json.loads(answer["body"])
