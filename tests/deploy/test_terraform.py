"""`deploy/aws/` is well-formed, refuses bad variables, and passes checkov with every exception reasoned."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from data.paths import ROOT
from tests.support.terraform import AWS, Terraform, copy_of_terraform, needs_terraform

CHECKOV = ROOT / ".venv-aws" / "bin" / "checkov"
MOST_SKIPS = 12
SKIP = re.compile(r"#checkov:skip=(\w+)(.*)")


@pytest.fixture(scope="module")
def terraform(tmp_path_factory) -> Terraform:
    return copy_of_terraform(tmp_path_factory.mktemp("terraform"))


@needs_terraform
def test_the_files_are_formatted(terraform):
    assert terraform("fmt", "-check", "-recursive", "-diff") == ""


@needs_terraform
def test_the_configuration_is_valid(terraform):
    assert json.loads(terraform("validate", "-json"))["diagnostics"] == []


@needs_terraform
def test_modules_and_variables_do_what_is_said_of_them(terraform):
    assert re.search(r"Success! \d+ passed, 0 failed", terraform("test", "-no-color"))


def test_few_checks_are_skipped_and_each_with_a_reason():
    skips = [found for file in AWS.rglob("*.tf") for found in SKIP.findall(file.read_text())]
    assert skips
    assert len(skips) <= MOST_SKIPS
    assert [check for check, reason in skips if len(reason.lstrip(":").split()) < 4] == []


@pytest.mark.skipif(not CHECKOV.exists(), reason="checkov's environment is not there: make .venv-aws/installed")
def test_checkov_finds_nothing(tmp_path):
    done = subprocess.run(
        [CHECKOV, "--framework", "terraform", "--skip-download", "--quiet", "--compact", "-o", "json", "-d", AWS],
        cwd=tmp_path,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = json.loads(done.stdout)
    failed = [
        f"{one['check_id']} {one['file_path']} {one['resource']}" for one in found["results"].get("failed_checks", ())
    ]
    assert failed == []
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["passed"] > 300
