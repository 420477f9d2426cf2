"""The monitoring services of docker-compose.yml fit the files they mount and the names Prometheus scrapes."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sqlalchemy import make_url

from campaigns import settings
from data import sample
from data.model_folder import GoldenRequest
from tests.support import stand_in

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("model-server", "serving:8501"),
        ("model-exporter", "serving:8501"),
        ("campaign-desk", f"desk:{settings.PORT}"),
    ],
)
def test_scraped_targets_are_services(name, instance):
    (group,) = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "targets" / f"{name}.yml").read_text())
    (target,) = group["targets"]
    assert target.partition(":")[0] in SERVICES
    assert group.get("labels", {}).get("instance", target) == instance


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
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "models.yml").read_text())["providers"]
    assert provider["options"]["path"] in mounts
    for file in ("prometheus", "postgresql"):
        (source,) = yaml.safe_load((provisioning / "datasources" / f"{file}.yml").read_text())["datasources"]
        assert source["url"].removeprefix("http://").partition(":")[0] in SERVICES


def test_grafana_reads_the_database_that_the_desk_writes():
    (source,) = yaml.safe_load(
        (ROOT / "monitoring" / "grafana" / "provisioning" / "datasources" / "postgresql.yml").read_text()
    )["datasources"]
    desk, postgres, grafana = (SERVICES[name] for name in ("desk", "postgres", "grafana"))
    database = make_url(desk["command"][desk["command"].index("--database") + 1])
    created = postgres["environment"]
    assert (database.host, database.username, database.database) == (
        "postgres",
        created["POSTGRES_USER"],
        created["POSTGRES_DB"],
    )
    assert desk["environment"]["PGPASSWORD"] == created["POSTGRES_PASSWORD"]
    assert source["jsonData"]["database"] == database.database
    reader = "GRAFANA_DATABASE_PASSWORD"
    assert source["secureJsonData"]["password"] == f"${reader}"
    assert grafana["environment"][reader] == created[reader] == f"${{{reader}-}}"
    (script,) = [volume for volume in postgres["volumes"] if "initdb" in volume]
    text = (ROOT / script.split(":")[0]).read_text()
    assert f"CREATE ROLE {source['user']} " in text
    assert f"\\getenv password {reader}" in text


def test_the_desk_is_reached_from_this_machine_alone_and_watched_with_a_key():
    assert SERVICES["desk"]["ports"] == [f"127.0.0.1:{settings.PORT}:{settings.PORT}"]
    assert "ports" not in SERVICES["postgres"]
    assert SERVICES["desk"]["command"][:5] == ["python", "-m", "campaigns", "--host", "0.0.0.0"]
    assert SERVICES["desk"]["build"]["target"] == "desk"
    config = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "prometheus.yml").read_text())
    (job,) = [job for job in config["scrape_configs"] if job["job_name"] == "campaign-desk"]
    key = f"monitoring/prometheus/{job['authorization']['credentials_file']}"
    ignored = subprocess.run(["git", "check-ignore", "--quiet", key], cwd=ROOT, check=False)
    assert ignored.returncode == 0, "the key must not be committed"


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


def imported_by(code, *arguments, without=()):
    """Top-level packages that a program imports, where some cannot be imported."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({sorted(without)!r}))"
    show = "print(*sorted({name.partition('.')[0] for name, module in sys.modules.items() if module}))"
    command = [sys.executable, "-c", "\n".join([hide, code, show]), *map(str, arguments)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_exporter_starts_without_what_only_a_list_needs():
    code = (
        "sys.argv = ['exporter', '--help']; import runpy\n"
        "try: runpy.run_module('monitoring.exporter', run_name='__main__')\n"
        "except SystemExit: pass"
    )
    imported = imported_by(code)
    assert {"numpy", "prometheus_client", "psutil"} <= imported
    assert not imported & {"tensorflow", "tfx", "keras", "scipy", "pandas", "pyarrow", "pydantic", "yaml", "rich"}


def installed_in_the_exporters_image():
    (stage,) = re.findall(r"FROM python AS exporter\n(.*?)\nFROM ", (ROOT / "Dockerfile").read_text(), re.DOTALL)
    (packages,) = re.findall(r"--constraint pins\.txt \\\n +(.+?) \\\n", stage)
    return packages.split()


def with_dependencies(names):
    known, waiting = set(), list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in known:
            known.add(name)
            needs = [Requirement(line) for line in metadata.requires(name) or ()]
            waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return known


def packages_by_distribution():
    return {
        canonicalize_name(distribution.name): {file.parts[0].partition(".")[0] for file in distribution.files or ()}
        for distribution in metadata.distributions()
    }


def test_exporters_image_installs_just_what_measuring_a_list_imports(tmp_path, sample_profile):
    stand_in.write_extras(tmp_path / "1", sample_profile, GoldenRequest([], []))
    sample.write(tmp_path / "list.csv", rows=300)
    code = (
        "from pathlib import Path\n"
        "import monitoring.exporter, monitoring.drift\n"
        "from data.model_folder import ModelFolder\n"
        "monitoring.drift.of_list(Path(sys.argv[2]), ModelFolder(Path(sys.argv[1])))"
    )
    direct = installed_in_the_exporters_image()
    there = with_dependencies(direct)
    packages = packages_by_distribution()
    absent = set().union(*(names for distribution, names in packages.items() if distribution not in there))
    absent -= set().union(*(packages[distribution] for distribution in there))
    assert "pandas" in absent
    imported = imported_by(code, tmp_path / "1", tmp_path / "list.csv", without=absent)
    assert all(packages[distribution] & imported for distribution in direct)
