"""Outcomes as training rows: calls with a known result, as the data contract has them, for the next training.

The rows of a campaign are one CSV file, `training/<id>.csv` in the desk's folder, that the strict reader takes as
TRAINING. The date of a call is the day on which the call list was frozen. A column that is known only after the call is
blank, since the desk never learns it; so is one that says when the call was and is not a part of its date, and an
identifier that the list did not have. Beside the file lies a manifest, `<id>.json`. A file whose rows change, because
outcomes came or were corrected, becomes a new revision, and the manifest keeps the hashes of the earlier ones.
`campaigns.outcome_spans` adds the rows to the spans that models are trained on.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TextIO

import orjson
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Engine

from campaigns.records import Campaign
from campaigns.served import contract_from_json
from campaigns.store import outcomes
from campaigns.store import performance as store
from campaigns.store.outcomes import Known
from data import call_dates
from data.contract import MISSING_TEXT, Contract

FOLDER = "training"
_LOCK = ".lock"


@dataclass(frozen=True)
class Revision:
    """An earlier state of a file: its number, from 1, its rows and hash, and when it was written."""

    number: int
    rows: int
    sha256: str
    written: datetime


@dataclass(frozen=True)
class Manifest:
    """What is in a file of training rows.

    Attributes:
      campaign: its number.
      name: of the campaign.
      contract: name of the data contract.
      model, version: that scored the list and so chose the customers.
      frozen: when the call list was frozen.
      last_outcome: when the last outcome was uploaded.
      written: when the file was written.
      revision: counted from 1, up with each change of the rows.
      sha256: of the file.
      rows: in the file; 0 where there is no file, since no result is known any more.
      buyers: among them.
      control_rows: the rows, from 1, of customers drawn at random; the others were called because of their rank.
      blank: columns without a value in any row, since they are known only after the call or say when it was.
      left_out: calls with a cell that the contract's way of writing CSV cannot hold.
      earlier: revisions that are gone.
      dated: whether the contract says how the date of a call follows from its row.
    """

    campaign: int
    name: str
    contract: str
    model: str
    version: str
    frozen: datetime
    last_outcome: datetime
    written: datetime
    revision: int
    sha256: str
    rows: int
    buyers: int
    control_rows: tuple[int, ...]
    blank: tuple[str, ...]
    left_out: int
    earlier: tuple[Revision, ...]
    dated: bool = False

    @property
    def day(self) -> date:
        """The date of the calls, in UTC."""
        return _day(self.frozen)


_MANIFEST = TypeAdapter(Manifest)


def file(folder: Path, campaign_id: int) -> Path:
    """Where the training rows of a campaign are; `folder` is the desk's."""
    return folder / FOLDER / f"{campaign_id}.csv"


def manifest(folder: Path, campaign_id: int) -> Manifest | None:
    """What is in the training rows of a campaign; None where there are none, or the manifest cannot be read."""
    try:
        return _MANIFEST.validate_json(_manifest_file(folder, campaign_id).read_bytes())
    except (OSError, ValidationError):
        return None


def manifests(folder: Path) -> list[Manifest]:
    """What is in the training rows of all campaigns, by number; manifests that cannot be read are left out."""
    ids = sorted(int(path.stem) for path in (folder / FOLDER).glob("*.json") if path.stem.isdecimal())
    return [found for id in ids if (found := manifest(folder, id))]


def write(engine: Engine, folder: Path, campaign: Campaign) -> Manifest | None:
    """Writes the training rows of a campaign where they have changed.

    Args:
      engine: the store.
      folder: of the desk.
      campaign: with a frozen call list.

    Returns:
      The manifest; None where no result was ever known, or the contract has no label.
    """
    contract = contract_from_json(campaign.contract)
    if contract.label is None or campaign.frozen is None:
        return None
    with _locked(folder):
        before = manifest(folder, campaign.id)
        last = outcomes.last_recorded(engine, [campaign.id])
        if last is None:
            if before is None:
                return None
            last = before.last_outcome  # those that came were of customers who are forgotten
        target = file(folder, campaign.id)
        part = target.with_suffix(".part")
        rows = _Rows(contract, call_dates.cells(_day(campaign.frozen), contract))
        with _private(part) as output:
            rows.write(outcomes.known(engine, campaign.id), output)
        sha256 = rows.sha256.hexdigest()
        same = before is not None and before.sha256 == sha256
        if rows.count:
            part.replace(target)
        else:
            part.unlink()
            target.unlink(missing_ok=True)
            if before is None:
                return None
        now = datetime.now(timezone.utc)
        found = Manifest(
            campaign=campaign.id,
            name=campaign.terms.name,
            contract=contract.name,
            model=campaign.model or "",
            version=campaign.version or "",
            frozen=campaign.frozen,
            last_outcome=last,
            written=before.written if before and same else now,
            revision=before.revision + (not same) if before else 1,
            sha256=sha256,
            rows=rows.count,
            buyers=rows.buyers,
            control_rows=tuple(rows.control),
            blank=rows.blank,
            left_out=rows.left_out,
            earlier=_earlier(before, same),
            dated=contract.call_date is not None,
        )
        _write_manifest(folder, found)
        return found


def stale(engine: Engine, folder: Path) -> list[int]:
    """The campaigns whose training rows lack an outcome."""
    frozen = {one.id for one in store.frozen(engine)}
    last = {id: time for id, time in store.last_outcomes(engine).items() if id in frozen}
    found = {id: manifest(folder, id) for id in last}
    return [id for id, one in found.items() if one is None or one.last_outcome < last[id]]


def remove(folder: Path, campaign_id: int) -> None:
    """Removes the training rows of a campaign, for when its list is removed."""
    for path in (file(folder, campaign_id), _manifest_file(folder, campaign_id)):
        path.unlink(missing_ok=True)


class _Rows:
    """Writes rows and counts them."""

    def __init__(self, contract: Contract, date_cells: Mapping[str, str]):
        self.label = contract.required_label
        self.columns = contract.training_header[:-1]
        self.date_cells = date_cells
        timing = [name for name in (*contract.calendar, *contract.clock) if name not in date_cells]
        self.blank = (*contract.after_call, *(name for name in timing if contract.may_be_blank(name)))
        self.delimiter = contract.source.delimiter
        self.quoted = contract.source.quoting != "none"
        self.sha256 = hashlib.sha256()
        self.count = self.buyers = self.left_out = 0
        self.control: list[int] = []

    def write(self, calls: Iterator[Known], output: TextIO) -> None:
        self._line((*self.columns, self.label.name), output)
        for call in calls:
            cells = self._cells(call.cells)
            if not self.quoted and any(self.delimiter in cell for cell in cells):
                self.left_out += 1
                continue
            self._line((*cells, self.label.positive if call.bought else self.label.negative), output)
            self.count += 1
            self.buyers += call.bought
            if call.control:
                self.control.append(self.count)

    def _cells(self, cells: Mapping[str, str]) -> list[str]:
        known = {**cells, **dict.fromkeys(self.blank, MISSING_TEXT), **self.date_cells}
        return [known.get(name, MISSING_TEXT) for name in self.columns]

    def _line(self, cells: tuple[str, ...], output: TextIO) -> None:
        if self.quoted:
            text = io.StringIO()
            csv.writer(text, delimiter=self.delimiter).writerow(cells)
            line = text.getvalue()
        else:
            line = self.delimiter.join(cells) + "\r\n"
        self.sha256.update(line.encode())
        output.write(line)


def _day(time: datetime) -> date:
    return time.astimezone(timezone.utc).date()


def _earlier(before: Manifest | None, same: bool) -> tuple[Revision, ...]:
    if before is None or same:
        return before.earlier if before else ()
    return (*before.earlier, Revision(before.revision, before.rows, before.sha256, before.written))


def _manifest_file(folder: Path, campaign_id: int) -> Path:
    return file(folder, campaign_id).with_suffix(".json")


def _write_manifest(folder: Path, found: Manifest) -> None:
    target = _manifest_file(folder, found.campaign)
    part = target.with_suffix(".json.part")
    with _private(part) as output:
        output.write(orjson.dumps(asdict(found)).decode())
    part.replace(target)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds off other writers, also those of other processes."""
    (folder / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / FOLDER / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _private(path: Path) -> Iterator[TextIO]:
    """Writes a file that nobody else may read, and has it on the disk at the end."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as output:
        yield output
        output.flush()
        os.fsync(output.fileno())
