"""What a person can do with the desk, for its pages and for its JSON API."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Engine

from analysis.campaign_results import Results
from analysis.campaigns import CallPlan, plan
from campaigns import lists, terms
from campaigns.call_list import choose
from campaigns.explaining import explain
from campaigns.jobs import Worker
from campaigns.outcome_file import read_outcomes
from campaigns.reasons import Reasons, reasons
from campaigns.records import Campaign, Customer
from campaigns.request_log.queue import RequestLog
from campaigns.results import results
from campaigns.served import ServedModel, ask, contract_from_json, contract_to_json
from campaigns.settings import Settings
from campaigns.store import audit, campaigns, customers, outcomes
from campaigns.store.errors import StateError
from campaigns.store.outcomes import Recorded
from data.errors import BadFileError, UserError
from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder
from runs.summary import PurchaseSummary, of_version
from serving.client import Explanation


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
      worker: scores lists in the background.
      log: takes every customer that is scored.
    """

    settings: Settings
    engine: Engine
    worker: Worker
    log: RequestLog

    def served(self) -> ServedModel:
        """The model that serves.

        Raises:
          ServiceError: the model server has none, or does not answer.
        """
        return ask(self.settings.server, self.settings.artifacts)

    def run(self, version: str | None) -> PurchaseSummary | None:
        """The run that pushed a version of the model, where it is known."""
        runs = runs_folder(self.settings.artifacts, PURCHASE_MODEL.name)
        summary = of_version(runs, version) if version else None
        return summary if isinstance(summary, PurchaseSummary) else None

    def calibration_error(self, campaign: Campaign) -> float | None:
        """Of the version that scored a list, on the test split of its run, where that is known."""
        run = self.run(campaign.version)
        return run.metrics["test"].ece if run else None

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
        contract = self.served().contract
        decided = terms.read(answers, contract)
        folder, name = self.settings.folder, lists.file_name(filename)
        file = lists.check_upload(stream, filename, folder)
        try:
            lists.check(file, name, contract, decided.plan)
            campaign = campaigns.create(self.engine, decided, name, contract_to_json(contract))
            lists.keep(file, folder, campaign.id)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        self.worker.submit(campaign.id)
        return campaign

    def plan(self, campaign: Campaign) -> CallPlan:
        """What the calls of a ranked campaign will bring by its terms."""
        decided = campaign.terms
        return plan(
            customers.probabilities(self.engine, campaign.id),
            decided.cost,
            decided.margin,
            decided.calls,
            self.calibration_error(campaign) or 0.0,
            decided.control_share,
        )

    def change_terms(self, campaign_id: int, answers: Mapping[str, str]) -> None:
        """Changes cost, margin, calls and control group.

        Raises:
          UserError: an answer is wrong, or the campaign's state does not allow it.
        """
        campaign = self.ranked(campaign_id)
        campaigns.change_terms(self.engine, campaign_id, terms.revised(campaign.terms, answers))

    def freeze(self, campaign_id: int) -> None:
        """Marks the call list by the campaign's terms and freezes it.

        Raises:
          UserError: there is no such campaign, or it is not ranked, or frozen already.
        """
        best, control = self._choice(self.ranked(campaign_id))
        customers.freeze(self.engine, campaign_id, best, control)

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
        return outcomes.record(self.engine, campaign_id, found.outcomes)

    def results(self, campaign: Campaign) -> Results | None:
        """What the calls of a ranked campaign brought so far; None where no outcome of a call is known."""
        if campaign.state != "frozen":
            return None
        listed = customers.listed(self.engine, campaign.id)
        joined = outcomes.joined(self.engine, campaign.id)
        return results(joined, campaign.terms, listed, self.calibration_error(campaign) or 0.0)

    def _choice(self, campaign: Campaign) -> tuple[int, tuple[int, ...]]:
        """The call list, which a campaign's id and terms determine."""
        return choose(customers.probabilities(self.engine, campaign.id), campaign.terms, campaign.id)

    def cancel(self, campaign_id: int) -> None:
        """Cancels the scoring of a campaign; nothing happens to one that has come to its end."""
        if self.campaign(campaign_id).state in ("waiting", "scoring"):
            audit.add(self.engine, "cancel", f"campaign {campaign_id}")
        self.worker.cancel(campaign_id)
