"""The frame of a run, whatever the kind of its model: from settings to an exit code."""

from __future__ import annotations

import argparse
import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from data import command, model_folder, object_store, store_versions
from data.command import DONE, NOT_BLESSED
from data.errors import BadFileError, BadOptionError, ExpectedError
from data.paths import ARTIFACTS, models_folder
from pipeline import engine
from pipeline.dataset import resolve
from pipeline.settings import Settings, Spec, TrainingData, code_commit
from runs import versions
from runs.folder import FIRST_SCREEN, LATEST, LOG, QUARANTINE, REPORT, SUMMARY
from runs.publish import publish

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

    from data.object_store import Location
    from pipeline.environment import Environment
    from pipeline.screen import Screen
    from runs.outputs import RunOutputs
    from runs.summary import RunSummary, Stage

    MakeGraph = Callable[[Settings[Spec], Environment], Pipeline]
    Summarize = Callable[[Settings[Spec], RunOutputs, Sequence[Stage], float], RunSummary]


@dataclass(frozen=True)
class Kind(Generic[Spec]):
    """What a run does differently for each kind of model. Both functions import TFX, which takes seconds.

    Attributes:
      graph: the pipeline of a run, in an environment.
      summarize: the summary of a run that reached its end, from its settings, its artifacts, what each component did,
        and the seconds it took.
    """

    graph: MakeGraph[Spec]
    summarize: Summarize[Spec]


def launch(kind: Kind[Spec], settings: Callable[[], Settings[Spec]], verbose: bool) -> int:
    """Runs a pipeline; returns the exit code.

    Args:
      kind: of the model.
      settings: makes the settings of the run; its errors are told without a traceback, as those of the run are.
      verbose: whether to show what the libraries print.
    """
    started = time.monotonic()

    def body() -> int:
        chosen = settings()
        try:
            chosen.run_folder.mkdir(parents=True)
        except OSError as error:
            raise BadOptionError(f"--artifacts: {error}") from error
        log = chosen.run_folder / LOG
        with command.captured(log, verbose) as stream:
            from pipeline.screen import Screen

            screen = Screen(stream)
            return command.guarded(lambda: _run(kind, chosen, screen, started), screen.say, log)

    return command.guarded(body)


def settings_of_run(spec: Spec, data: TrainingData, options: argparse.Namespace) -> Settings[Spec]:
    """The settings of a run, from the options of :func:`pipeline.options.add_run_options`.

    Raises:
      BadOptionError: MLflow's address cannot be used, or that of an object store.
      BadFileError: an object store does not answer, or has no such bucket.
    """
    from runs import tracking

    return Settings(
        data=data,
        run_id=_new_run_id(options.artifacts),
        spec=spec,
        artifacts=options.artifacts.resolve(),
        cache=options.cache,
        commit=code_commit(),
        tracking=options.mlflow and tracking.check(options.mlflow),
        push_to=object_store.locate(options.push_to).check() if options.push_to else None,
        archive=object_store.locate(options.archive).check() if options.archive else None,
        engine=engine.load(options.engine),
    )


def training_data(options: argparse.Namespace, labelled: bool) -> TrainingData:
    """The rows of a run, from its options.

    Args:
      options: those of :func:`pipeline.options.add_data_options` and :func:`pipeline.options.add_run_options`.
      labelled: whether the model learns from a label.

    Raises:
      UserError: the files, the contract or an option cannot be used.
    """
    from data import sample

    path, contract = resolve(options.data, options.contract, labelled, options.artifacts)
    if options.split == "time" and contract.row_order != "date":
        raise BadOptionError(
            f"--split time needs rows in the order of their dates, and {contract.name} has row_order: none"
        )
    if options.last_row_counts and not contract.identifiers:
        raise BadOptionError(f"--last-row-counts needs identifiers, and contract {contract.name} has none")
    return TrainingData(
        path=path.resolve(),
        contract=contract,
        synthetic=sample.is_synthetic(path),
        split=options.split,
        quarantine=options.quarantine,
        last_row=options.last_row_counts,
    )


def _new_run_id(artifacts: Path) -> str:
    """The time in UTC, with a number where a run of this second exists."""
    now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    # ML Metadata keeps the runs of all models under their ids alone.
    taken = {folder.name for depth in ("", "*/") for folder in (artifacts / "runs").glob(f"{depth}{now}*")}
    return next(name for name in (now, *(f"{now}-{i}" for i in range(2, 100))) if name not in taken)


def _run(kind: Kind[Spec], settings: Settings[Spec], screen: Screen, started: float) -> int:
    from runs.lock import exclusive

    before = _versions(settings)
    try:
        with exclusive(settings.artifacts, lambda pid: screen.say(f"waiting for another run (process {pid}) ...")):
            code = _train(kind, settings, screen, started)
        if settings.tracking:
            _track(settings.tracking, settings, screen)
    except KeyboardInterrupt:
        pushed = "nothing was pushed" if _versions(settings) == before else "the model had been pushed already"
        raise KeyboardInterrupt(pushed) from None
    return code


def _train(kind: Kind[Spec], settings: Settings[Spec], screen: Screen, started: float) -> int:
    from pipeline.screen import SYNTHETIC

    screen.say(f"run {settings.run_id}: {settings.data.path} ({settings.data.contract.title})")
    if settings.data.synthetic:
        screen.say(SYNTHETIC, style="yellow")
    if warning := _other_inputs(settings):
        screen.say(warning, style="yellow")
    _quieten()
    engine.check(settings.engine, settings.run_folder)
    from pipeline.runners.local import local_environment, run_locally
    from runs.outputs import MODEL_RUN, connect, outputs

    pipeline = kind.graph(settings, local_environment(settings))
    stages = screen.progress(_watch_ingestion(run_locally(pipeline, settings.run_id), settings, screen))
    artifacts = outputs(connect(settings.metadata), settings.run_id)
    summary = kind.summarize(settings, artifacts, stages, time.monotonic() - started)
    (settings.run_folder / SUMMARY).write_text(summary.to_json(), encoding="utf-8")
    _point_latest(settings.run_folder)
    screen.summary(summary)
    _report(settings, screen)
    logs = artifacts.uri(MODEL_RUN)
    if any(Path(logs).rglob("events.out.*")):
        screen.say(f"training curves: .venv/bin/python -m tensorboard.main --logdir {logs}")
    if settings.archive:
        _archive(settings.archive / settings.spec.model.name / settings.run_id, settings.run_folder, screen)
    code = _conclude(settings, summary, screen)
    if settings.push_to and summary.pushed:
        _publish(settings.push_to, settings, screen)
    return code


def _conclude(settings: Settings, summary: RunSummary, screen: Screen) -> int:
    """Says how the run ended; returns the exit code."""
    where = f"{summary.seconds:.0f} s; summary {settings.run_folder / SUMMARY}"
    if summary.gate.failed:
        failed = ", ".join(map(str, summary.gate.failed))
        verdict = "push refused" if summary.gate.blessed else "not blessed"
        advice = "; --model-name NAME pushes it beside, --replace-inputs over it" if summary.gate.blessed else ""
        screen.say(f"{verdict}, nothing pushed: {failed}{advice}", style="bold red")
        return NOT_BLESSED
    if summary.pushed is None:
        screen.say(
            "blessed, not pushed: its inputs include columns known only after the call; --push-anyway pushes it",
            style="bold yellow",
        )
        screen.say(where)
        return DONE
    screen.say(f"pushed version {summary.pushed.version} to {summary.pushed.path}", style="bold green")
    champion = versions.champion(settings.artifacts, settings.spec.model.name)
    if champion != int(summary.pushed.version):
        again = f".venv/bin/python -m runs.promote --version {summary.pushed.version}"
        screen.say(f"version {champion} stays the champion, with the label stable; to change that: {again}")
    screen.say(where)
    screen.say(f"next: .venv/bin/python -m serving{_serving_flags(settings)}")
    return DONE


def _serving_flags(settings: Settings) -> str:
    """The flag with which the embedded server finds the model; none where it looks by default."""
    if settings.artifacts == ARTIFACTS:
        return ""
    return f" --models_folder={models_folder(settings.artifacts)}"


def _watch_ingestion(events: Iterable[Stage | str], settings: Settings[Spec], screen: Screen) -> Iterator[Stage | str]:
    """The events of a run. Repeated identifiers are told, and the rows set aside are copied to the run's folder, before
    a later stage may stop it."""
    from modules import artifacts
    from pipeline.components import example_gen
    from runs.outputs import EXAMPLES, connect, outputs

    for event in events:
        yield event
        if not isinstance(event, str) and event.name == EXAMPLES.node:
            examples = outputs(connect(settings.metadata), settings.run_id).uri(EXAMPLES)
            if said := example_gen.repeated_identifiers(artifacts.read_json(examples, example_gen.SUMMARY)):
                screen.say(said, style="yellow")
            if artifacts.exists(examples, example_gen.QUARANTINE):
                rows = artifacts.read_bytes(examples, example_gen.QUARANTINE)
                (settings.run_folder / QUARANTINE).write_bytes(rows)


def _report(settings: Settings, screen: Screen) -> None:
    """Writes the report; a model that was pushed stays pushed if it cannot be written."""
    from report import build

    try:
        screen.say(f"report: {build(settings.run_folder)}")
    except Exception as error:
        traceback.print_exception(error)
        log = settings.run_folder / LOG
        screen.say(f"the report could not be written: {command.one_line(error)}; details: {log}", style="bold red")


def _track(uri: str, settings: Settings, screen: Screen) -> None:
    """Logs a complete run; that this may fail, or be stopped, changes nothing about the run."""
    from runs import tracking

    try:
        experiment = tracking.log(uri, settings.run_folder)
    except (tracking.TrackingError, KeyboardInterrupt) as error:
        traceback.print_exception(error)
        screen.say(f"MLflow at {uri}: {error or 'stopped'}; the run is complete", style="yellow")
    else:
        screen.say(f"tracked by MLflow at {uri}, experiment {experiment}")


def _archive(target: Location, run_folder: Path, screen: Screen) -> None:
    """Copies what is worth keeping of a complete run; that this may fail changes nothing about the run."""
    names = [name for name in (SUMMARY, REPORT, FIRST_SCREEN) if (run_folder / name).is_file()]
    try:
        store_versions.push(run_folder, target, names)
    except ExpectedError as error:
        screen.say(f"not archived: {error}; the run is complete", style="yellow")
    else:
        screen.say(f"archived: {target.url}")


def _publish(store: Location, settings: Settings, screen: Screen) -> None:
    """Takes the pushed version to the object store.

    Raises:
      BadFileError: that did not succeed.
    """
    model = settings.spec.model.name
    try:
        new = publish(settings.artifacts, model, store, settings.spec.keep)
    except ExpectedError as error:
        advice = f"the version is on this machine alone; `python -m runs.publish {store.url}` completes it"
        raise BadFileError(f"{error}; {advice}") from error
    said = f"versions {', '.join(map(str, new))}" if new else "no version that was not there"
    screen.say(f"stored at {store.url}/{model}: {said}", style="bold green")


def _quieten() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    from absl import logging

    logging.set_verbosity(logging.INFO)


def _versions(settings: Settings) -> list[int]:
    return [folder.version for folder in model_folder.versions(settings.serving)]


def _other_inputs(settings: Settings) -> str | None:
    """A warning before a run whose push will be refused, as far as the names of the inputs tell."""
    newest = model_folder.newest(settings.serving)
    if newest is None or settings.spec.replace_inputs or not settings.spec.push:
        return None
    try:
        served = set(newest.card().features)
    except (OSError, ValueError):
        return None
    if served == set(settings.features):
        return None
    return (
        f"version {newest.version} of {settings.spec.model.name} has other inputs, so this run will not replace it: "
        "give --model-name another name, or --replace-inputs"
    )


def _point_latest(run_folder: Path) -> None:
    link = run_folder.parent / LATEST
    fresh = run_folder.parent / f".{LATEST}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(run_folder.name)
    fresh.replace(link)
