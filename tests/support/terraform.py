"""Terraform on a copy of `deploy/aws/`, with the provider of a mirror on this machine; it asks nobody else for one."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from data.paths import ROOT

AWS = ROOT / "deploy" / "aws"
MIRRORS = (
    Path(os.environ.get("TERRAFORM_MIRROR", "/opt/tf-plugins")),
    Path("/usr/local/share/terraform/plugins"),
    Path("/usr/share/terraform/plugins"),
    Path.home() / ".terraform.d" / "plugins",
)
PROVIDER = Path("registry.terraform.io/hashicorp/aws/5.100.0")


def mirror() -> Path | None:
    """The folder that holds the AWS provider, if this machine has one."""
    return next((folder for folder in MIRRORS if (folder / PROVIDER).is_dir()), None)


needs_terraform = pytest.mark.skipif(
    not shutil.which("terraform") or mirror() is None,
    reason=f"needs terraform and its provider {PROVIDER} in one of {', '.join(map(str, MIRRORS))}",
)


@dataclass(frozen=True)
class Terraform:
    """A copy of the configuration that commands run in.

    Attributes:
      folder: of the root module.
      environment: of the commands.
    """

    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        """Runs a command without colours; returns what it printed, and asserts that it did not fail."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert fails or done.returncode == 0, done.stdout
        return done.stdout


def copy_of_terraform(folder: Path, override: Path | None = None, **environment: str) -> Terraform:
    """Copies the configuration, and the Prometheus rules that it reads, and initialises it.

    Args:
      folder: empty; gets the copy.
      override: of files that are laid over the copy.
      environment: of the commands beside this process's own, of which variables of AWS are left out.
    """
    leave_out = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars")
    root = shutil.copytree(AWS, folder / "deploy" / "aws", ignore=leave_out)
    shutil.copytree(ROOT / "monitoring" / "prometheus", folder / "monitoring" / "prometheus")
    if override:
        shutil.copytree(override, root, dirs_exist_ok=True)
    settings = folder / "terraformrc"
    settings.write_text(
        "disable_checkpoint = true\n"
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror()}"\n'
        '    include = ["hashicorp/*"]\n  }\n}\n'
    )
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    terraform = Terraform(root, {**own, "TF_CLI_CONFIG_FILE": str(settings), "TF_IN_AUTOMATION": "1", **environment})
    terraform("init", "-no-color", "-input=false", *([] if override else ["-backend=false"]))
    return terraform
