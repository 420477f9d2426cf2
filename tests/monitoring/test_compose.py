"""The monitoring services of docker-compose.yml fit the files they mount and the names Prometheus scrapes."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", ["model-server", "model-exporter"])
def test_scraped_targets_are_services(name):
    (group,) = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "targets" / f"{name}.yml").read_text())
    (target,) = group["targets"]
    assert target.partition(":")[0] in SERVICES
    assert group.get("labels", {}).get("instance", target) == "serving:8501"


def test_what_is_mounted_is_in_the_repository():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, _, options = volume.partition(":")
            if source.startswith("./"):
                assert f"\n{source[2:]}" in tracked, source
                assert options.endswith(":ro")


def test_provisioning_points_at_what_is_mounted():
    provisioning = ROOT / "monitoring" / "grafana" / "provisioning"
    mounts = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "purchase-model.yml").read_text())["providers"]
    assert provider["options"]["path"] in mounts
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"].removeprefix("http://").partition(":")[0] in SERVICES


def test_grafana_asks_for_a_password_and_shows_nothing_without_one():
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert environment["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert environment["GF_SECURITY_ADMIN_PASSWORD"] == "${GRAFANA_ADMIN_PASSWORD-}"
    script = SERVICES["grafana"]["entrypoint"][-1].replace("$$", "$").replace("exec /run.sh", "true")

    def start(password):
        variables = {"GF_SECURITY_ADMIN_PASSWORD": password, "PATH": "/usr/bin:/bin"}
        return subprocess.run(["sh", "-c", script], env=variables, capture_output=True, text=True, check=False)

    refused = start("")
    assert refused.returncode != 0
    assert "set GRAFANA_ADMIN_PASSWORD" in refused.stderr
    assert start("secret").returncode == 0


def test_exporter_sees_the_servers_process():
    assert SERVICES["exporter"]["pid"] == "service:serving"


def test_exporter_imports_only_what_its_image_installs():
    code = (
        "import sys; sys.argv = ['exporter', '--help']; import runpy\n"
        "try: runpy.run_module('monitoring.exporter', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = set(result.stdout.splitlines()[-1].split())
    assert not imported & {"tensorflow", "tfx", "scipy", "pyarrow", "pandas", "rich", "keras"}
    assert {"numpy", "prometheus_client", "psutil", "pydantic", "yaml"} <= imported
