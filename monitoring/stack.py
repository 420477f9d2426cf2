"""Runs the exporter and a real Prometheus as processes, without Docker, and the server where none runs yet."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from data import model_folder, programs
from data.errors import BadOptionError, NotReadyError
from data.model_folder import ModelFolder, newest
from data.paths import models_folder, serving_folder

CONFIG = Path(__file__).parent / "prometheus"


@dataclass(frozen=True)
class Ports:
    """The ports of the processes, on 127.0.0.1."""

    server: int = 8501
    exporter: int = 9109
    prometheus: int = 9090


@dataclass
class Watched:
    """What runs already and is watched beside the models.

    Attributes:
      server: address of a model server; None starts one.
      desk: address of a campaign desk; None where there is none.
      desk_key: a file with a key of the desk, role `read`; None for a desk that asks for none.
    """

    server: str | None = None
    desk: str | None = None
    desk_key: Path | None = None


@dataclass
class Stack:
    """The processes; a context manager that starts and stops them.

    Attributes:
      artifacts: the folder that pipeline runs write to; a version of a model must be there.
      folder: for the configuration, Prometheus's data and the output of each process; emptied at the start.
      model: name of the only model that is served; None for every one that has a version.
      ports: of the processes.
      interval: seconds between scrapes and between evaluations of rules.
      watched: what runs already.
    """

    artifacts: Path
    folder: Path
    model: str | None = None
    ports: Ports = field(default_factory=Ports)
    interval: int = 5
    watched: Watched = field(default_factory=Watched)
    processes: dict[str, subprocess.Popen] = field(default_factory=dict, init=False)

    def names(self) -> list[str]:
        """The names of the models that have a version and are served."""
        found = model_folder.models(models_folder(self.artifacts))
        return [name for name in found if self.model in (None, name)]

    @property
    def server_url(self) -> str:
        return self.watched.server or f"http://127.0.0.1:{self.ports.server}"

    @property
    def exporter_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.exporter}"

    @property
    def prometheus_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.prometheus}"

    def __enter__(self) -> Stack:
        try:
            self.configure()
            for name in self._started():
                self.start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.stop(name)

    def version(self, name: str) -> ModelFolder:
        """The newest version of a model.

        Raises:
          NotReadyError: no version has been pushed.
        """
        models = serving_folder(self.artifacts, name)
        folder = newest(models)
        if folder is None:
            raise NotReadyError(f"{models}: no model has been pushed yet; run `make run` first")
        return folder

    def configure(self) -> None:
        """Copies Prometheus's configuration and points it at these processes.

        Raises:
          NotReadyError: Prometheus is not installed, no version has been pushed, or a port is taken.
          BadOptionError: the address of the server or of the desk is none.
        """
        if shutil.which("prometheus") is None:
            raise NotReadyError("prometheus is not installed; on Debian and Ubuntu: apt-get install prometheus")
        if not self.names() and self.watched.server is None:
            folder = serving_folder(self.artifacts, self.model) if self.model else models_folder(self.artifacts)
            raise NotReadyError(f"{folder}: no model has been pushed yet; run `make run` first")
        for name in self._started():
            port = getattr(self.ports, name)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise NotReadyError(f"port {port} for the {name} cannot be opened: {error.strerror}") from error
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(CONFIG, self.folder, ignore=shutil.ignore_patterns("keys"))
        server, exporter = target("--server", self.server_url), f"127.0.0.1:{self.ports.exporter}"
        config = yaml.safe_load((self.folder / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": f"{self.interval}s", "evaluation_interval": f"{self.interval}s"}
        (of_desk,) = [job for job in config["scrape_configs"] if job["job_name"] == "campaign-desk"]
        if self.watched.desk_key:
            of_desk["authorization"]["credentials_file"] = str(self.watched.desk_key.resolve())
        else:
            del of_desk["authorization"]
        desk = [target("--desk", self.watched.desk)] if self.watched.desk else []
        self._write("prometheus.yml", config)
        self._write("targets/campaign-desk.yml", [{"targets": desk}])
        self._write("targets/model-server.yml", [{"targets": [server]}])
        self._write("targets/model-exporter.yml", [{"targets": [exporter], "labels": {"instance": server}}])

    def start(self, name: str) -> None:
        """Starts `server`, `exporter` or `prometheus` and waits until it answers.

        Raises:
          NotReadyError: the process ended or did not answer in time; the message names the file with its output.
        """
        url = {
            "server": f"{self.server_url}/readyz",
            "exporter": f"{self.exporter_url}/metrics",
            "prometheus": f"{self.prometheus_url}/-/ready",
        }[name]
        self.processes[name] = programs.start(name, self._command(name), self.folder / f"{name}.log", url)

    def stop(self, name: str) -> None:
        """Ends a process, by force if it takes too long."""
        programs.stop(self.processes.pop(name))

    def _started(self) -> tuple[str, ...]:
        """The names of the processes."""
        return ("exporter", "prometheus") if self.watched.server else ("server", "exporter", "prometheus")

    def _command(self, name: str) -> list[str]:
        if name == "server":
            return [
                *(sys.executable, "-m", "serving", f"--rest_api_port={self.ports.server}"),
                f"--models_folder={models_folder(self.artifacts).absolute()}",
                *((f"--model_name={self.model}",) if self.model else ()),
            ]
        if name == "exporter":
            return [
                *(sys.executable, "-m", "monitoring.exporter", "--server", self.server_url),
                *("--port", str(self.ports.exporter), "--artifacts", str(self.artifacts)),
                *(("--model", self.model) if self.model else ()),
            ]
        return [
            *("prometheus", f"--config.file={self.folder / 'prometheus.yml'}"),
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.ports.prometheus}",
            "--log.level=warn",
        ]

    def _write(self, name: str, content: Any) -> None:
        (self.folder / name).write_text(yaml.safe_dump(content, sort_keys=False))


def target(option: str, url: str) -> str:
    """Host and port of an address, as Prometheus wants them.

    Raises:
      BadOptionError: it is no http address.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise BadOptionError(f"{option}: got {url!r}, expected an address such as http://127.0.0.1:8501")
    return parts.netloc if parts.port else f"{parts.netloc}:80"
