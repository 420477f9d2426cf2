"""Continuous training: `python -m schedule --help`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from data.command import DONE, captured, guarded
from data.errors import BadOptionError
from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS

EVERY = "0 6 * * *"

EPILOG = """\
A step takes new calls in, month by month, looks whether the labels of a new month can be believed and whether the
champion did worse on it than the version before, trains where there is a reason, and makes a challenger the champion if
it passes the gate and answers its golden request. schedule/README.md has the rules.

examples:
  python -m schedule --inbox calls/                        every morning at six
  python -m schedule --every "0 */2 * * 1-5" --inbox calls/ --desk artifacts/campaigns
  python -m schedule --once --inbox calls/                 one step now, for cron or systemd
  python -m schedule --once --train                        train now, although there is no reason
  python -m runs.rollback                                  the version before serves again, in seconds

exit codes of --once: 0 done or nothing to do, 2 bad input, 3 a challenger or a month was refused, 1 anything else;
the next step goes on where one was stopped
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.once and (options.train or options.json):
        parser.error("--train and --json need --once")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return guarded(lambda: _once(options) if options.once else _serve(options), _say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m schedule",
        description="Trains the purchase model again when there is a reason, and serves the new one if it is better.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument(
        "--every", default=EVERY, metavar="CRON", help="when a step is due, in local time (default: %(default)s)"
    )
    when.add_argument("--once", action="store_true", help="one step now")
    parser.add_argument("--train", action="store_true", help="with --once: train although there is no reason")
    parser.add_argument("--json", type=Path, metavar="FILE", help="with --once: write how the step ended there")
    parser.add_argument("--inbox", metavar="FOLDER|URL", help="take new CSV files from there, or from an object store")
    parser.add_argument("--desk", type=Path, metavar="FOLDER", help="take outcomes from the campaign desk's folder")
    parser.add_argument(
        "--contract", default="bank-full", metavar="FILE|NAME", help="what the columns mean (default: %(default)s)"
    )
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=ARTIFACTS,
        metavar="FOLDER",
        help="where everything is written (default: artifacts/)",
    )
    parser.add_argument(
        "--model-name", default=PURCHASE_MODEL.name, metavar="NAME", help="the model (default: %(default)s)"
    )
    parser.add_argument("--server", metavar="URL", help="try challengers on this model server; without it, load them")
    parser.add_argument("--prometheus", metavar="URL", help="drift alarms of this Prometheus are a reason to train")
    parser.add_argument("--mlflow", metavar="URI", help="log runs there, and keep the aliases champion and challenger")
    parser.add_argument(
        "--push-to", metavar="URL", help="take what serves to this object store, such as s3://bucket/models"
    )
    return parser


def _once(options: argparse.Namespace) -> int:
    settings = _settings(options)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from schedule.settings import schedule_folder
    from schedule.step import LOG, step

    log = schedule_folder(settings.artifacts) / LOG
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOptionError(f"--artifacts: {error}") from error
    with captured(log) as screen:

        def say(text: str) -> None:
            screen.write(f"{text}\n")
            _say(text)  # into the log

        def body() -> int:
            try:
                outcome = step(settings, say)
            except KeyboardInterrupt:
                raise KeyboardInterrupt("the next step goes on from here") from None
            if options.json:
                _write_whole(options.json, outcome.to_json())
            say(outcome.text.rpartition("\n")[2])
            return outcome.exit_code

        return guarded(body, say, log)


def _serve(options: argparse.Namespace) -> int:
    _settings(options)
    from schedule.service import serve

    try:
        serve(options.artifacts, options.every, _arguments(options), _say)
    except KeyboardInterrupt:
        _say("stopped")
    return DONE


def _settings(options: argparse.Namespace):
    from data import contract as contracts
    from data import object_store
    from schedule.settings import Settings

    stored = options.inbox is not None and object_store.is_url(options.inbox)
    if stored:
        object_store.locate(options.inbox)
    for name, folder in (("inbox", None if stored else options.inbox), ("desk", options.desk)):
        if folder is not None and not Path(folder).is_dir():
            raise BadOptionError(f"--{name}: {folder} is not a folder")
    _make_absolute(options)
    if options.mlflow:
        from runs import tracking

        options.mlflow = tracking.check(options.mlflow)
    return Settings(
        artifacts=options.artifacts,
        contract=contracts.load(options.contract),
        contract_file=options.contract,
        model=options.model_name,
        inbox=options.inbox,
        desk=options.desk,
        server=options.server,
        prometheus=options.prometheus,
        mlflow=options.mlflow,
        push_to=object_store.locate(options.push_to) if options.push_to else None,
        asked=options.train,
    )


def _make_absolute(options: argparse.Namespace) -> None:
    """Makes paths absolute: the processes that get them run in the checkout."""
    from data import object_store

    for name in ("artifacts", "desk"):
        if getattr(options, name) is not None:
            setattr(options, name, getattr(options, name).resolve())
    if options.inbox is not None and not object_store.is_url(options.inbox):
        options.inbox = str(Path(options.inbox).resolve())
    if Path(options.contract).suffix in (".yaml", ".yml"):
        options.contract = str(Path(options.contract).resolve())


def _arguments(options: argparse.Namespace) -> list[str]:
    """The options of a step."""
    names = ("inbox", "desk", "contract", "artifacts", "model_name", "server", "prometheus", "mlflow", "push_to")
    given = {f"--{name.replace('_', '-')}": getattr(options, name) for name in names}
    return [text for name, value in given.items() if value is not None for text in (name, str(value))]


def _write_whole(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
