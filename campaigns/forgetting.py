"""Removes one customer from the store, from training rows, from the request log and from its spool.

The ranks of the others close up, so that a ranked list has no gap, and the counts of a campaign go down with its rows.
Figures about many customers, such as stored performance, stay as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, func, select, update

from campaigns import lists, training
from campaigns.records import Campaign
from campaigns.request_log import key
from campaigns.request_log.rows import CUSTOMER
from campaigns.request_log.spool import FOLDER, Spool
from campaigns.served import contract_from_json
from campaigns.store import groups, tables
from campaigns.store.campaigns import all_campaigns
from campaigns.store.database import in_chunks
from campaigns.store.tables import bad_rows, customers, outcomes, ranking, request_log
from data.errors import NotReadyError

_DELIMITERS = ",;\t|"
_BATCHES = 100
"""Of the request log that are looked through in one transaction."""


@dataclass(frozen=True)
class InCampaign:
    """What one campaign has of a customer.

    Attributes:
      campaign: its id and, for messages, its name.
      name: see above.
      rows: scored rows, by their places in the file.
      called: how many of them are on the frozen call list.
      outcomes: how many.
      bad: rows that were set aside, by their lines in the file.
      numbered: whether a row without an identifier of its own goes by this number; it is another customer's.
      waits: whether the list is still to be scored, so that the customer is in the uploaded file.
      ranked: whether the list is ranked.
    """

    campaign: int
    name: str
    rows: tuple[int, ...]
    called: int
    outcomes: int
    bad: tuple[int, ...]
    numbered: bool
    waits: bool
    ranked: bool

    @property
    def has_any(self) -> bool:
        return bool(self.rows or self.outcomes or self.bad)


@dataclass(frozen=True)
class InLog:
    """Rows of the request log, in the table and in the spool."""

    written: int
    spooled: int

    @property
    def any(self) -> bool:
        return bool(self.written or self.spooled)


def find(engine: Engine, folder: Path, identifier: str) -> list[InCampaign]:
    """What the campaigns have of a customer; those that have nothing are left out.

    Args:
      engine: the store.
      folder: of the desk.
      identifier: as it stands in the lists.
    """
    found = []
    for campaign in all_campaigns(engine)[::-1]:
        with engine.connect() as connection:
            one = _find(connection, campaign, folder, identifier)
        if one.has_any or one.numbered or one.waits:
            found.append(one)
    return found


def remove(engine: Engine, folder: Path, found: InCampaign, identifier: str) -> None:
    """Removes what a campaign has of a customer, all of it or nothing, and then its training rows.

    Args:
      engine: the store.
      folder: of the desk.
      found: of `find`; the list must not wait to be scored.
      identifier: as for `find`.
    """
    campaign = next(one for one in all_campaigns(engine) if one.id == found.campaign)
    with engine.begin() as connection:
        table = tables.campaigns
        # With this write the transaction holds the campaign until its end, in either database.
        connection.execute(update(table).where(table.c.id == campaign.id).values(id=campaign.id))
        now = _find(connection, campaign, folder, identifier)
        of = campaign.id
        ranks = connection.scalars(
            select(ranking.c.rank).where(ranking.c.campaign_id == of, ranking.c.row.in_(now.rows))
        ).all()
        connection.execute(delete(ranking).where(ranking.c.campaign_id == of, ranking.c.rank.in_(ranks)))
        connection.execute(delete(customers).where(customers.c.campaign_id == of, customers.c.row.in_(now.rows)))
        connection.execute(delete(bad_rows).where(bad_rows.c.campaign_id == of, bad_rows.c.line.in_(now.bad)))
        if now.outcomes:
            its = outcomes.c.campaign_id == of, outcomes.c.identifier == identifier
            connection.execute(delete(outcomes).where(*its))
        _close_up(connection, of, sorted(ranks))
        groups.remove(connection, of, ranks)
        fewer = {
            "rows": table.c.rows - len(now.rows) - len(now.bad),
            "scored": table.c.scored - len(now.rows),
            "bad": table.c.bad - len(now.bad),
            "problem": _without(campaign, now.bad),
        }
        connection.execute(update(table).where(table.c.id == of).values(fewer))
    training.write(engine, folder, campaign)


def find_in_log(engine: Engine, folder: Path, identifier: str) -> InLog:
    """How many rows the request log has of a customer.

    Raises:
      NotReadyError: the secret of the hashes is not here.
    """
    return _log(engine, folder, identifier, removes=False)


def remove_from_log(engine: Engine, folder: Path, identifier: str) -> InLog:
    """Removes a customer's rows from the request log and from its spool.

    Raises:
      NotReadyError: the secret of the hashes is not here.
    """
    return _log(engine, folder, identifier, removes=True)


def hashed(folder: Path, identifier: str) -> str:
    """The keyed hash under which the request log knows a customer."""
    return key.hasher(key.load(folder))(identifier)


def _log(engine: Engine, folder: Path, identifier: str, removes: bool) -> InLog:
    spool = Spool(folder / FOLDER)
    if not key.exists(folder):
        with engine.connect() as connection:
            used = connection.scalar(select(request_log.c.batch).where(request_log.c.customer.is_not(None)).limit(1))
        if used or spool.files():
            raise NotReadyError(
                f"the request log cannot be searched without its secret: neither {folder / key.FILE} nor "
                f"{key.VARIABLE} is there; run this on the desk's machine"
            )
        return InLog(0, 0)
    customer = hashed(folder, identifier)
    with spool.locked():  # the writer moves rows from the spool into the table, which is looked at after it
        if removes:
            spooled = spool.filter(lambda row: row[CUSTOMER] != customer)
        else:
            rows = [row for file in spool.files() for batch in spool.read(file)[0] for row in batch.rows]
            spooled = sum(row[CUSTOMER] == customer for row in rows)
    its = request_log.c.customer == customer
    with engine.connect() as connection:  # an index would double what the database does for each row
        written = connection.scalars(select(request_log.c.batch).where(its)).all()
    if removes:
        for part in in_chunks(sorted(set(written)), _BATCHES):
            with engine.begin() as connection:
                connection.execute(delete(request_log).where(request_log.c.batch.in_(part), its))
    return InLog(len(written), spooled)


def _find(connection: Connection, campaign: Campaign, folder: Path, identifier: str) -> InCampaign:
    of = campaign.id
    query = select(customers.c.row, customers.c.cells)
    its = query.where(customers.c.campaign_id == of, customers.c.identifier == identifier)
    listed = connection.execute(its.order_by(customers.c.row)).all()
    contract = contract_from_json(campaign.contract)
    names = connection.scalar(select(customers.c.cells).where(customers.c.campaign_id == of).limit(1)) or {}
    column = lists.identifier_column(contract, list(names))
    rows = tuple(row for row, cells in listed if column and cells[column] == identifier)
    called = select(func.count()).where(
        ranking.c.campaign_id == of, ranking.c.row.in_(rows), ranking.c.called.is_not(None)
    )
    numbered = len(rows) < len(listed)
    known = select(func.count()).where(outcomes.c.campaign_id == of, outcomes.c.identifier == identifier)
    place = list(names).index(column) if column else None
    lacking = {*campaign.terms.plan, *contract.derived_columns}  # columns that the file may lack
    columns = range(len(names) - len(lacking), len(names) + 1)
    aside = select(bad_rows.c.line, bad_rows.c.text).where(bad_rows.c.campaign_id == of)
    return InCampaign(
        campaign=of,
        name=campaign.terms.name,
        rows=rows,
        called=connection.scalar(called) or 0,
        outcomes=0 if numbered and not rows else connection.scalar(known) or 0,
        bad=tuple(
            line
            for line, text in connection.execute(aside.where(bad_rows.c.text.contains(identifier, autoescape=True)))
            if _names(text, identifier, place, columns)
        ),
        numbered=numbered,
        waits=campaign.state in ("waiting", "scoring") and _may_be_in(lists.place(folder, of), identifier),
        ranked=campaign.state in ("ranked", "frozen"),
    )


def _names(text: str, identifier: str, place: int | None, columns: range) -> bool:
    """Whether a row as it stands in a file is a customer's.

    Args:
      text: the row.
      identifier: of the customer.
      place: of the column with identifiers; None where it is not known, then any cell counts.
      columns: how many the rows of the file may have; in a row with more or less, any cell counts.
    """
    for cells in _readings(text):
        if place is None or len(cells) not in columns:
            if len(cells) > 1 and identifier in cells:
                return True
        elif cells[place] == identifier:
            return True
    return text == identifier


def _readings(text: str) -> Iterator[list[str]]:
    """The cells of a row by each delimiter that a list may have."""
    for delimiter in _DELIMITERS:
        if delimiter in text:
            for cells in csv.reader([text], delimiter=delimiter):
                yield [cell.strip().strip('"') for cell in cells]


def _may_be_in(file: Path, identifier: str) -> bool:
    """Whether a file has a customer, or is elsewhere, so that it cannot be known: in another desk's folder, for one."""
    try:
        with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            return any(identifier in line and _names(line.rstrip("\r\n"), identifier, None, range(0)) for line in lines)
    except FileNotFoundError:
        return True


def _close_up(connection: Connection, campaign_id: int, gone: Sequence[int]) -> None:
    """Lowers the ranks above removed ones, so that ranks have no gaps.

    Both databases check after each row that a rank is not there twice, so ranks are moved by way of negative ones.
    """
    if not gone:
        return
    of, rank = ranking.c.campaign_id == campaign_id, ranking.c.rank
    for fewer, (first, following) in enumerate(zip(gone, [*gone[1:], None], strict=True), 1):
        between = rank > first if following is None else rank.between(first + 1, following - 1)
        connection.execute(update(ranking).where(of, between).values(rank=fewer - rank))
    connection.execute(update(ranking).where(of, rank < 0).values(rank=-rank))


def _without(campaign: Campaign, bad: Sequence[int]) -> str | None:
    """The problem of a campaign without the lines that quote removed rows."""
    if campaign.problem is None:
        return None
    quoted = tuple(f"{campaign.source}:{line}:" for line in bad)
    return "\n".join(line for line in campaign.problem.split("\n") if not line.startswith(quoted))
