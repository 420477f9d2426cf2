"""The container files are checked against rules of our own, and their scripts run for real.

No Docker engine is used. No package ships the published schemas of compose and Railway files, so a key that only those
schemas forbid is not noticed here.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import jsonschema
import pytest
import yaml

from campaigns import settings
from data import models_config
from data.model_spec import PURCHASE_MODEL
from data.paths import ROOT
from serving.model_config import read_metrics_path, read_models
from serving.sync.__main__ import PORT
from tests.support.dockerfile import instructions, stages, values
from tests.support.image import distributions

CONTAINER = ROOT / "serving" / "container"


# --- Dockerfile -------------------------------------------------------------------------------------------------------


def test_every_base_image_is_pinned_or_a_stage():
    names = {*stages(), "${MODEL}"}
    bases = [rest.split(" AS ")[0] for keyword, rest in instructions() if keyword == "FROM"]
    images = [base for base in bases if base not in names]
    assert images
    for image in images:
        assert re.fullmatch(r"[a-z0-9/.-]+:\d+\.\d+\.\d+[a-z0-9.-]*", image), f"{image} is not pinned to a full version"


def test_the_last_stage_is_tensorflow_serving_in_the_range_of_the_training_version():
    name, last = list(stages().items())[-1]
    assert name == "serving"
    (base,) = [rest.split(" AS ")[0] for keyword, rest in last if keyword == "FROM"]
    major, minor = re.fullmatch(r"tensorflow/serving:(\d+)\.(\d+)\.\d+", base).groups()
    assert (int(major), 16) <= (int(major), int(minor)) <= (2, 19)


@pytest.mark.parametrize("stage", ["serving", "embedded"])
def test_images_run_without_root_and_say_how_they_are(stage):
    (user,) = values(stage, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    (health,) = values(stage, "HEALTHCHECK")
    assert json.loads(health.split("CMD ")[1]) == ["/usr/local/bin/healthcheck.sh"]
    start = values(stage, "ENTRYPOINT") + values(stage, "CMD")
    assert all(json.loads(command) for command in start), "exec form, so that signals arrive"


def test_the_desks_image_runs_without_root_and_says_how_it_is():
    (user,) = values("desk", "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    (health,) = values("desk", "HEALTHCHECK")
    (port,) = values("desk", "EXPOSE")
    assert f"http://127.0.0.1:{port}/livez" in json.loads(health.split("CMD ")[1])[-1]
    assert int(port) == settings.PORT
    (command,) = values("desk", "CMD")
    assert json.loads(command) == ["python", "-m", "campaigns", "--host", "0.0.0.0"]


def test_the_sidecars_image_runs_without_root_and_says_how_it_is():
    (user,) = values("sync", "USER")
    assert user == values("embedded", "USER")[0], "they share a folder"
    (health,) = values("sync", "HEALTHCHECK")
    (port,) = values("sync", "EXPOSE")
    assert int(port) == PORT
    assert f"http://127.0.0.1:{port}/readyz" in json.loads(health.split("CMD ")[1])[-1]
    (entry,) = values("sync", "ENTRYPOINT")
    assert json.loads(entry) == ["python", "-m", "serving.sync", "--host", "0.0.0.0"]


def test_the_embedded_server_listens_beyond_its_container():
    (command,) = values("embedded", "CMD")
    assert "--rest_api_host=0.0.0.0" in json.loads(command)[-1]


def test_the_server_runs_below_an_init():
    (entry,) = values("serving", "ENTRYPOINT")
    assert json.loads(entry) == ["/usr/local/bin/tini", "--", "/usr/local/bin/entrypoint.sh"]


def test_instructions_follow_the_rules_of_hadolint():
    for keyword, rest in instructions():
        assert keyword.isupper()
        assert keyword not in ("ADD", "MAINTAINER"), "COPY copies; ADD also unpacks and downloads"
        if keyword == "RUN":
            assert "sudo" not in rest
            if "apt-get install" in rest:
                assert "--no-install-recommends" in rest
                assert "rm -rf /var/lib/apt/lists/*" in rest
                assert re.search(r"install [^&]*=", rest), "packages are pinned"
            if re.search(r"\bpip install\b", rest):
                assert "--no-cache" in rest
            assert "latest" not in rest
        if keyword == "WORKDIR":
            assert rest.startswith("/")


def tracked_files() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_a_fresh_clone_has_everything_that_the_default_build_copies():
    tracked = tracked_files()
    ignored = (ROOT / ".dockerignore").read_text().split()
    for stage, lines in stages().items():
        for keyword, rest in lines:
            if keyword != "COPY" or "--from=" in rest or stage == "pushed":
                continue
            sources = [word for word in rest.split()[:-1] if not word.startswith("--")]
            for source in sources:
                assert any(path == source or path.startswith(f"{source}/") for path in tracked), source
                assert f"!{source.split('/')[0]}" in ignored, f"{source} does not reach the builder"


def imports(path: Path) -> set[str]:
    """The top-level packages that a module imports anywhere, but not only for annotations."""
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        waiting += ast.iter_child_nodes(node)
    return names - set(sys.stdlib_module_names)


SERVER = "import serving.__main__, serving.server"
SYNC = "import serving.sync.__main__, serving.sync.status"
DESK = (
    "import campaigns, importlib, pkgutil\n"
    "for module in pkgutil.walk_packages(campaigns.__path__, 'campaigns.'):\n"
    "    if 'migrations' not in module.name: importlib.import_module(module.name)"
)
"""Programs that import what an image runs."""


@pytest.mark.parametrize(
    ("stage", "program", "one"),
    [
        ("embedded", SERVER, "serving/rest/app.py"),
        ("desk", DESK, "campaigns/app.py"),
        ("sync", SYNC, "serving/sync/folder.py"),
    ],
    ids=["embedded", "desk", "sync"],
)
def test_an_image_has_what_its_program_imports(stage, program, one):
    code = (
        f"{program}\nimport sys\n"
        "for module in list(sys.modules.values()): print(getattr(module, '__file__', None) or '')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    own = {path.split("/")[0] for path in tracked_files() if path.endswith(".py")}
    files = [Path(line).relative_to(ROOT) for line in done.stdout.split("\n") if line.startswith(f"{ROOT}/")]
    files = [file for file in files if file.parts[0] in own]
    assert Path(one) in files
    copied = {rest.split()[0] for rest in values(stage, "COPY") if not rest.startswith("--")}
    assert {file.parts[0] for file in files} <= copied
    (install,) = [rest for rest in values(stage, "RUN") if "pip install" in rest]
    packages = re.search(r"--constraint pins.txt(.*?)&&", install).group(1).split()
    available = {
        file.parts[0].removesuffix(".py")
        for name in distributions(*packages)
        for file in metadata.distribution(name).files or ()
    }
    assert set().union(*map(imports, files)) - own <= available


# --- docker-compose.yml and railway.json ------------------------------------------------------------------------------

SERVICE_RULES = {
    "type": "object",
    "required": ["healthcheck", "deploy", "read_only", "cap_drop", "security_opt", "restart"],
    "properties": {
        "image": {"type": "string", "pattern": r"^([a-z0-9./-]+:v?\d+\.\d+\.\d+|postgres:\d+\.\d+-)"},
        "build": {"type": "object", "required": ["context"]},
        "command": {"type": ["array", "string"]},
        "entrypoint": {"type": ["array", "string"]},
        "user": {"type": "string", "pattern": "^[1-9]"},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        "environment": {"type": ["object", "array"]},
        "volumes": {"type": "array"},
        "tmpfs": {"type": "array", "items": {"type": "string"}},
        "networks": {"type": ["array", "object"]},
        "depends_on": {"type": ["array", "object"]},
        "secrets": {"type": "array"},
        "configs": {"type": "array"},
        "extra_hosts": {"type": "array"},
        "pid": {"type": "string"},
        "profiles": {"type": "array"},
        "init": {"type": "boolean"},
        "labels": {"type": ["object", "array"]},
        "stop_grace_period": {"type": "string"},
        "working_dir": {"type": "string"},
        "restart": {"enum": ["unless-stopped", "on-failure", "always"]},
        "read_only": {"const": True},
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"type": "array", "contains": {"const": "no-new-privileges:true"}},
        "healthcheck": {
            "type": "object",
            "required": ["test", "interval", "timeout", "retries"],
            "properties": {
                "test": {"type": "array", "minItems": 2, "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}]},
                "interval": {"type": "string", "pattern": r"^\d+(s|m)$"},
                "timeout": {"type": "string", "pattern": r"^\d+(s|m)$"},
                "start_period": {"type": "string", "pattern": r"^\d+(s|m)$"},
                "retries": {"type": "integer", "minimum": 1},
            },
            "additionalProperties": False,
        },
        "deploy": {
            "type": "object",
            "required": ["resources"],
            "properties": {
                "resources": {
                    "type": "object",
                    "required": ["limits"],
                    "properties": {
                        "limits": {
                            "type": "object",
                            "required": ["cpus", "memory"],
                            "properties": {
                                "cpus": {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
                                "memory": {"type": "string", "pattern": r"^\d+[MG]$"},
                                "pids": {"type": "integer"},
                            },
                        }
                    },
                }
            },
        },
    },
    "additionalProperties": False,
    "anyOf": [{"required": ["image"]}, {"required": ["build"]}],
}
COMPOSE_RULES = {
    "type": "object",
    "required": ["services"],
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": SERVICE_RULES},
        "networks": {"type": "object"},
        "volumes": {"type": "object"},
        "secrets": {"type": "object"},
        "configs": {"type": "object"},
    },
    "patternProperties": {"^x-": {}},
    "additionalProperties": False,
}
"""Our own rules: the keys of a compose file that we use, and what every service must have."""

RAILWAY_RULES = {
    "type": "object",
    "required": ["$schema", "build", "deploy"],
    "properties": {
        "$schema": {"const": "https://railway.com/railway.schema.json"},
        "build": {
            "type": "object",
            "properties": {"builder": {"const": "DOCKERFILE"}, "dockerfilePath": {"const": "Dockerfile"}},
            "required": ["builder", "dockerfilePath"],
            "additionalProperties": False,
        },
        "deploy": {
            "type": "object",
            "properties": {
                "healthcheckPath": {"const": f"/v1/models/{PURCHASE_MODEL.name}"},
                "healthcheckTimeout": {"type": "integer", "minimum": 60},
                "restartPolicyType": {"enum": ["ON_FAILURE", "ALWAYS", "NEVER"]},
                "restartPolicyMaxRetries": {"type": "integer", "minimum": 1},
            },
            "required": ["healthcheckPath", "restartPolicyType"],
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
"""Our own rules: the keys of a Railway file that we use."""


def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_compose_follows_our_rules_and_every_service_is_hardened():
    jsonschema.Draft202012Validator(COMPOSE_RULES).validate(compose())


def test_compose_uses_what_it_declares():
    document = compose()
    declared = {kind: set(document.get(kind) or ()) for kind in ("networks", "volumes", "secrets")}
    for service in document["services"].values():
        assert set(service.get("networks", ())) <= declared["networks"]
        assert set(service.get("depends_on", ())) <= set(document["services"])
        for volume in service.get("volumes", ()):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            assert source in declared["volumes"] or (ROOT / source).exists(), source
        if isinstance(service.get("build"), dict):
            assert service["build"].get("target", "serving") in stages()


def test_compose_has_no_default_password():
    text = (ROOT / "docker-compose.yml").read_text()
    for match in re.finditer(r"(?i)^.*(password|secret|token)[A-Z_]*\s*[:=]\s*(\S+)", text, re.MULTILINE):
        value = match.group(2)
        assert value.startswith(("${", "/run/secrets")), match.group(0)
        assert ":-" not in value, match.group(0)


def test_railway_follows_our_rules():
    jsonschema.Draft202012Validator(RAILWAY_RULES).validate(json.loads((ROOT / "railway.json").read_text()))


# --- scripts ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stand_in(tmp_path):
    """A `tensorflow_model_server` that writes down its arguments and waits for SIGTERM."""
    server = tmp_path / "bin" / "tensorflow_model_server"
    server.parent.mkdir()
    server.write_text(
        "#!/bin/bash\n"
        f"trap 'echo TERM >> {tmp_path}/signals; exit 0' TERM\n"
        f"echo $$ > {tmp_path}/pid\n"
        f'printf "%s\\n" "$@" > {tmp_path}/arguments.new && mv {tmp_path}/arguments.new {tmp_path}/arguments\n'
        "while :; do sleep 0.02; done\n"
    )
    server.chmod(0o755)
    return tmp_path


def start(stand_in: Path, *arguments: str, **environment: str) -> tuple[subprocess.Popen, list[str]]:
    clean = {name: value for name, value in os.environ.items() if name not in ("PORT", "MODEL_NAME", "THREADS")}
    process = subprocess.Popen(
        [CONTAINER / "entrypoint.sh", *arguments],
        env={**clean, "PATH": f"{stand_in / 'bin'}:{os.environ['PATH']}", **environment},
    )
    deadline = time.monotonic() + 10
    while not (stand_in / "arguments").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    return process, (stand_in / "arguments").read_text().split("\n")[:-1]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {"--rest_api_port=8501", "--port=8500"}),
        ({"PORT": "3000"}, {"--rest_api_port=3000", "--port=8500"}),
        ({"PORT": "8500"}, {"--rest_api_port=8500", "--port=8510"}),
        (
            {"THREADS": "3"},
            {
                "--tensorflow_intra_op_parallelism=3",
                "--tensorflow_inter_op_parallelism=3",
                "--rest_api_num_threads=24",
                "--monitoring_config_file=/etc/tensorflow-serving/monitoring.config",
            },
        ),
    ],
)
def test_the_entrypoint_passes_the_environment_on(stand_in, environment, expected):
    process, arguments = start(stand_in, "--enable_batching=true", **environment)
    process.terminate()
    process.wait(10)
    assert expected <= set(arguments)
    assert arguments[-1] == "--enable_batching=true", "arguments of the caller come last and win"
    threads = [word for word in arguments if word.startswith("--tensorflow_intra_op_parallelism=")]
    assert int(threads[0].split("=")[1]) >= 1


def served(stand_in: Path, **environment: str) -> list[tuple[str, str]]:
    """Names and folders of the models in the configuration that the entrypoint writes."""
    process, arguments = start(stand_in, **environment)
    process.terminate()
    process.wait(10)
    (config,) = [word.split("=")[1] for word in arguments if word.startswith("--model_config_file=")]
    return [(model.name, str(model.base_path)) for model in read_models(Path(config))]


def test_the_entrypoint_serves_every_model_that_has_a_version(stand_in):
    models = stand_in / "models"
    for folder in ("segment-model/3", "purchase-model/1", "purchase-model/2", "unfinished/partial-1", "empty"):
        (models / folder).mkdir(parents=True)
    names = ("purchase-model", "segment-model")
    environment = {"MODEL_BASE_PATH": str(models), "TMPDIR": str(stand_in)}
    assert served(stand_in, **environment) == [(name, str(models / name)) for name in names]
    (stand_in / "arguments").unlink()
    assert served(stand_in, **environment, MODEL_NAME="other") == [("other", str(models / "other"))]


def test_the_entrypoint_waits_for_the_purchase_model_where_there_is_none(stand_in):
    environment = {"MODEL_BASE_PATH": "/nowhere", "TMPDIR": str(stand_in)}
    assert served(stand_in, **environment) == [(PURCHASE_MODEL.name, f"/nowhere/{PURCHASE_MODEL.name}")]


def test_the_entrypoint_follows_labels_and_new_models(stand_in):
    models, host = stand_in / "models", Path("/home/bank/artifacts/serving")
    (models / "purchase-model" / "1").mkdir(parents=True)
    process, arguments = start(stand_in, MODEL_BASE_PATH=str(models), TMPDIR=str(stand_in))
    assert "--allow_version_labels_for_unavailable_models=true" in arguments
    assert "--model_config_file_poll_wait_seconds=1" in arguments
    (config,) = [Path(word.split("=")[1]) for word in arguments if word.startswith("--model_config_file=")]

    def wait_for(**labels: dict[str, int]) -> None:
        deadline = time.monotonic() + 20
        while {model.name: model.labels for model in read_models(config)} != labels:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    (models / "segments" / "1").mkdir(parents=True)
    wait_for(**{"purchase-model": {}, "segments": {}})
    for stable in (1, 2):
        labels = {"purchase-model": {"stable": stable, "canary": 2}, "segments": {}}
        (models / "beside").write_text(models_config.text(host, labels))
        (models / "beside").rename(models / models_config.FILE)
        wait_for(**labels)
    assert {str(model.base_path) for model in read_models(config)} == {
        f"{models}/purchase-model",
        f"{models}/segments",
    }
    process.terminate()
    assert process.wait(10) == 0


def test_the_server_takes_the_entrypoints_place_and_gets_its_signals(stand_in):
    process, _ = start(stand_in)
    assert int((stand_in / "pid").read_text()) == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert (stand_in / "signals").read_text() == "TERM\n"


def health(port: int, **environment: str) -> int:
    environment = {**os.environ, "PORT": str(port), **environment}
    return subprocess.run(
        [CONTAINER / "healthcheck.sh"], env=environment, stderr=subprocess.DEVNULL, check=False
    ).returncode


def test_the_health_check_tells_a_serving_model_from_the_rest(server):
    assert health(server.port, MODEL_NAME="half_plus_two") == 0
    assert health(server.port, MODEL_NAME="absent") != 0
    assert health(1, MODEL_NAME="half_plus_two") != 0


def test_the_health_check_asks_for_every_model(server, tmp_path):
    for name in ("half_plus_two", "strings"):
        (tmp_path / name / "1").mkdir(parents=True)
    assert health(server.port, MODEL_NAME="", MODEL_BASE_PATH=str(tmp_path)) == 0
    (tmp_path / "absent" / "1").mkdir(parents=True)
    assert health(server.port, MODEL_NAME="", MODEL_BASE_PATH=str(tmp_path)) != 0


def test_the_monitoring_config_is_one_that_tensorflow_serving_reads():
    assert read_metrics_path(CONTAINER / "monitoring.config") == "/monitoring/prometheus/metrics"
