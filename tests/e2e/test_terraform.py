"""The whole of `deploy/aws/` is made, planned again and destroyed at an emulator of AWS, on loopback."""

from __future__ import annotations

import json

import pytest

from data.paths import ROOT
from tests.support.front import zipped
from tests.support.moto import environment, moto, needs_moto
from tests.support.terraform import copy_of_terraform, needs_terraform

pytestmark = [pytest.mark.e2e, needs_moto, needs_terraform]

COMMAND = ("-no-color", "-input=false")


def test_what_is_applied_needs_no_change_and_is_destroyed(tmp_path):
    with moto(tmp_path) as url:
        terraform = copy_of_terraform(
            tmp_path,
            ROOT / "tests" / "deploy" / "moto",
            **environment(url),
            TF_VAR_alert_email="operations@bank.example",
            TF_VAR_github_repository="bank/models",
            TF_VAR_desk_clients='["10.0.0.0/8"]',
        )
        zipped(terraform.folder)
        assert "Apply complete!" in terraform("apply", *COMMAND, "-auto-approve")
        assert {"api", "model_server", "desk", "models"} <= set(json.loads(terraform("output", "-json")))
        assert "No changes." in terraform("plan", *COMMAND, "-detailed-exitcode")
        assert "Destroy complete!" in terraform("destroy", *COMMAND, "-auto-approve")
        assert terraform("state", "list") == ""
