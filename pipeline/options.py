"""Command-line options that several commands of this package share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection
from functools import partial
from pathlib import Path

from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import ARTIFACTS
from pipeline.engine import LOCAL
from runs.publish import KEEP

SEED = 42


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """`--data` and `--contract`: which rows, and what their columns mean."""
    parser.add_argument(
        "--data",
        metavar="FILE|FOLDER|URL|NAME",
        help="a CSV or Parquet file, a folder of them, either in an object store (s3://bucket/key), or bank-full / "
        "bank-additional to download (default: the synthetic sample)",
    )
    parser.add_argument("--contract", metavar="FILE|NAME", help="what the columns mean (default: found by the header)")


def add_columns_options(parser: argparse.ArgumentParser) -> None:
    """`--with-after-call` and `--with-calendar`: which columns."""
    parser.add_argument(
        "--with-after-call",
        "--with-duration",
        action="store_true",
        help="also use columns known only after the call, such as its duration; for comparison with published figures",
    )
    parser.add_argument(
        "--with-calendar",
        action="store_true",
        help="also use columns that say when the call was, such as its month; for comparison with figures on random "
        "splits, since a model that knows the month of past calls does not know that of the next",
    )


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """`--seed` and `--artifacts`."""
    parser.add_argument(
        "--seed", type=int, default=SEED, metavar="N", help="of everything random (default: %(default)s)"
    )
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=ARTIFACTS,
        metavar="FOLDER",
        help="where everything is written (default: artifacts/)",
    )


def add_engine_option(parser: argparse.ArgumentParser) -> None:
    """`--engine`: what runs Beam's part."""
    parser.add_argument(
        "--engine",
        metavar="NAME|FILE",
        default=LOCAL,
        help="what runs Beam's part: local, portable, flink, spark, dataflow (deploy/engines), or a file like these "
        "(default: %(default)s)",
    )


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def add_version_options(parser: argparse.ArgumentParser, model: str) -> None:
    """`--model-name`, `--replace-inputs`, `--keep`: of which model a blessed one becomes a version."""
    parser.add_argument(
        "--model-name",
        type=partial(_model_name, reserved={PURCHASE_MODEL.name, SEGMENT_MODEL.name} - {model}),
        default=model,
        metavar="NAME",
        help="the model to push a version of, in artifacts/serving and /v1/models (default: %(default)s)",
    )
    parser.add_argument(
        "--replace-inputs",
        action="store_true",
        help="push although the inputs differ from those of the newest version, so that its callers have to change",
    )
    parser.add_argument(
        "--keep",
        type=positive,
        default=KEEP,
        metavar="N",
        help="pushed versions to leave (default: %(default)s)",
    )


def add_push_options(parser: argparse.ArgumentParser, model: str) -> None:
    """Those of :func:`add_version_options`, and `--push-to`: where a blessed model goes."""
    add_version_options(parser, model)
    parser.add_argument(
        "--push-to",
        metavar="URL",
        help="push also to an object store, such as s3://bucket/models, from which `python -m serving.sync` serves",
    )


def add_rows_options(parser: argparse.ArgumentParser) -> None:
    """`--split`, `--quarantine`, `--last-row-counts`: how rows are treated."""
    parser.add_argument(
        "--split",
        choices=("random", "time"),
        default="random",
        help="70/15/15 by a stable hash of the row, or by file order with the newest rows as test (default: random)",
    )
    parser.add_argument("--quarantine", action="store_true", help="set bad rows aside while they are below 1 %%")
    parser.add_argument(
        "--last-row-counts",
        action="store_true",
        help="of rows with the same identifiers, keep only the last one",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that runs a pipeline: how rows are treated, the cache, who else gets the figures."""
    add_rows_options(parser)
    add_common_options(parser)
    add_engine_option(parser)
    parser.add_argument("--no-cache", dest="cache", action="store_false", help="recompute every stage")
    parser.add_argument(
        "--mlflow",
        metavar="URI",
        help="log the run to an MLflow server (http://HOST:PORT) or folder (file:FOLDER) as well",
    )
    parser.add_argument(
        "--archive", metavar="URL", help="copy summary and report to an object store as well, such as s3://bucket/runs"
    )
    parser.add_argument("--verbose", action="store_true", help="show what the libraries print")


def _model_name(text: str, reserved: Collection[str]) -> str:
    if text in reserved:
        raise argparse.ArgumentTypeError(f"{text} is the name of another kind of model")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", text):
        raise argparse.ArgumentTypeError(f"expected small letters, digits, '.', '_' and '-', got {text!r}")
    return text
