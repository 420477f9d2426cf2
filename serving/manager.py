"""Finds versions on disk, loads and unloads them, and knows which of them serve.

One thread polls the disk and loads versions; the event loop only reads the result. A new version is loaded and warmed
up before the old one is unloaded (TensorFlow Serving's availability-preserving policy). A version that does not load is
tried again at an interval, without holding up other versions or models. After the last attempt it is given up until its
folder disappears and comes back.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from data import model_folder
from data.errors import UserError
from serving.errors import Code, ServingError
from serving.metrics import Gauges, Metrics
from serving.model_config import ModelConfig
from serving.servable import RuntimeOptions, Servable

log = logging.getLogger("serving.manager")


class State(enum.Enum):
    """Life of a version, as the status page names it."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class LoadOptions:
    """How versions are found and loaded.

    Attributes:
      poll_seconds: time between two looks at the disk; 0: look once.
      max_retries: attempts after the first failed one.
      retry_seconds: time between two attempts.
      labels_for_unavailable: whether a label may be given to a version that is not loaded yet.
      config_poll_seconds: time between two looks at the configuration file; 0: never look again.
    """

    poll_seconds: float = 1.0
    max_retries: int = 5
    retry_seconds: float = 60.0
    labels_for_unavailable: bool = False
    config_poll_seconds: float = 0.0


@dataclass
class _Version:
    number: int
    path: Path
    state: State = State.START
    error: ServingError | None = None
    aspired: bool = True
    attempts: int = 0
    next_attempt: float = 0.0
    servable: Servable | None = None

    @property
    def may_load(self) -> bool:
        return self.state in (State.START, State.LOADING) and time.monotonic() >= self.next_attempt


@dataclass
class _Model:
    config: ModelConfig
    versions: dict[int, _Version] = field(default_factory=dict)
    serving: tuple[Servable, ...] = ()
    """The versions that requests may use, highest first; replaced as a whole, never changed."""
    problem: str = ""
    """The last problem with the base path, so that it is logged once and not at every poll."""

    def publish(self) -> None:
        """Makes the versions that serve now visible to requests."""
        servables = [version.servable for version in self.versions.values() if version.servable is not None]
        self.serving = tuple(sorted(servables, key=lambda servable: -servable.version))


class Manager:
    """The models of a server.

    Args:
      models: the models to serve at first.
      announce: called with each version that begins to serve, on the managing thread.
      reread: reads the models from the configuration file again; None if the file is not watched.
      load: loads one version; tests replace it to do without TensorFlow models.
    """

    def __init__(
        self,
        models: Iterable[ModelConfig],
        options: LoadOptions,
        runtime: RuntimeOptions,
        metrics: Metrics,
        announce: Callable[[Servable], None] = lambda servable: None,
        reread: Callable[[], tuple[ModelConfig, ...]] | None = None,
        load: Callable[[str, int, Path, RuntimeOptions], Servable] = Servable,
    ):
        self._options = options
        self._runtime = runtime
        self._metrics = metrics
        self._announce = announce
        self._reread = reread
        self._load_version = load
        self._models = {config.name: _Model(config) for config in models}
        self._labels: dict[str, dict[str, int]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="manager", daemon=True)
        self._next_config_poll = time.monotonic() + options.config_poll_seconds
        self._assign_labels(self._models.values())
        metrics.add(Gauges("model_version_info", ("model_name", "version", "state"), self._version_samples))

    # --- for requests -----------------------------------------------------------------------------------------------

    @property
    def names(self) -> Collection[str]:
        """The names of the configured models."""
        return self._models.keys()

    def acquire(self, model: str, version: int | None = None, label: str | None = None) -> Servable:
        """The version for a request. The caller must call its `release`.

        Raises:
          ServingError: NOT_FOUND where nothing serves, INVALID_ARGUMENT for an unknown label.
        """
        if label is not None:
            version = self._labels.get(model, {}).get(label)
            if version is None:
                raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
        entry = self._models.get(model)
        serving: tuple[Servable, ...] | None = None
        while entry is not None and serving is not entry.serving:  # again if it changed meanwhile
            serving = entry.serving
            for servable in serving:
                if version in (None, servable.version) and servable.acquire():
                    return servable
        request = f"Latest({model})" if version is None else f"Specific({model}, {version})"
        raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {request}")

    def status(self, model: str, version: int | None = None) -> list[tuple[int, State, ServingError | None]]:
        """Number, state and error of one version or of all, highest first.

        Raises:
          ServingError: NOT_FOUND where there are none.
        """
        entry = self._models.get(model)
        versions = dict(entry.versions) if entry else {}
        if version is not None:
            if version not in versions:
                raise ServingError(Code.NOT_FOUND, f"Could not find version {version} of model {model}")
            versions = {version: versions[version]}
        if not versions:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {model}")
        return [(number, versions[number].state, versions[number].error) for number in sorted(versions, reverse=True)]

    def not_ready(self) -> list[str]:
        """The configured models that have no serving version."""
        return [
            name
            for name, model in self._models.items()
            if not any(version.state is State.AVAILABLE for version in list(model.versions.values()))
        ]

    def _version_samples(self) -> list[tuple[tuple[str, ...], float]]:
        return [
            ((name, str(number), version.state.name), 1)
            for name, model in list(self._models.items())
            for number, version in sorted(model.versions.items())
        ]

    # --- the managing thread ----------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the managing thread, after the load that is under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        polled = False
        while not self._stop.is_set():
            self._poll_config()
            if self._options.poll_seconds > 0 or not polled:
                for model in list(self._models.values()):
                    self._aspire(model)
                polled = True
            for model in list(self._models.values()):
                self._act(model)
            self._stop.wait(self._pause())

    def _pause(self) -> float:
        pause = self._options.poll_seconds or 1.0
        now = time.monotonic()
        for model in self._models.values():
            for version in model.versions.values():
                if version.aspired and version.state in (State.START, State.LOADING):
                    pause = min(pause, max(version.next_attempt - now, 0.0))
        return pause

    def _aspire(self, model: _Model) -> None:
        """Compares the versions on disk with the known ones."""
        try:
            # A base path that is not there must not look like an empty one: what serves would be unloaded.
            folders = model_folder.versions(model.config.base_path, missing_ok=False)
        except OSError as error:
            self._report(model, f"the base path cannot be read: {error.strerror}")
            return
        paths = {folder.version: folder.path for folder in folders}
        wanted = model.config.policy.choose(set(paths))
        self._report(model, "" if wanted else "no version has been pushed yet; waiting for a numbered folder")
        for number, version in list(model.versions.items()):
            if number not in wanted:
                self._abandon(model, version)
        for number in wanted:
            known = model.versions.get(number)
            if known is None or not known.aspired:
                if known is None or known.state is State.END:
                    model.versions[number] = _Version(number, paths[number])
                else:
                    known.aspired = True

    def _report(self, model: _Model, problem: str) -> None:
        if problem and problem != model.problem:
            log.warning("%s", problem, extra={"model": model.config.name, "base_path": str(model.config.base_path)})
        model.problem = problem

    def _abandon(self, model: _Model, version: _Version) -> None:
        version.aspired = False
        if version.state in (State.START, State.LOADING):
            version.state = State.END
            self._log("load given up, the version is no longer wanted", model, version)

    def _act(self, model: _Model) -> None:
        """Loads and unloads until nothing is left to do now."""
        while not self._stop.is_set():
            serving = [version for version in model.versions.values() if version.state is State.AVAILABLE]
            surplus = [version for version in serving if not version.aspired]
            aspired = [version for version in model.versions.values() if version.aspired]
            if surplus and (not aspired or len(surplus) > 1 or len(serving) > len(surplus)):
                self._unload(model, min(surplus, key=lambda version: version.number))
                continue
            loadable = [version for version in aspired if version.may_load]
            if not loadable:
                return
            self._load(model, max(loadable, key=lambda version: version.number))

    def _load(self, model: _Model, version: _Version) -> None:
        version.state = State.LOADING
        version.attempts += 1
        path = str(version.path)
        started = time.perf_counter()
        try:
            servable = self._load_version(model.config.name, version.number, version.path, self._runtime)
        except Exception as error:
            self._metrics.load_attempts.add(path, "fail")
            self._failed(model, version, error)
            return
        micros = (time.perf_counter() - started) * 1e6
        self._metrics.load_attempts.add(path, "success")
        self._metrics.load_latency.add(path, amount=round(micros))
        self._record_stages(path, servable)
        version.servable = servable
        version.error = None
        version.state = State.AVAILABLE
        model.publish()
        self._log("loaded", model, version, seconds=round(micros / 1e6, 3))
        try:
            self._announce(servable)
        except Exception as error:
            log.warning("the version serves, but could not be announced: %s", error, extra=_about(model, version))

    def _record_stages(self, path: str, servable: Servable) -> None:
        times = servable.load_times
        self._metrics.load_latency_by_stage.observe(times.restore_graph * 1e6, path, "restore_graph")
        self._metrics.load_latency_by_stage.observe(times.init_graph * 1e6, path, "init_graph")
        if times.warm_up is not None:
            self._metrics.warm_up_latency.observe(times.warm_up * 1e6, path, Code.OK.name)

    def _failed(self, model: _Model, version: _Version, error: Exception) -> None:
        known = error if isinstance(error, ServingError) else ServingError(Code.INTERNAL, repr(error))
        version.error = known
        if version.attempts > self._options.max_retries:
            version.state = State.END
            log.error(
                "load failed for the last time: %s", known, extra=_about(model, version, attempts=version.attempts)
            )
        else:
            version.next_attempt = time.monotonic() + self._options.retry_seconds
            log.error(
                "load failed, it will be tried again: %s",
                known,
                extra=_about(model, version, attempts=version.attempts, retry_seconds=self._options.retry_seconds),
            )

    def _unload(self, model: _Model, version: _Version) -> None:
        version.state = State.UNLOADING
        servable, version.servable = version.servable, None
        model.publish()
        if servable is not None:
            servable.close()
        version.state = State.END
        self._log("unloaded", model, version)

    def _log(self, event: str, model: _Model, version: _Version, **more) -> None:
        log.info("%s", event, extra=_about(model, version, **more))

    # --- configuration ----------------------------------------------------------------------------------------------

    def _poll_config(self) -> None:
        if self._reread is None or time.monotonic() < self._next_config_poll:
            return
        self._next_config_poll = time.monotonic() + self._options.config_poll_seconds
        try:
            self._configure(self._reread())
        except (UserError, ServingError) as error:
            log.error("the configuration is not reloaded: %s", error)

    def _configure(self, configs: tuple[ModelConfig, ...]) -> None:
        """Replaces the whole list of models."""
        if configs == tuple(model.config for model in self._models.values()):
            return
        models = {}
        for config in configs:
            known = self._models.get(config.name)
            models[config.name] = _Model(config, known.versions, known.serving) if known else _Model(config)
        self._assign_labels(models.values())
        removed = [model for name, model in self._models.items() if name not in models]
        self._models = models
        for model in models.values():
            self._aspire(model)
        for model in removed:
            for version in model.versions.values():
                self._abandon(model, version)
            self._act(model)
        log.info("configuration reloaded", extra={"models": sorted(models)})

    def _assign_labels(self, models: Iterable[_Model]) -> None:
        labels: dict[str, dict[str, int]] = {}
        for model in models:
            name = model.config.name
            for label, number in model.config.labels.items():
                moved = self._labels.get(name, {}).get(label, number) != number
                version = model.versions.get(number)
                available = version is not None and version.state is State.AVAILABLE
                if not available and (moved or not self._options.labels_for_unavailable):
                    raise ServingError(
                        Code.FAILED_PRECONDITION,
                        f"Request to assign label to version {number} of model {name}, "
                        "which is not currently available for inference",
                    )
                labels.setdefault(name, {})[label] = number
        self._labels = labels


def _about(model: _Model, version: _Version, **more) -> dict:
    return {"model": model.config.name, "version": version.number, "path": str(version.path), **more}
