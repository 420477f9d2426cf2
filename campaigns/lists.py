"""Lists of customers as files: where an uploaded file is kept, and what its columns must be."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from data import plan as plans
from data import reader
from data.contract import Contract, Role
from data.errors import BadFileError

LARGEST_LIST = 1 << 30
"""Bytes of the largest file that is taken."""
LONGEST_NAME = 120
"""Characters of a file's name that are kept."""
LONGEST_IDENTIFIER = 500
"""Characters; an index of PostgreSQL takes about 2,700 bytes."""
IDENTIFIERS = ("id", "customer_id", "cust_id")
"""Names, in any case, of a column that identifies customers where the contract names none."""
PART = ".part"
"""Suffix of a file that is still being written."""
_CHUNK = 1 << 20


def file_name(name: str | None) -> str:
    """A file's name as a person has it, without the folders and control characters that a browser may send along."""
    last = PurePosixPath(PureWindowsPath(name or "").name).name
    kept = re.sub(r"[^\w .,()+-]", "_", last).strip(" .")[-LONGEST_NAME:]
    return kept or "list.csv"


def check_upload(stream: BinaryIO, filename: str | None, folder: Path) -> Path:
    """Writes an uploaded list to a file of its own, which `campaigns.uploads` then keeps.

    Args:
      stream: what is uploaded, from its start.
      filename: as the person has it, for messages; the file gets another name.
      folder: for uploads; it is made if it is not there.

    Returns:
      The file. It is gone where an error is raised.

    Raises:
      BadFileError: the file is larger than LARGEST_LIST, or it has no header that can be read as CSV.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, size = folder / f"{uuid.uuid4().hex}{PART}", 0
    try:
        with file.open("xb") as output:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > LARGEST_LIST:
                    raise BadFileError(
                        f"{file}: the file is larger than {LARGEST_LIST >> 20:,} MB; divide it into several lists"
                    )
                output.write(chunk)
        reader.header(file)
    except BaseException as error:
        file.unlink(missing_ok=True)
        if isinstance(error, BadFileError):
            raise BadFileError(renamed(str(error), file, file_name(filename))) from error
        raise
    return file


def renamed(text: str, file: Path, name: str) -> str:
    """A message about a file with the name that the person knows."""
    return text.replace(str(file), name)


def place(folder: Path, campaign_id: int) -> Path:
    """Where the list of a campaign is."""
    return folder / f"{campaign_id}.csv"


def remove_broken_off(folder: Path) -> None:
    """Removes uploads that were broken off because the desk was killed."""
    for file in folder.glob(f"*{PART}"):
        file.unlink(missing_ok=True)


def check(file: Path, name: str, contract: Contract, plan: Mapping[str, str]) -> None:
    """Makes sure that a file has the columns of a list, and rows; the rows are checked when the list is scored.

    Args:
      file: the uploaded list.
      name: how messages speak of it.
      contract: of the served model.
      plan: see `Terms.plan`.

    Raises:
      BadFileError: it does not.
      BadOptionError: see `data.plan.values`.
    """
    plans.values(contract, plan)
    try:
        reader.check(file, plans.unplanned(of_list(contract), plan), Role.CUSTOMERS)
    except BadFileError as error:
        raise BadFileError(renamed(str(error), file, name)) from error


def of_list(contract: Contract) -> Contract:
    """The contract of a list: the columns that are read, with the contract's rules."""
    known = contract.features()
    numeric = {name: rule for name, rule in contract.numeric.items() if name in known}
    categorical = {name: rule for name, rule in contract.categorical.items() if name in known}
    return contract.model_copy(update={"numeric": numeric, "categorical": categorical, "after_call": ()})


def identifier_column(contract: Contract, names: Sequence[str]) -> str | None:
    """The column that identifies customers: the contract's, else one of IDENTIFIERS; None where the file has none."""
    for name in contract.identifiers:
        if name in names:
            return name
    lowered = {name.casefold(): name for name in reversed(names)}
    return next((lowered[name] for name in IDENTIFIERS if name in lowered), None)
