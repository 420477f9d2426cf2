"""How a ranked campaign does: what its calls will bring by its terms, and what they brought so far."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from analysis.campaign_results import Results
from analysis.campaigns import CallPlan, plan
from campaigns.ranked_lists import RankedList
from campaigns.records import Campaign, SoFar, Standing, Terms
from campaigns.results import beats, results
from campaigns.store import campaigns, customers, outcomes, standings
from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder
from runs.summary import PurchaseSummary, of_version


def run_of(artifacts: Path, version: str | None) -> PurchaseSummary | None:
    """The run that pushed a version of the purchase model, where it is known."""
    summary = of_version(runs_folder(artifacts, PURCHASE_MODEL.name), version) if version else None
    return summary if isinstance(summary, PurchaseSummary) else None


def calibration_error(artifacts: Path, campaign: Campaign) -> float | None:
    """Of the version that scored a list, on the test split of its run, where that is known."""
    run = run_of(artifacts, campaign.version)
    return run.metrics["test"].ece if run else None


def planned(found: RankedList, terms: Terms, error: float | None) -> CallPlan:
    """What the calls of a ranked list will bring by some terms; `error` is the model's calibration error."""
    error, known = error or 0.0, found.curve(terms.cost, terms.margin, error or 0.0, terms.control_share)
    return plan(found.probabilities, terms.cost, terms.margin, terms.calls, error, terms.control_share, known)


def brought(engine: Engine, campaign: Campaign, error: float | None) -> Results | None:
    """What the calls of a ranked campaign brought so far; None where no outcome of a call is known."""
    if campaign.state != "frozen":
        return None
    joined = outcomes.joined(engine, campaign.id)
    return results(joined, campaign.terms, customers.listed(engine, campaign.id), error or 0.0)


def note(engine: Engine, artifacts: Path, campaign_id: int) -> None:
    """Notes how a ranked campaign does now; to be called whenever its ranks, terms or outcomes have changed."""
    campaign = campaigns.get(engine, campaign_id)
    if campaign is None:
        return
    error = calibration_error(artifacts, campaign)
    ranked = RankedList(customers.probabilities(engine, campaign_id), {})
    will, found = planned(ranked, campaign.terms, error), brought(engine, campaign, error)
    figures = Standing(
        calls=int(will.calls),
        buyers=float(will.buyers.value),
        buyers_low=float(will.buyers.low),
        buyers_high=float(will.buyers.high),
        profit=float(will.profit.value),
        repeated=customers.repeated(engine, campaign_id),
        so_far=_so_far(found) if found else None,
    )
    standings.note(engine, campaign_id, figures)


def _so_far(found: Results) -> SoFar:
    together = found.together
    return SoFar(
        calls=int(together.calls),
        buyers=int(together.buyers),
        expected=float(together.expected.value),
        expected_low=float(together.expected.low),
        expected_high=float(together.expected.high),
        profit=float(together.profit),
        held=bool(found.held),
        beat=beats(found.lift) if found.lift else None,
    )
