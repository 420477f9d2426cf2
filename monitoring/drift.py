"""Measures how far a list of customers has moved from the training split: `python -m monitoring.drift customers.csv`.

The exporter imports this module too. Arrow, pydantic and rich are therefore imported only when a list is measured or
shown, so that an exporter without lists stays small.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.bins import CategoryBins
from analysis.drift import MIN_ROWS, SHARES, Drift, Shift, measure
from analysis.profile import Counts, Profile
from data.command import DONE, guarded
from data.errors import BadFileError, NotReadyError
from data.model_folder import CONTRACT, ModelFolder, newest
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import ARTIFACTS, serving_folder

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.table import Table

    from data.contract import Contract

BLOCK_BYTES = 1 << 20
"""Read at once; small, since the exporter has little memory."""
LEAST_WIDTH = 72
"""Columns of the screen that the figures and a short name need."""


def of_list(file: Path, folder: ModelFolder) -> Drift:
    """The drift of a list of customers.

    Args:
      file: a CSV file with a column for each input of the model. It may have other columns; the column of the watched
        output is used if it is there, such as `probability`. `name`, which may be something else in a list, is used
        only beside `segment`. The size of the list (`data.list_size`) is compared only if it has columns for it.
      folder: the model version to compare with.

    Raises:
      BadFileError: the file, or a row of it, cannot be read.
      NotReadyError: the version has no reference profile or no contract.
    """
    from data import reader

    profile = Profile.of_version(folder)
    contract = _contract(folder, profile)
    names, _ = reader.header(file, contract.source.trim)
    profile = profile.without({*contract.derived_columns} - {*names})
    return measure(profile, _read(file, contract, profile))


def _contract(folder: ModelFolder, profile: Profile) -> Contract:
    """The contract of a version, with the inputs of the model as its only columns."""
    from data.contract import Contract

    try:
        contract = Contract.model_validate_json(folder.extra(CONTRACT).read_bytes())
    except (OSError, ValueError) as error:
        raise NotReadyError(f"{folder.path}: the version has no contract; push the model again") from error
    if not set(profile.features) <= {*contract.numeric, *contract.categorical}:
        raise NotReadyError(f"{folder.path}: contract and profile have other features; push the model again")
    numeric = {name: column for name, column in contract.numeric.items() if name in profile.features}
    categorical = {name: column for name, column in contract.categorical.items() if name in profile.features}
    return contract.model_copy(update={"numeric": numeric, "categorical": categorical, "after_call": ()})


def _read(file: Path, contract: Contract, profile: Profile) -> Counts:
    from data import reader
    from data.contract import Role

    counts = profile.counts()
    for block in reader.read(file, contract, role=Role.CUSTOMERS, block_bytes=BLOCK_BYTES):
        if block.bad:
            raise BadFileError(str(block.bad[0]))
        columns = {name: block.batch[name].to_numpy(zero_copy_only=False) for name in profile.features}
        counts.add(columns, _scores(file, block.cells, profile))
    return counts


def _scores(file: Path, cells: pa.RecordBatch | None, profile: Profile) -> np.ndarray | None:
    output = profile.output
    if cells is None or output not in cells.schema.names:
        return None
    column = cells[output].to_pylist()
    if isinstance(profile.score, CategoryBins):
        return np.array(column, object) if SEGMENT_MODEL.decision in cells.schema.names else None
    try:
        scores = np.array(column, np.float32)
    except ValueError as error:
        raise BadFileError(f"{file}: column {output!r}: {error}, expected a number") from error
    if not np.isfinite(scores).all():
        raise BadFileError(f"{file}: column {output!r}: not every score is finite, expected a number")
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring.drift", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="CSV file of customers")
    parser.add_argument("--model", default=PURCHASE_MODEL.name, help="name of the model, default %(default)s")
    parser.add_argument("--version", type=int, help="number of the version, default the newest")
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="as given to pipeline.run")
    arguments = parser.parse_args()
    models = serving_folder(arguments.artifacts, arguments.model)
    return guarded(lambda: _run(arguments.file, models, arguments.version))


def _run(file: Path, models: Path, version: int | None) -> int:
    from rich.console import Console

    folder = newest(models)
    if folder is None:
        raise NotReadyError(f"{models}: no model has been pushed yet; run the pipeline first")
    if version is not None:
        folder = ModelFolder(models / str(version))
        if not folder.path.is_dir():
            raise NotReadyError(f"{models}: there is no version {version}")
    drift = of_list(file, folder)
    console = Console()
    console.width = max(console.width, LEAST_WIDTH)
    console.print(f"{file.name}: {drift.rows:,} customers against the training split of version {folder.path.name}")
    console.print(_table(drift))
    if drift.texts:
        console.print(_segments(drift))
    if drift.mean_score is not None:
        console.print(f"Mean score {drift.mean_score:.4f}, in training {drift.reference_mean_score:.4f}")
    if absent := [name for name in Profile.of_version(folder).features if name not in drift.features]:
        console.print(f"Not compared, since the list has no such columns: {', '.join(absent)}")
    if drift.rows < MIN_ROWS:
        console.print(f"No verdict: fewer than {MIN_ROWS} rows.")
    return DONE


def _segments(drift: Drift) -> Table:
    """The share of the customers in each segment."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("segment", overflow="ellipsis")
    for heading in ("this list", "training"):
        table.add_column(heading, justify="right", no_wrap=True)
    for share in drift.texts:
        table.add_row(share.text, f"{share.recent:.1%}", f"{share.training:.1%}")
    return table


def _table(drift: Drift) -> Table:
    """The figures of each feature, the largest PSI first. Only the column of names gives way on a narrow screen."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("feature", overflow="ellipsis")
    for heading in ("PSI", "alarm\nline", "L-inf", "missing", "unseen", "out of\nrange"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    shifts: list[tuple[str, Shift]] = sorted(drift.features.items(), key=lambda item: -item[1].psi)
    if drift.score:
        shifts.append(("(segment)" if drift.texts else "(score)", drift.score))
    for name, shift in shifts:
        figures = [f"{value:.3f}" for value in (shift.psi, shift.line, shift.l_infinity)]
        shares = [f"{shift.shares[kind]:.1%}" if kind in shift.shares else "" for kind in SHARES]
        table.add_row(name, *figures, *shares, "[red]moved" if shift.alarm else "")
    return table


if __name__ == "__main__":
    sys.exit(main())
