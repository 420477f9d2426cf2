"""From raw customers to a blessed, pushed model: `python -m pipeline.run`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import BadOptionError, UserError
from data.paths import ARTIFACTS
from pipeline.dataset import resolve
from pipeline.settings import Settings, code_commit
from report import add_money
from runs.folder import LATEST, QUARANTINE, SUMMARY

if TYPE_CHECKING:
    from pipeline.screen import Screen

PUSHED, FAILED, BAD_INPUT, NOT_BLESSED = 0, 1, 2, 3
THOROUGH = {"trials": 24, "members": 8}
"""What `--thorough` asks of the Tuner and the Trainer."""

EPILOG = """\
examples:
  python -m pipeline.run                              train on the synthetic sample (offline)
  python -m pipeline.run --data customers.csv         a file of yours; its header chooses the contract
  python -m pipeline.run --data bank-full             download the UCI data, verify it, train
  python -m pipeline.run --data calls/ --split time   a folder of files; the newest rows are the test
  python -m pipeline.run --no-tune                    with the best hyperparameters of the newest run

exit codes: 0 pushed, 2 bad input, 3 not blessed (nothing pushed), 1 anything else (the log says what)
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()
    try:
        settings = _settings(options)
        settings.run_folder.mkdir(parents=True)
    except (UserError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return FAILED
    from data.command import captured, one_line
    from pipeline.screen import Screen
    from runs.lock import exclusive

    log, before = settings.run_folder / "pipeline.log", _versions(settings)
    with captured(log, options.verbose) as stream:
        screen = Screen(stream)
        try:
            with exclusive(settings.artifacts, lambda pid: screen.say(f"waiting for another run (process {pid}) ...")):
                code = _run(settings, screen, started)
            if settings.tracking:
                _track(settings, screen)
            return code
        except KeyboardInterrupt:
            pushed = "nothing was pushed" if _versions(settings) == before else "the model had been pushed already"
            screen.say(f"stopped; {pushed}", style="bold yellow")
            return FAILED
        except Exception as error:
            cause = _bad_input(error)
            if cause is not None:
                screen.say(str(cause), style="red")
                return BAD_INPUT
            sys.excepthook(type(error), error, error.__traceback__)
            screen.say(f"failed: {one_line(error)}", style="bold red")
            screen.say(f"the whole story is in {log}")
            return FAILED


def _run(settings: Settings, screen: Screen, started: float) -> int:
    screen.say(f"run {settings.run_id}: {settings.data} ({settings.contract.title})")
    if settings.synthetic:
        from pipeline.screen import SYNTHETIC

        screen.say(SYNTHETIC, style="yellow")
    _quieten()
    from pipeline.graphs.purchase import create_pipeline
    from pipeline.runners.local import run_locally
    from pipeline.summarize import summarize
    from runs.outputs import EXAMPLES, MODEL_RUN, connect, outputs

    stages = screen.progress(run_locally(create_pipeline(settings), settings.run_id))
    artifacts = outputs(connect(settings.metadata), settings.run_id)
    quarantine = Path(artifacts.uri(EXAMPLES), QUARANTINE)
    if quarantine.is_file():
        shutil.copy(quarantine, settings.run_folder)
    summary = summarize(settings, artifacts, stages, time.monotonic() - started)
    (settings.run_folder / SUMMARY).write_text(summary.to_json(), encoding="utf-8")
    _point_latest(settings.run_folder)
    screen.summary(summary)
    _report(settings, screen)
    screen.say(f"training curves: .venv/bin/python -m tensorboard.main --logdir {artifacts.uri(MODEL_RUN)}")
    if summary.pushed is None:
        failed = ", ".join(check.metric for check in summary.gate.failed)
        screen.say(f"not blessed, nothing pushed: {failed}", style="bold red")
        return NOT_BLESSED
    screen.say(f"pushed version {summary.pushed.version} to {summary.pushed.path}", style="bold green")
    screen.say(f"{summary.seconds:.0f} s; summary {settings.run_folder / SUMMARY}")
    screen.say("next: .venv/bin/python -m serving")
    return PUSHED


def _report(settings: Settings, screen: Screen) -> None:
    """Writes the report; a model that was pushed stays pushed if it cannot be written."""
    from data.command import one_line
    from report import build

    try:
        screen.say(f"report: {build(settings.run_folder, settings.cost, settings.margin)}")
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        log = settings.run_folder / "pipeline.log"
        screen.say(f"the report could not be written: {one_line(error)}; see {log}", style="bold red")


def _track(settings: Settings, screen: Screen) -> None:
    """Logs a complete run; that this may fail, or be stopped, changes nothing about the run."""
    from runs import tracking

    try:
        experiment = tracking.log(settings.tracking, settings.run_folder)
    except (tracking.TrackingError, KeyboardInterrupt) as error:
        sys.excepthook(type(error), error, error.__traceback__)
        screen.say(f"MLflow at {settings.tracking}: {error or 'stopped'}; the run is complete", style="yellow")
    else:
        screen.say(f"tracked by MLflow at {settings.tracking}, experiment {experiment}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.run",
        description="Learns from past campaigns who is likely to purchase, and pushes the model if it passes the gate.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        metavar="FILE|FOLDER|NAME",
        help="a CSV file, a folder of them, or bank-full / bank-additional to download (default: the synthetic sample)",
    )
    parser.add_argument("--contract", metavar="FILE|NAME", help="what the columns mean (default: found by the header)")
    parser.add_argument(
        "--split",
        choices=("random", "time"),
        default="random",
        help="70/15/15 by a stable hash of the row, or by file order with the newest rows as test (default: random)",
    )
    parser.add_argument("--quarantine", action="store_true", help="set bad rows aside while they are below 1 %%")
    parser.add_argument(
        "--with-duration",
        action="store_true",
        help="also use columns known only after the call; for benchmarks, not for calling lists",
    )
    tuning = parser.add_mutually_exclusive_group()
    tuning.add_argument(
        "--trials",
        type=_positive,
        metavar="N",
        help=f"hyperparameter sets to try (default: {Settings.trials})",
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
        "--seed", type=int, default=Settings.seed, metavar="N", help="of everything random (default: %(default)s)"
    )
    parser.add_argument(
        "--no-benchmark", dest="benchmark", action="store_false", help="do not measure the usual models beside ours"
    )
    parser.add_argument("--no-cache", dest="cache", action="store_false", help="recompute every stage")
    parser.add_argument(
        "--keep",
        type=_positive,
        default=Settings.keep,
        metavar="N",
        help="pushed versions to leave (default: %(default)s)",
    )
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=ARTIFACTS,
        metavar="FOLDER",
        help="where everything is written (default: artifacts/)",
    )
    add_money(parser)
    parser.add_argument(
        "--mlflow",
        metavar="URI",
        help="log the run to an MLflow server (http://HOST:PORT) or folder (file:FOLDER) as well",
    )
    parser.add_argument("--verbose", action="store_true", help="show what the libraries say")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _settings(options: argparse.Namespace) -> Settings:
    from data import sample
    from runs import tracking

    path, contract = resolve(options.data, options.contract)
    if options.split == "time" and contract.row_order != "date":
        raise BadOptionError(
            f"--split time needs rows in the order of their dates, and {contract.name} has row_order: none"
        )
    search = {} if options.trials is None else {"trials": options.trials}
    return Settings(
        data=path.resolve(),
        contract=contract,
        run_id=_new_run_id(options.artifacts),
        synthetic=sample.is_synthetic(path),
        split=options.split,
        quarantine=options.quarantine,
        with_duration=options.with_duration,
        seed=options.seed,
        benchmark=options.benchmark,
        cache=options.cache,
        keep=options.keep,
        artifacts=options.artifacts.resolve(),
        cost=options.cost or Settings.cost,
        margin=options.margin or Settings.margin,
        commit=code_commit(),
        tracking=options.mlflow and tracking.check(options.mlflow),
        **(THOROUGH if options.thorough else search),
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


def _versions(settings: Settings) -> set[Path]:
    return {*settings.serving.glob("[0-9]*")}


def _point_latest(run_folder: Path) -> None:
    link = run_folder.parent / LATEST
    fresh = run_folder.parent / ".latest"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(run_folder.name)
    fresh.replace(link)


def _bad_input(error: BaseException | None) -> UserError | None:
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error


if __name__ == "__main__":
    sys.exit(main())
