"""From raw customers to a blessed, pushed model: `python -m pipeline.run`."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from data import command, model_folder
from data.command import DONE, NOT_BLESSED
from data.errors import BadOptionError
from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS, serving_folder
from pipeline.dataset import resolve
from pipeline.options import add_common_options, add_data_options, positive
from pipeline.settings import PurchaseSettings, Settings, TrainingData, code_commit
from report import add_money
from runs.folder import LATEST, LOG, QUARANTINE, SUMMARY

if TYPE_CHECKING:
    from pipeline.screen import Screen
    from runs.summary import RunSummary, Stage

THOROUGH = {"trials": 24, "members": 8}
"""What `--thorough` asks of the Tuner and the Trainer."""

EPILOG = """\
examples:
  python -m pipeline.run                              train on the synthetic sample (offline)
  python -m pipeline.run --data customers.csv         a file of yours; its header chooses the contract
  python -m pipeline.run --data bank-full             download the UCI data, verify it, train
  python -m pipeline.run --data calls/ --split time   a folder of files; the newest rows are the test
  python -m pipeline.run --no-tune                    with the best hyperparameters of the newest run

exit codes: 0 done, 2 bad input, 3 not blessed or refused (nothing pushed), 1 anything else (the log says what)
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()

    def body() -> int:
        settings = _settings(options)
        try:
            settings.run_folder.mkdir(parents=True)
        except OSError as error:
            raise BadOptionError(f"--artifacts: {error}") from error
        log = settings.run_folder / LOG
        with command.captured(log, options.verbose) as stream:
            from pipeline.screen import Screen

            screen = Screen(stream)
            return command.guarded(lambda: _run(settings, screen, started), screen.say, log)

    return command.guarded(body)


def _run(settings: Settings, screen: Screen, started: float) -> int:
    from runs.lock import exclusive

    before = _versions(settings)
    try:
        with exclusive(settings.artifacts, lambda pid: screen.say(f"waiting for another run (process {pid}) ...")):
            code = _train(settings, screen, started)
        if settings.tracking:
            _track(settings.tracking, settings, screen)
    except KeyboardInterrupt:
        pushed = "nothing was pushed" if _versions(settings) == before else "the model had been pushed already"
        raise KeyboardInterrupt(pushed) from None
    return code


def _train(settings: Settings, screen: Screen, started: float) -> int:
    from pipeline.screen import SYNTHETIC

    screen.say(f"run {settings.run_id}: {settings.data.path} ({settings.data.contract.title})")
    if settings.data.synthetic:
        screen.say(SYNTHETIC, style="yellow")
    if warning := _other_inputs(settings):
        screen.say(warning, style="yellow")
    _quieten()
    from pipeline.graphs.purchase import create_pipeline
    from pipeline.runners.local import local_environment, run_locally
    from pipeline.summarize import summarize
    from runs.outputs import MODEL_RUN, connect, outputs

    pipeline = create_pipeline(settings.spec, settings.data, local_environment(settings))
    stages = screen.progress(_keep_quarantine(run_locally(pipeline, settings.run_id), settings))
    artifacts = outputs(connect(settings.metadata), settings.run_id)
    summary = summarize(settings, artifacts, stages, time.monotonic() - started)
    (settings.run_folder / SUMMARY).write_text(summary.to_json(), encoding="utf-8")
    _point_latest(settings.run_folder)
    screen.summary(summary)
    _report(settings, screen)
    screen.say(f"training curves: .venv/bin/python -m tensorboard.main --logdir {artifacts.uri(MODEL_RUN)}")
    return _conclude(settings, summary, screen)


def _conclude(settings: Settings, summary: RunSummary, screen: Screen) -> int:
    """Says how the run ended; returns the exit code."""
    where = f"{summary.seconds:.0f} s; summary {settings.run_folder / SUMMARY}"
    if summary.gate.failed:
        failed = ", ".join(check.metric for check in summary.gate.failed)
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
    screen.say(where)
    screen.say(f"next: .venv/bin/python -m serving{_serving_flags(settings)}")
    return DONE


def _serving_flags(settings: Settings) -> str:
    """The flags with which the embedded server finds the model; none for the model it serves by default."""
    if settings.serving == serving_folder(ARTIFACTS, PURCHASE_MODEL.name):
        return ""
    return f" --model_name={settings.spec.model.name} --model_base_path={settings.serving}"


def _keep_quarantine(events: Iterable[Stage | str], settings: Settings) -> Iterator[Stage | str]:
    """The events of a run. The rows set aside are copied to its folder before a later stage may stop it."""
    from modules import artifacts
    from pipeline.components import example_gen
    from runs.outputs import EXAMPLES, connect, outputs

    for event in events:
        yield event
        if not isinstance(event, str) and event.name == EXAMPLES.node:
            examples = outputs(connect(settings.metadata), settings.run_id).uri(EXAMPLES)
            if artifacts.exists(examples, example_gen.QUARANTINE):
                rows = artifacts.read_bytes(examples, example_gen.QUARANTINE)
                (settings.run_folder / QUARANTINE).write_bytes(rows)


def _report(settings: Settings, screen: Screen) -> None:
    """Writes the report; a model that was pushed stays pushed if it cannot be written."""
    from report import build

    try:
        screen.say(f"report: {build(settings.run_folder, settings.cost, settings.margin)}")
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.run",
        description="Learns from past campaigns who is likely to purchase, and pushes the model if it passes the gate.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_options(parser)
    parser.add_argument(
        "--split",
        choices=("random", "time"),
        default="random",
        help="70/15/15 by a stable hash of the row, or by file order with the newest rows as test (default: random)",
    )
    parser.add_argument("--quarantine", action="store_true", help="set bad rows aside while they are below 1 %%")
    _add_training_options(parser)
    _add_push_options(parser)
    add_common_options(parser)
    parser.add_argument("--no-cache", dest="cache", action="store_false", help="recompute every stage")
    add_money(parser)
    parser.add_argument(
        "--mlflow",
        metavar="URI",
        help="log the run to an MLflow server (http://HOST:PORT) or folder (file:FOLDER) as well",
    )
    parser.add_argument("--verbose", action="store_true", help="show what the libraries print")
    return parser


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    tuning = parser.add_mutually_exclusive_group()
    tuning.add_argument(
        "--trials",
        type=positive,
        metavar="N",
        help=f"hyperparameter sets to try (default: {PurchaseSettings.trials})",
    )
    tuning.add_argument(
        "--no-tune",
        dest="trials",
        action="store_const",
        const=0,
        help="use the best hyperparameters of the newest run, else the contract's",
    )
    tuning.add_argument(
        "--thorough",
        action="store_true",
        help=f"try {THOROUGH['trials']} hyperparameter sets and average {THOROUGH['members']} nets; takes minutes more",
    )
    parser.add_argument(
        "--no-benchmark", dest="benchmark", action="store_false", help="do not measure the baselines beside our model"
    )


def _add_push_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model-name",
        type=_model_name,
        default=PURCHASE_MODEL.name,
        metavar="NAME",
        help="the model to push a version of, in artifacts/serving and /v1/models (default: %(default)s)",
    )
    parser.add_argument(
        "--replace-inputs",
        action="store_true",
        help="push although the inputs differ from those of the newest version, so that its callers have to change",
    )
    parser.add_argument(
        "--push-anyway", action="store_true", help="push also a model trained --with-after-call columns"
    )
    parser.add_argument(
        "--keep",
        type=positive,
        default=PurchaseSettings.keep,
        metavar="N",
        help="pushed versions to leave (default: %(default)s)",
    )


def _model_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", text):
        raise argparse.ArgumentTypeError(f"expected small letters, digits, '.', '_' and '-', got {text!r}")
    return text


def _settings(options: argparse.Namespace) -> Settings:
    from data import sample
    from runs import tracking

    path, contract = resolve(options.data, options.contract)
    if options.split == "time" and contract.row_order != "date":
        raise BadOptionError(
            f"--split time needs rows in the order of their dates, and {contract.name} has row_order: none"
        )
    after_call = options.with_after_call and bool(contract.after_call)
    search = {} if options.trials is None else {"trials": options.trials}
    model = dataclasses.replace(PURCHASE_MODEL, name=options.model_name)
    return Settings(
        data=TrainingData(
            path=path.resolve(),
            contract=contract,
            synthetic=sample.is_synthetic(path),
            split=options.split,
            quarantine=options.quarantine,
        ),
        spec=PurchaseSettings(
            model=model,
            with_after_call=options.with_after_call,
            seed=options.seed,
            benchmark=options.benchmark,
            push=options.push_anyway or not after_call,
            replace_inputs=options.replace_inputs,
            keep=options.keep,
            **(THOROUGH if options.thorough else search),
        ),
        run_id=_new_run_id(options.artifacts),
        cache=options.cache,
        artifacts=options.artifacts.resolve(),
        cost=options.cost or Settings.cost,
        margin=options.margin or Settings.margin,
        commit=code_commit(),
        tracking=options.mlflow and tracking.check(options.mlflow),
    )


def _new_run_id(artifacts: Path) -> str:
    now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    # ML Metadata keeps the runs of all models under their ids alone.
    taken = {folder.name for depth in ("", "*/") for folder in (artifacts / "runs").glob(f"{depth}{now}*")}
    return next(name for name in (now, *(f"{now}-{i}" for i in range(2, 100))) if name not in taken)


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


if __name__ == "__main__":
    sys.exit(main())
