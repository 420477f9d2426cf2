"""Scores files of millions of customers without a server: `python -m pipeline.score`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from data import store_data
from data.command import DONE, captured, guarded, interruptions
from data.errors import BadFileError, BadOptionError
from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS, serving_folder
from pipeline import engine as engines
from pipeline.options import add_engine_option

if TYPE_CHECKING:
    from data.contract import Contract
    from pipeline.engine import Engine
    from pipeline.scoring.job import Job, Outcome, Task
    from pipeline.screen import Screen

MANIFEST = "manifest.json"
QUARANTINE = "quarantine.csv"
LOG = "score.log"
LOCK = ".lock"
MOST_QUARANTINED_PERCENT = 1
"""The files are refused from this share of bad rows on."""

EPILOG = """\
examples:
  python -m pipeline.score --data customers.csv --out scored/           with the champion
  python -m pipeline.score --data lists/ --out scored/ --format csv     a folder of files; CSV for a spreadsheet
  python -m pipeline.score --data customers.csv --out scored/ --at-call contact=cellular --at-call calls_today=120

The result is a folder of files part-00000, part-00001 ... in the order of the customers, with all columns of the list
and the model's outputs, and manifest.json, which says by which model. It appears when it is complete. A command that
was stopped goes on where it was when it is given again. A list of a few thousand customers is scored as fast by
`python -m serving.client`.

exit codes: 0 done, 2 bad input, 1 anything else (the log says what)
"""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a result is.

    Attributes:
      model: folder of the version that scored.
      written: when, in UTC.
      files: of the customers.
      plan: values of columns that describe the call.
      outputs: the model's, which are columns of the result.
      rows, quarantined: customers scored, and rows set aside.
      parts: the files of the result, in the order of the customers.
    """

    model: str
    written: str
    files: tuple[str, ...]
    plan: dict[str, str]
    outputs: tuple[str, ...]
    rows: int
    quarantined: int
    parts: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _prepare(options))


def _prepare(options: argparse.Namespace) -> int:
    out = options.out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadOptionError(f"--out {options.out}: there is something; name an empty or a new folder")
    data = store_data.local(options.data, ARTIFACTS)
    incoming = out.with_name(f".{out.name}.partial")
    try:
        incoming.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOptionError(f"--out {options.out}: {error.strerror}") from error
    from pipeline.screen import Screen

    with _alone(incoming), captured(incoming / LOG) as stream:
        screen = Screen(stream)
        return guarded(lambda: _run(options, data, incoming, out, screen), screen.say, incoming / LOG)


def _run(options: argparse.Namespace, data: Path, incoming: Path, out: Path, screen: Screen) -> int:
    started = time.monotonic()
    engine = engines.load(options.engine)
    engines.check(engine, incoming)
    job, tasks = _plan(options, data, incoming)
    before = _resume(job, tasks, incoming)
    if before:
        screen.say(f"going on: {before} of {len(tasks)} parts are scored")
    with interruptions() as interrupted:
        try:
            with _progress(job, tasks, screen):
                _score(job, tasks, engine)
        except BaseException:
            if interrupted():
                raise KeyboardInterrupt("the same command goes on where this one was") from None
            raise
    outcomes = [outcome for task in tasks if (outcome := job.outcome(task.number))]
    try:
        rows = _account(outcomes, len(tasks), job.quarantine)
    except BadFileError:
        shutil.rmtree(incoming)
        raise
    bad = sum(outcome.bad for outcome in outcomes)
    _conclude(job, tasks, incoming, out, rows, bad)
    seconds = time.monotonic() - started
    screen.say(f"{rows:,} customers scored in {seconds:.1f} s, written to {options.out}")
    if bad:
        screen.say(f"{bad:,} rows cannot be read; they are in {options.out / QUARANTINE}", style="yellow")
    return DONE


def _plan(options: argparse.Namespace, data: Path, incoming: Path) -> tuple[Job, list[Task]]:
    """The job and its tasks.

    Raises:
      UserError: the model, a file or the plan of the calls cannot be used.
    """
    from data import plan as plans
    from data import reader
    from data.contract import Role
    from data.csv_parts import divide
    from pipeline.scoring.job import Job, Task

    model = _model(options)
    contract = _contract(model)
    plan = plans.parse(options.at_call)
    plans.values(contract, plan)
    wanted = plans.unplanned(contract, plan)
    files = reader.files(data)
    for file in files:
        reader.check(file, wanted, Role.CUSTOMERS)
    job = Job(
        model=str(model),
        contract=contract.model_dump_json(),
        plan=plan,
        folder=str(incoming),
        format=options.format,
        delimiter=reader.header(files[0])[1],
        quarantine=options.quarantine,
        outputs=_outputs(model),
    )
    parts = [(file, part) for file in files for part in divide(file, wanted, Role.CUSTOMERS)]
    return job, [Task(number, str(file.resolve()), part) for number, (file, part) in enumerate(parts)]


def _model(options: argparse.Namespace) -> Path:
    """The folder of the model's version."""
    from runs import versions

    if options.model:
        if not (options.model / "saved_model.pb").is_file():
            raise BadOptionError(
                f"--model {options.model}: expected the folder of a version, with saved_model.pb in it"
            )
        return options.model.resolve()
    folder = serving_folder(ARTIFACTS, PURCHASE_MODEL.name)
    champion = versions.champion(ARTIFACTS, PURCHASE_MODEL.name)
    if champion is None:
        raise BadOptionError(
            f"there is no model in {folder}; `python -m pipeline.run` makes one, or give --model FOLDER"
        )
    return (folder / str(champion)).resolve()


def _contract(model: Path) -> Contract:
    """The contract that the model was trained with."""
    from data.contract import Contract
    from data.model_folder import CONTRACT, ModelFolder

    file = ModelFolder(model).extra(CONTRACT)
    try:
        return Contract.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise BadOptionError(f"{file}: the model's contract cannot be read: {error}") from error


def _outputs(model: Path) -> tuple[str, ...]:
    """The outputs of the model that are one value for each row."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    from data.model_spec import RAW_SIGNATURE

    graph = SavedModel.FromString((model / "saved_model.pb").read_bytes()).meta_graphs[0]
    outputs = graph.signature_def[RAW_SIGNATURE].outputs
    return tuple(sorted(name for name, tensor in outputs.items() if len(tensor.tensor_shape.dim) == 1))


def _resume(job: Job, tasks: Sequence[Task], incoming: Path) -> int:
    """Empties the folder, unless an earlier command began just this job; returns how many of its parts are done."""
    files = {task.file: Path(task.file).stat() for task in tasks}
    document = {
        "job": dataclasses.asdict(job),
        "files": {name: [stat.st_size, stat.st_mtime_ns] for name, stat in files.items()},
        "tasks": [dataclasses.asdict(task) for task in tasks],
    }
    text, note = json.dumps(document), incoming / "job.json"
    if note.exists() and note.read_text(encoding="utf-8") == text and not job.failed:
        return sum(job.outcome(task.number) is not None for task in tasks)
    for path in incoming.iterdir():
        if path.name not in (LOG, LOCK):
            path.unlink()
    note.write_text(text, encoding="utf-8")
    return 0


def _score(job: Job, tasks: Sequence[Task], engine: Engine) -> None:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.scoring.worker import ScoreParts

    with beam.Pipeline(options=PipelineOptions(list(engine.beam_args))) as pipeline:
        pipeline | beam.Create(tasks) | beam.Reshuffle() | beam.ParDo(ScoreParts(job))


@contextmanager
def _progress(job: Job, tasks: Sequence[Task], screen: Screen) -> Iterator[None]:
    """Shows how many parts are done, wherever their workers are, since they share the folder."""
    stop = threading.Event()
    with screen.bar("scoring", sum(task.part.end - task.part.start for task in tasks)) as advance:

        def watch() -> None:
            left, stopped = list(tasks), False
            while left and not stopped:
                stopped = stop.wait(0.5)
                done = [task for task in left if job.outcome(task.number)]
                advance(sum(task.part.end - task.part.start for task in done))
                left = [task for task in left if task not in done]

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _account(outcomes: Sequence[Outcome], parts: int, quarantine: bool) -> int:
    """The number of scored rows.

    Raises:
      BadFileError: a file cannot be read, there are bad rows (any without quarantine, 1 % and more with it), or no row.
    """
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        raise BadFileError("\n".join(errors))
    rows, bad = sum(outcome.rows for outcome in outcomes), sum(outcome.bad for outcome in outcomes)
    if bad and not (quarantine and bad * 100 < MOST_QUARANTINED_PERCENT * (rows + bad)):
        messages = [message for outcome in outcomes for message in outcome.messages][:20]
        advice = f"--quarantine takes less than {MOST_QUARANTINED_PERCENT} %" if quarantine else "or --quarantine"
        raise BadFileError("\n".join([f"rows cannot be read; correct them, {advice}", *messages]))
    if not rows:
        raise BadFileError("the files have headers but no rows")
    if len(outcomes) < parts:
        raise RuntimeError(f"{parts - len(outcomes)} of {parts} parts were not scored")
    return rows


def _conclude(job: Job, tasks: Sequence[Task], incoming: Path, out: Path, rows: int, bad: int) -> None:
    """Gives the folder its name."""
    from data.csv_rows import BAD_COLUMNS

    if bad:
        with (incoming / QUARANTINE).open("wb") as merged:
            merged.write((",".join(BAD_COLUMNS) + "\n").encode())
            for task in tasks:
                if (part := job.set_aside(task.number)).exists():
                    merged.write(part.read_bytes())
    manifest = Manifest(
        model=job.model,
        written=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        files=tuple(dict.fromkeys(task.file for task in tasks)),
        plan=dict(job.plan),
        outputs=job.outputs,
        rows=rows,
        quarantined=bad,
        parts=tuple(job.result(task.number).name for task in tasks),
    )
    text = json.dumps(dataclasses.asdict(manifest), indent=1, ensure_ascii=False)
    (incoming / MANIFEST).write_text(text, encoding="utf-8")
    kept = {MANIFEST, QUARANTINE, *manifest.parts}
    for path in incoming.iterdir():
        if path.name not in kept:
            path.unlink()
    incoming.replace(out)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds off another command with the same result.

    Raises:
      BadOptionError: one is running.
    """
    import fcntl

    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadOptionError(f"{folder}: another command is writing this result") from None
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.score",
        description="Scores files of millions of customers with a pushed model, without a server.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        required=True,
        metavar="FILE|FOLDER|URL",
        help="CSV or Parquet files of customers, also in an object store (s3://bucket/key)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the result; new or empty")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="a version's folder (default: the champion)")
    parser.add_argument(
        "--format", choices=("parquet", "csv"), default="parquet", help="of the result (default: %(default)s)"
    )
    parser.add_argument(
        "--at-call",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="the value of a column that describes the call, for all rows, such as contact=cellular; may be repeated",
    )
    add_engine_option(parser)
    parser.add_argument("--quarantine", action="store_true", help="set bad rows aside while they are below 1 %%")
    return parser


if __name__ == "__main__":
    sys.exit(main())
