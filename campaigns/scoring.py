"""Scores the list of a campaign with the model that serves, and ranks it.

The list is read twice as a stream and never lies in memory whole: first every row is checked, then batches of rows go
to the model server and into the store. A run goes on after the last row in the store, so that a list can be scored by
several runs, one after the other, without a lost or a doubled row.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from sqlalchemy import Engine

from campaigns import groups, lists, standing
from campaigns.context import caller, request_id
from campaigns.records import Bad, Campaign, Scored
from campaigns.request_log.queue import RequestLog
from campaigns.scorer import Answers, Scorer
from campaigns.served import ServedModel, ask, contract_from_json
from campaigns.store import campaigns, customers
from campaigns.store.errors import StoreDownError
from data import reader
from data.contract import Contract, Role
from data.errors import BadFileError, ExpectedError, NotReadyError, RefusedError, ServiceError
from data.model_spec import SEGMENT_MODEL

BATCH_ROWS = 2_000
"""Rows of one request and of one transaction of the store."""
RETRY_SECONDS = 5.0
"""From one attempt to reach the model server to the next."""
MOST_FAULTS = 20
"""Bad rows that a problem quotes; the store has all of them."""

_log = logging.getLogger(__name__)


def run(
    engine: Engine,
    campaign_id: int,
    file: Path,
    server: str,
    artifacts: Path,
    stop: Event,
    log: RequestLog | None = None,
) -> None:
    """Scores a campaign's list from where an earlier run ended, and ranks it.

    The campaign is `ranked` in the end, or `failed` with the problem in words. While the model server does not answer,
    the campaign stays `scoring`, its problem says so, and the run tries again every RETRY_SECONDS.

    Args:
      engine: the store.
      campaign_id: of a campaign that is waiting or scoring.
      file: its list.
      server: address of the model server.
      artifacts: the folder that runs write to, where the served version's contract and profile are if it is here.
      stop: ends the run after the current batch when it is set; the campaign stays `scoring`.
      log: takes an entry for each batch that is in the store.

    Raises:
      StoreDownError: the database does not answer; another run goes on later.
    """
    campaign = campaigns.get(engine, campaign_id)
    if campaign is None:
        raise ValueError(f"there is no campaign {campaign_id}")
    campaigns.update(engine, campaign_id, state="scoring")
    job = _Job(engine, campaign, file, server, artifacts, stop, log)
    _log.info("campaign %d: scoring %s", campaign_id, campaign.source)
    try:
        contract = contract_from_json(campaign.contract)
        good = _check(job, lists.of_list(contract))
        while not stop.is_set():
            try:
                _score(job, contract, good)
                return
            except (RefusedError, StoreDownError):
                raise
            except ServiceError as error:
                problem = (
                    f"{error}\nThe model server does not answer now. The desk tries again every {RETRY_SECONDS:g} "
                    "seconds and goes on where it was."
                )
                _log.warning("campaign %d: %s", campaign_id, error)
                campaigns.update(engine, campaign_id, problem=problem)
                stop.wait(RETRY_SECONDS)
    except StoreDownError:
        raise
    except ExpectedError as error:
        problem = lists.renamed(str(error), file, campaign.source)
        _log.warning("campaign %d failed: %s", campaign_id, problem)
        campaigns.update(engine, campaign_id, state="failed", problem=problem)


@dataclass(frozen=True)
class _Job:
    engine: Engine
    campaign: Campaign
    file: Path
    server: str
    artifacts: Path
    stop: Event
    log: RequestLog | None

    def update(self, **fields: Any) -> None:
        campaigns.update(self.engine, self.campaign.id, **fields)


def _check(job: _Job, rules: Contract) -> int:
    """Reads the whole list, counts its rows, and stores the bad ones.

    Returns:
      The number of good rows; 0 if the run is stopped.

    Raises:
      BadFileError: rows are bad and are not to be set aside, or no row is good.
    """
    rows = bad = 0
    faults: list[str] = []
    for block in reader.read(job.file, rules, Role.CUSTOMERS, plan=job.campaign.terms.plan):
        if job.stop.is_set():
            return 0
        found = [replace(row, file=job.campaign.source) for row in block.bad]
        if found:
            campaigns.add_bad(job.engine, job.campaign.id, [Bad(row.line, str(row), row.row) for row in found])
        faults += map(str, found[: MOST_FAULTS - len(faults)])
        bad += len(found)
        rows += block.batch.num_rows + len(found)
        # An earlier run may have counted the whole list; a count never falls.
        job.update(rows=max(rows, job.campaign.rows), bad=max(bad, job.campaign.bad))
    if bad and (bad == rows or not job.campaign.terms.quarantine):
        more = f"\nand {bad - len(faults):,} more bad rows" if bad > len(faults) else ""
        hint = "correct them" if bad == rows else "correct them, or let bad rows be set aside"
        raise BadFileError("\n".join(faults) + f"{more}\n{bad:,} of {rows:,} rows are bad; {hint}")
    return rows - bad


def _score(job: _Job, contract: Contract, good: int) -> None:
    """Scores the rows that have no probability yet, then ranks all good rows.

    Raises:
      RefusedError, BadFileError, NotReadyError: it cannot be done.
      ServiceError: the model server does not answer now.
    """
    id = job.campaign.id
    names = reader.header(job.file, contract.source.trim)[0]
    model = _purchase_model(job, contract)
    segments = _segment_model(job, contract, names)
    rules = lists.of_list(contract)
    identifier = lists.identifier_column(contract, names)
    if identifier is None:
        _log.info("campaign %d: no column identifies customers, so row numbers do", id)
    with Scorer(job.server, model, segments, rules, identifier) as scorer:
        for batch, answers in _answered(scorer, _batches(job, rules, customers.last_row(job.engine, id))):
            chunk = scorer.customers(batch.rows, batch.values, batch.cells, answers)
            customers.add(job.engine, id, chunk)
            if job.log:
                job.log.add(_entry(job, batch, answers, model, identifier))
            job.update(scored=batch.scored, problem=None)
            if job.stop.is_set():
                return
    customers.rank(job.engine, id)
    groups.divide(job.engine, id, contract)
    standing.note(job.engine, job.artifacts, id)
    job.update(state="ranked", scored=good, problem=None)


@dataclass(frozen=True)
class _Batch:
    """Good rows of a list.

    Attributes:
      rows: their places in the file, from 1.
      values, cells: see `data.reader.Block`.
      scored: good rows up to the end of the batch.
    """

    rows: list[int]
    values: pa.RecordBatch
    cells: pa.RecordBatch
    scored: int


def _batches(job: _Job, rules: Contract, after: int) -> Iterator[_Batch]:
    """The good rows of a list in batches, from the row after the given one."""
    first, scored = 1, 0
    for block in reader.read(job.file, rules, Role.CUSTOMERS, plan=job.campaign.terms.plan):
        assert block.cells is not None
        size = block.batch.num_rows + len(block.bad)
        rows = np.delete(np.arange(first, first + size), [bad.index for bad in block.bad])
        done = int(np.searchsorted(rows, after, side="right"))
        for start in range(done, len(rows), BATCH_ROWS):
            places = rows[start : start + BATCH_ROWS].tolist()
            yield _Batch(
                places,
                block.batch.slice(start, BATCH_ROWS),
                block.cells.slice(start, BATCH_ROWS),
                scored + start + len(places),
            )
        first, scored = first + size, scored + len(rows)


def _entry(job: _Job, batch: _Batch, answers: Answers, model: ServedModel, identifier: str | None) -> Scored:
    """A batch for the request log; a row's number in the file is no identifier of a customer."""
    cells = batch.cells.column(identifier).to_pylist() if identifier else [""] * len(batch.rows)
    inputs = None
    if job.log and job.log.keeps_inputs:
        columns = [batch.values.column(name).to_pylist() for name in model.inputs]
        rows = zip(*columns, strict=True)
        inputs = [orjson.dumps(dict(zip(model.inputs, row, strict=True))).decode() for row in rows]
    return Scored(
        time=time.time(),
        request=request_id.get(),
        caller=caller.get(),
        campaign_id=job.campaign.id,
        identifiers=[cell or None for cell in cells],
        model=model.name,
        version=model.version,
        probabilities=answers.probabilities,
        purchases=answers.purchases,
        seconds=answers.seconds,
        inputs=inputs,
    )


def _answered(scorer: Scorer, batches: Iterator[_Batch]) -> Iterator[tuple[_Batch, Answers]]:
    """Each batch with its answers; the models already work on the next batch meanwhile."""
    before: tuple[_Batch, Future[Answers]] | None = None
    with ThreadPoolExecutor(max_workers=1) as pool:
        for batch in batches:
            future = pool.submit(scorer.ask, batch.values, batch.cells)
            if before:
                yield before[0], before[1].result()
            before = batch, future
        if before:
            yield before[0], before[1].result()


def _purchase_model(job: _Job, contract: Contract) -> ServedModel:
    """The purchase model that serves now; it is noted with the campaign.

    One version scores the whole list: what another version has scored is removed.

    Raises:
      NotReadyError: it takes columns that the list was not checked for.
      ServiceError: see `campaigns.served.ask`.
    """
    model = ask(job.server, job.artifacts)
    if unknown := sorted(model.inputs.keys() - contract.features()):
        raise NotReadyError(
            f"{model.name} {model.version}, which serves now, takes columns that the list was not checked for: "
            f"{', '.join(unknown)}. Upload the list again."
        )
    noted = campaigns.get(job.engine, job.campaign.id)
    if noted and noted.version not in (None, model.version):
        _log.warning("campaign %d: version %s serves now, scoring starts over", job.campaign.id, model.version)
        customers.clear(job.engine, job.campaign.id)
    job.update(model=model.name, version=model.version)
    return model


def _segment_model(job: _Job, contract: Contract, names: Sequence[str]) -> ServedModel | None:
    """The segment model, if one serves and the list has its inputs."""
    try:
        model = ask(job.server, job.artifacts, SEGMENT_MODEL.name)
    except ServiceError as error:
        _log.info("campaign %d has no segments: %s", job.campaign.id, error)
        return None
    if missing := model.inputs.keys() - {*names, *job.campaign.terms.plan}:
        _log.info("campaign %d has no segments: the list lacks %s", job.campaign.id, ", ".join(sorted(missing)))
        return None
    known = contract.features()
    if any(is_text != (name in contract.categorical) for name, is_text in model.inputs.items() if name in known):
        _log.info("campaign %d has no segments: the two models read a column in different ways", job.campaign.id)
        return None
    return model
