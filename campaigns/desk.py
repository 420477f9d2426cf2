"""What a person can do with the desk, for its pages and for its JSON API."""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import numpy as np
from sqlalchemy import Engine

from analysis.campaign_results import Results
from analysis.campaigns import CallPlan
from campaigns import groups, lists, performance, sample_list, standing, terms, training, what_if
from campaigns.call_list import choose
from campaigns.explaining import explain
from campaigns.export import Call
from campaigns.groups import GroupShares
from campaigns.jobs import Worker
from campaigns.outcome_file import read_outcomes
from campaigns.ranked_lists import RankedLists
from campaigns.reasons import Reasons, reasons
from campaigns.records import Campaign, Customer, Terms
from campaigns.request_log.queue import RequestLog
from campaigns.served import ServedModel, ask, contract_from_json, contract_to_json, profile_of
from campaigns.settings import Settings
from campaigns.store import audit, campaigns, customers, outcomes, removal
from campaigns.store.errors import StateError
from campaigns.store.outcomes import Recorded
from campaigns.typical import Absent, Typical, nearest
from campaigns.uploads import Uploads
from campaigns.what_if import Choice
from data import reader
from data.errors import BadFileError, UserError
from runs.summary import PurchaseSummary
from serving.client import Explanation

EXPLAINED_ROWS = 1_000
"""Customers of one request for reasons."""
REMOVAL_SECONDS = 2.0
"""How long a request waits for the removal of a campaign."""

_log = logging.getLogger(__name__)


class NotFoundError(UserError):
    """There is no such campaign or customer."""


@dataclass(frozen=True)
class Explained:
    """Why a customer has the probability: what each column contributes, and the strongest reasons in words."""

    explanation: Explanation
    reasons: Reasons


@dataclass(frozen=True)
class Desk:
    """The desk behind its addresses.

    Attributes:
      settings: as it was started.
      engine: the store.
      uploads: lists that are still to be scored.
      worker: scores lists in the background.
      log: takes every customer that is scored.
      lists: the ranked lists that were asked for last.
    """

    settings: Settings
    engine: Engine
    uploads: Uploads
    worker: Worker
    log: RequestLog
    lists: RankedLists = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lists", RankedLists(self.engine))

    def served(self) -> ServedModel:
        """The model that serves.

        Raises:
          ServiceError: the model server has none, or does not answer.
        """
        return ask(self.settings.server, self.settings.artifacts)

    def run(self, version: str | None) -> PurchaseSummary | None:
        """The run that pushed a version of the model, where it is known."""
        return standing.run_of(self.settings.artifacts, version)

    def calibration_error(self, campaign: Campaign) -> float | None:
        """Of the version that scored a list, on the test split of its run, where that is known."""
        return standing.calibration_error(self.settings.artifacts, campaign)

    def campaign(self, campaign_id: int) -> Campaign:
        """Raises NotFoundError where there is no such campaign."""
        found = campaigns.get(self.engine, campaign_id)
        if found is None:
            raise NotFoundError(f"there is no campaign {campaign_id}")
        return found

    def ranked(self, campaign_id: int) -> Campaign:
        """A campaign whose list is ranked.

        Raises:
          NotFoundError: there is no such campaign.
          StateError: its list is not ranked yet.
        """
        found = self.campaign(campaign_id)
        if found.state not in ("ranked", "frozen"):
            raise StateError(f"campaign {campaign_id} is {found.state}, not ranked")
        return found

    def start(self, answers: Mapping[str, str], stream: BinaryIO, filename: str | None) -> Campaign:
        """Starts a campaign with an uploaded list; the list is scored in the background.

        Args:
          answers: see `terms.read`.
          stream: the uploaded list, from its start.
          filename: as the person has it.

        Raises:
          UserError: an answer or the list is wrong.
          ServiceError: no model serves.
        """
        served = self.served()
        contract = served.contract
        decided = terms.read(answers, contract)
        folder, name = self.settings.folder, lists.file_name(filename)
        file = lists.check_upload(stream, filename, folder)
        try:
            decided = terms.with_list_size(decided, served, reader.header(file, contract.source.trim)[0])
            lists.check(file, name, contract, decided.plan)
            campaign = campaigns.create(self.engine, decided, name, contract_to_json(contract))
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        try:
            self.uploads.keep(file, campaign.id)
        except BaseException as error:
            file.unlink(missing_ok=True)
            campaigns.update(self.engine, campaign.id, state="failed", problem=str(error))
            raise
        self.worker.submit(campaign.id)
        return campaign

    def start_with_sample(self, answers: Mapping[str, str]) -> Campaign:
        """Starts a campaign with made-up customers that fit the served model.

        Args and raises: as for :meth:`start`; a campaign without a name is named after the sample.
        """
        text = sample_list.text(self.served()).encode()
        named = {**answers, "name": answers.get("name") or sample_list.NAME}
        return self.start(named, io.BytesIO(text), sample_list.NAME)

    def plan(self, campaign: Campaign, tried: Terms | None = None) -> CallPlan:
        """What the calls of a ranked campaign will bring by its terms, or by others that are only tried."""
        found = self.lists.get(campaign.id)
        return standing.planned(found, tried or campaign.terms, self.calibration_error(campaign))

    def tried_terms(self, campaign: Campaign, answers: Mapping[str, str]) -> Terms:
        """The campaign's terms with some answers about money and calls, which are not kept.

        Raises:
          BadOptionError: an answer is wrong.
        """
        return terms.revised(campaign.terms, {**terms.answers(campaign.terms), **answers})

    def groups(self, campaign: Campaign, tried: Terms | None = None) -> list[GroupShares]:
        """Shares of the groups of sensitive columns in a ranked list and in its call list."""
        found = self.lists.get(campaign.id)
        if campaign.state == "frozen":
            called = customers.called_ranks(self.engine, campaign.id)
        else:
            best, control = choose(found.probabilities, tried or campaign.terms, campaign.id)
            called = np.concatenate([np.arange(1, best + 1), np.array(control, np.int64)])
        return groups.compare(contract_from_json(campaign.contract), found.groups, called)

    def change_terms(self, campaign_id: int, answers: Mapping[str, str]) -> None:
        """Changes cost, margin, calls and control group.

        Raises:
          UserError: an answer is wrong, or the campaign's state does not allow it.
        """
        campaign = self.ranked(campaign_id)
        campaigns.change_terms(self.engine, campaign_id, terms.revised(campaign.terms, answers))
        standing.note(self.engine, self.settings.artifacts, campaign_id)

    def freeze(self, campaign_id: int) -> None:
        """Marks the call list by the campaign's terms and freezes it.

        Raises:
          UserError: there is no such campaign, or it is not ranked, or frozen already.
        """
        campaign = self.ranked(campaign_id)
        best, control = choose(self.lists.get(campaign_id).probabilities, campaign.terms, campaign_id)
        customers.freeze(self.engine, campaign_id, best, control)
        self._refresh(campaign_id)

    def explained(self, campaign: Campaign, who: Sequence[Customer]) -> list[Explained] | None:
        """Why customers have their probabilities; None where the model that scored the list does not say it now."""
        contract = contract_from_json(campaign.contract)
        answers = explain(self.settings.server, campaign, contract, who)
        if answers is None:
            return None
        return [
            Explained(answer, reasons(answer.contributions, customer.cells, contract))
            for answer, customer in zip(answers, who, strict=True)
        ]

    def customer(self, campaign_id: int, row: int) -> Customer:
        """A scored customer by its row in the file.

        Raises:
          NotFoundError: there is no such campaign or row.
        """
        found = customers.one(self.engine, self.campaign(campaign_id).id, row)
        if found is None:
            raise NotFoundError(f"campaign {campaign_id} has no row {row}")
        return found

    def choices(self, campaign: Campaign, who: Customer) -> dict[str, list[Choice]] | None:
        """What the model expects of other calls than the planned one, see `campaigns.what_if.choices`."""
        profile = profile_of(self.settings.artifacts, campaign.model, campaign.version)
        return what_if.choices(self.settings.server, campaign, contract_from_json(campaign.contract), who, profile)

    def typical(self, campaign: Campaign, who: Customer) -> tuple[Typical, ...] | Absent:
        """The typical customers nearest to a customer, see `campaigns.typical.nearest`."""
        contract = contract_from_json(campaign.contract)
        return nearest(self.settings.server, self.settings.artifacts, campaign, contract, who)

    def calls(self, campaign: Campaign) -> Iterator[Call]:
        """The frozen call list by rank with the reasons of its customers, which the model is asked for by and by."""
        called, says = customers.called(self.engine, campaign.id), True
        while chunk := list(islice(called, EXPLAINED_ROWS)):
            found = self.explained(campaign, chunk) if says else None
            says = found is not None  # a server that does not answer is not asked again for each part of the list
            for place, customer in enumerate(chunk):
                yield Call(customer, found[place].reasons if found else None)

    def record(self, campaign_id: int, stream: BinaryIO, filename: str | None) -> Recorded:
        """Records outcomes from an uploaded file.

        Raises:
          UserError: the call list is not frozen, or the file is wrong.
        """
        campaign = self.ranked(campaign_id)
        if campaign.state != "frozen":
            raise StateError(f"campaign {campaign_id}: outcomes can be recorded once its call list is frozen")
        label = contract_from_json(campaign.contract).label
        with tempfile.NamedTemporaryFile(dir=self.settings.folder, suffix=".csv") as copy:
            shutil.copyfileobj(stream, copy)
            copy.flush()
            file = Path(copy.name)
            try:
                found = read_outcomes(file, datetime.now(timezone.utc), label)
            except BadFileError as error:
                raise BadFileError(lists.renamed(str(error), file, lists.file_name(filename))) from error
        recorded = outcomes.record(self.engine, campaign_id, found.outcomes)
        standing.note(self.engine, self.settings.artifacts, campaign_id)
        self._refresh(campaign_id)
        self._write_training_rows(campaign_id)
        return recorded

    def catch_up(self) -> None:
        """Brings live performance and training rows up to date where an earlier desk did not."""
        for campaign_id in performance.stale(self.engine):
            self._refresh(campaign_id)
        for campaign_id in training.stale(self.engine, self.settings.folder):
            self._write_training_rows(campaign_id)

    def _refresh(self, campaign_id: int) -> None:
        """Brings live performance up to date."""
        with _logged(campaign_id, "live performance"):
            error = self.calibration_error(self.campaign(campaign_id)) or 0.0
            performance.refresh(self.engine, campaign_id, error)

    def _write_training_rows(self, campaign_id: int) -> None:
        """Brings training rows up to date."""
        with _logged(campaign_id, "training rows"):
            training.write(self.engine, self.settings.folder, self.campaign(campaign_id))

    def results(self, campaign: Campaign) -> Results | None:
        """What the calls of a ranked campaign brought so far; None where no outcome of a call is known."""
        return standing.brought(self.engine, campaign, self.calibration_error(campaign))

    def remove(self, campaign_id: int) -> None:
        """Removes a campaign with all that the desk knows of it but the request log and live performance.

        A long list is removed in small parts, so that others can write meanwhile; it may be gone only a while later.

        Raises:
          NotFoundError: there is no such campaign.
          StateError: it waits or is being scored.
        """
        campaign = self.campaign(campaign_id)
        if campaign.state in ("waiting", "scoring"):
            raise StateError(f"campaign {campaign_id} is {campaign.state}: cancel its scoring first")
        self.uploads.remove(campaign_id)
        training.remove(self.settings.folder, campaign_id)
        run = copy_context().run  # the audit log says who asked for it
        thread = Thread(target=run, args=(self._remove_rows, campaign), name="removal", daemon=True)
        thread.start()
        thread.join(REMOVAL_SECONDS)

    def _remove_rows(self, campaign: Campaign) -> None:
        try:
            removal.remove_campaign(self.engine, campaign.id, f"{campaign.terms.name} was deleted")
        except Exception:
            _log.exception("campaign %d could not be removed; delete it again", campaign.id)

    def cancel(self, campaign_id: int) -> None:
        """Cancels the scoring of a campaign; nothing happens to one that has come to its end."""
        if self.campaign(campaign_id).state in ("waiting", "scoring"):
            audit.add(self.engine, "cancel", f"campaign {campaign_id}")
        self.worker.cancel(campaign_id)


@contextmanager
def _logged(campaign_id: int, what: str) -> Iterator[None]:
    """Logs any error. What is computed here follows from what is stored already, and the next start repeats it."""
    try:
        yield
    except Exception:
        _log.exception("campaign %d: %s could not be brought up to date", campaign_id, what)
