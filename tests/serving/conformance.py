"""Replays REST cases against a server: the embedded one, or the official container.

    python -m tests.serving.conformance                          # starts the embedded server with the toy models
    python -m tests.serving.conformance --url=http://host:8501   # any server that has the toy models
    python -m tests.serving.conformance --build=DIR              # only writes the toy models and their config files

Cases of level `core` and `message` have to pass; `quirk` and `format` are counted. Servers other than the main one
(`cors`, `noprom`) are asked only where their URL is given.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.paths import ROOT
from tests.support.server import ServerProcess, request

OWN_CASES = Path(__file__).with_name("contract_cases.json")
SHARED_CASES = ROOT.parent / "shared" / "conformance" / "tf_serving_rest_cases.json"
SERVERS = {
    "main": ["monitoring"],
    "cors": ["monitoring", "--rest_api_enable_cors_support=true"],
    "noprom": [],
}


@dataclass(frozen=True)
class Outcome:
    """How one case went; `problems` is empty where it passed."""

    id: str
    level: str
    problems: list[str]


def load_cases() -> list[dict[str, Any]]:
    """The cases of this repository and, where they are at hand, the shared ones."""
    cases = []
    for path in (OWN_CASES, SHARED_CASES):
        if path.is_file():
            cases += json.loads(path.read_text(encoding="utf-8"))["cases"]
    return cases


def run_case(case: dict[str, Any], url: str) -> Outcome:
    for step in case.get("setup", ()):
        _send(step, url)
    status, body, headers = _send(case, url)
    expect = case["expect"]
    problems = []
    if status != expect["status"]:
        problems.append(f"status {status}, expected {expect['status']}")
    return Outcome(case["id"], case["level"], problems + _compare(expect, body, headers))


def _send(step: dict[str, Any], url: str) -> tuple[int, bytes, dict[str, str]]:
    body = base64.b64decode(step["body_base64"]) if "body_base64" in step else step.get("body")
    return request(url, step["method"], step["path"], body, step.get("headers"))


def _compare(expect: dict[str, Any], body: bytes, headers: dict[str, str]) -> list[str]:
    text = body.decode("utf-8", "replace")
    parse = _parse_tokens if expect.get("tokens") else json.loads
    matchers = {
        "status": lambda wanted: True,  # compared already
        "tokens": lambda wanted: True,  # says how json_text compares numbers
        "content_type": lambda wanted: headers.get("content-type") == wanted,
        "json_text": lambda wanted: _same(parse(text), parse(wanted)),
        "json_subset_text": lambda wanted: _contains(json.loads(text), json.loads(wanted)),
        "error": lambda wanted: json.loads(text) == {"error": wanted},
        "error_contains": lambda wanted: all(part in json.loads(text)["error"] for part in wanted),
        "empty_body": lambda wanted: not body,
        "exact_body": lambda wanted: body == wanted.encode(),
        "body_contains": lambda wanted: all(part in text for part in wanted),
        "body_not_contains": lambda wanted: not any(part in text for part in wanted),
        "headers_equal": lambda wanted: all(headers.get(name.lower()) == value for name, value in wanted.items()),
        "headers_absent": lambda wanted: not any(name.lower() in headers for name in wanted),
    }
    problems = []
    for key, wanted in expect.items():
        try:
            right = matchers[key](wanted)
        except (ValueError, KeyError, TypeError):
            right = False
        if not right:
            actual = headers if key.startswith(("headers", "content")) else text[:400]
            problems.append(f"{key} {wanted!r}, got {actual!r}")
    return problems


def _parse_tokens(text: str) -> Any:
    """JSON in which each number is the text that stands there."""
    token = "number {}".format
    return json.loads(text, parse_float=token, parse_int=token, parse_constant=token)


def _same(actual: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and math.isnan(wanted):
        return isinstance(actual, float) and math.isnan(actual)
    if isinstance(wanted, dict):
        return (
            isinstance(actual, dict)
            and actual.keys() == wanted.keys()
            and all(_same(actual[key], wanted[key]) for key in wanted)
        )
    if isinstance(wanted, list):
        return isinstance(actual, list) and len(actual) == len(wanted) and all(map(_same, actual, wanted))
    return actual == wanted and isinstance(actual, bool) == isinstance(wanted, bool)


def _contains(actual: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(key in actual and _contains(actual[key], wanted[key]) for key in wanted)
    return _same(actual, wanted)


def write_models(root: Path, served_from: Path | None = None) -> None:
    """Writes the toy models, `models.config` and `monitoring.config`; `served_from` is where a container has them."""
    from tests.support import toy_models

    toy_models.build_all(root)
    (root / "models.config").write_text(toy_models.model_config(served_from or root))
    (root / "monitoring.config").write_text(
        'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n'
    )


def start_server(name: str, models: Path, log: Path) -> ServerProcess:
    """One of `SERVERS` with the toy models; it may not be ready yet."""
    flags = [f"--model_config_file={models / 'models.config'}", "--allow_version_labels_for_unavailable_models=true"]
    for flag in SERVERS[name]:
        flags.append(f"--monitoring_config_file={models / 'monitoring.config'}" if flag == "monitoring" else flag)
    return ServerProcess(flags, log, wait=False)


def wait_until_all_serve(server: ServerProcess) -> None:
    """Waits for the model with two versions: a server is ready as soon as every model has one."""
    server.wait_for("/readyz")
    end = time.monotonic() + 60
    while b"LOADING" in server.request("GET", "/v1/models/versioned")[1] and time.monotonic() < end:
        time.sleep(0.05)


def main(arguments: list[str]) -> int:
    """Prints failed cases and a summary; the exit code is 1 if a core or message case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.serving.conformance", description=__doc__.split("\n")[0])
    for name in SERVERS:
        flag = "--url" if name == "main" else f"--{name}-url"
        parser.add_argument(flag, dest=name, help=f"base URL of the {name} server")
    parser.add_argument("--build", type=Path, help="only write the toy models and config files below this directory")
    options = vars(parser.parse_args(arguments))
    if options["build"]:
        write_models(options["build"].absolute(), Path("/models"))
        return 0
    urls = {name: options[name] for name in SERVERS if options[name]}
    with ExitStack() as stack:
        if not urls:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            write_models(directory)
            servers = {name: start_server(name, directory, directory / f"{name}.log") for name in SERVERS}
            for name, server in servers.items():
                urls[name] = stack.enter_context(server).url
                wait_until_all_serve(server)
        cases = [case for case in load_cases() if case.get("server", "main") in urls]
        outcomes = [run_case(case, urls[case.get("server", "main")]) for case in cases]
    return report(outcomes)


def report(outcomes: list[Outcome]) -> int:
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    failed = False
    for outcome in outcomes:
        total[outcome.level] += 1
        passed[outcome.level] += not outcome.problems
        if outcome.problems:
            failed |= outcome.level in ("core", "message")
            sys.stdout.write(f"{outcome.level:8} {outcome.id}: {'; '.join(outcome.problems)}\n")
    for level in total:
        sys.stdout.write(f"{level:8} {passed[level]} of {total[level]} passed\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
