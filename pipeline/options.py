"""Command-line options that several commands of this package share."""

from __future__ import annotations

import argparse
from pathlib import Path

from data.paths import ARTIFACTS

SEED = 42


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """`--data`, `--contract` and `--with-after-call`: which rows, and which of their columns."""
    parser.add_argument(
        "--data",
        metavar="FILE|FOLDER|NAME",
        help="a CSV file, a folder of them, or bank-full / bank-additional to download (default: the synthetic sample)",
    )
    parser.add_argument("--contract", metavar="FILE|NAME", help="what the columns mean (default: found by the header)")
    parser.add_argument(
        "--with-after-call",
        "--with-duration",
        action="store_true",
        help="also use columns known only after the call, such as its duration; for comparison with published figures",
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


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
