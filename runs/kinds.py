"""How runs of each kind of model are listed, compared and tracked: what is theirs alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from analysis.segmentation import REPRESENTATION_NAMES, Candidate
from analysis.trial_result import Trial
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from runs.summary import PurchaseSummary, RunSummary, SegmentSummary

Summary = TypeVar("Summary", bound=RunSummary, contravariant=True)
Part = Mapping[str, Any]
"""Part of a summary, nested as in `summary.json`."""


@dataclass(frozen=True)
class Trait(Generic[Summary]):
    """What a run may have otherwise than the other runs on its data.

    Attributes:
      value: of a run; None is unknown, and not compared.
      text: how the list says that a run has an unusual value.
    """

    value: Callable[[Summary], Any]
    text: Callable[[Any], str]


@dataclass(frozen=True)
class Kind(Generic[Summary]):
    """How runs of one kind of model are listed, compared and tracked.

    Attributes:
      summary: the class of their summaries.
      model_name: of the model, unless the user names it.
      command: the module that starts one.
      titles: of the list's columns, by dotted field of `summary.json`, with `differs` for the traits.
      traits: that the list names.
      group: what runs on the same data must share as well, to be held against each other in the list.
      unusual: in words, columns that are features of a run although they are none by default.
      chosen: what the user or the search chose of the model.
      results: what was measured and is compared; of splits only the test split.
      space: what runs must share so that distances between customers mean the same; empty where there are none.
      model: parameters in MLflow.
      metrics: in MLflow, by name; None and NaN are not tracked.
    """

    summary: type[RunSummary]
    model_name: str
    command: str
    titles: Mapping[str, str]
    traits: tuple[Trait[Summary], ...]
    group: Callable[[Summary], tuple[str, ...]]
    unusual: Callable[[Summary], tuple[str, ...]]
    chosen: Callable[[Summary], Part]
    results: Callable[[Summary], Part]
    space: Callable[[Summary], tuple[Hashable, ...]]
    model: Callable[[Summary], Part]
    metrics: Callable[[Summary], Mapping[str, float | None]]


_ROWS = {"dataset.rows": "rows", "dataset.synthetic": "synthetic", "dataset.split": "split"}
_END = {"gate.blessed": "blessed", "pushed.version": "pushed", "seconds": "seconds"}
_DATA: Trait[RunSummary] = Trait(lambda run: run.settings.data_sha256, lambda _: "other data")
_QUARANTINE: Trait[RunSummary] = Trait(
    lambda run: run.settings.quarantine, lambda quarantine: "quarantine" if quarantine else "no quarantine"
)
_LAST_ROW: Trait[RunSummary] = Trait(
    lambda run: run.settings.last_row, lambda last_row: "last row counts" if last_row else "all rows count"
)
_SEED: Trait[RunSummary] = Trait(lambda run: run.settings.seed, lambda seed: f"seed {seed}")


def _purchase_results(run: PurchaseSummary) -> Part:
    model = {"threshold": run.model.threshold, "parameters": run.model.parameters}
    return {"metrics": {"test": dataclasses.asdict(run.metrics["test"])}, "model": model}


def _purchase_metrics(run: PurchaseSummary) -> dict[str, float | None]:
    splits = {
        f"{split}/{name}": value
        for split, values in run.metrics.items()
        for name, value in dataclasses.asdict(values).items()
    }
    return {**splits, **(_trial_metrics(run.trial.trial) if run.trial and run.trial.trial else {})}


def _trial_metrics(trial: Trial) -> dict[str, float | None]:
    figures: dict[str, float | None] = {
        "rows": trial.rows,
        "auc": trial.challenger_auc,
        "champion_auc": trial.champion_auc,
        "log_loss": trial.challenger_log_loss,
        "champion_log_loss": trial.champion_log_loss,
    }
    for name, gain in (("auc_gain", trial.auc_gain), ("log_loss_gain", trial.log_loss_gain)):
        if gain:
            figures |= {f"{name}_low": gain.low, f"{name}_high": gain.high}
    return {f"newest_months/{name}": value for name, value in figures.items()}


def _purchase_model(run: PurchaseSummary) -> Part:
    model = {"model": dataclasses.asdict(run.model)}
    if run.trial is None:
        return model
    period = run.trial.trial.period if run.trial.trial else None
    return {**model, "newest_months": {"champion": run.trial.champion, "months": period}}


PURCHASE = Kind[PurchaseSummary](
    summary=PurchaseSummary,
    model_name=PURCHASE_MODEL.name,
    command="pipeline.run",
    titles={
        "run_id": "run",
        "dataset.contract": "data",
        "differs": "differs",
        **_ROWS,
        "metrics.test.auc": "AUC",
        "metrics.test.accuracy": "accuracy",
        "metrics.test.log_loss": "log loss",
        "metrics.test.ece": "ECE",
        **_END,
    },
    traits=(
        _DATA,
        _QUARANTINE,
        _LAST_ROW,
        Trait(lambda run: run.settings.trials, lambda trials: f"{trials} trials" if trials else "no tuning"),
        Trait(lambda run: run.model.members, lambda members: f"ensemble of {members}"),
        _SEED,
    ),
    group=lambda run: (),
    unusual=lambda run: (
        *["after-call columns"] * run.settings.with_duration,
        *["calendar columns"] * run.settings.with_calendar,
    ),
    chosen=lambda run: {"model": {"hyperparameters": run.model.hyperparameters}},
    results=_purchase_results,
    space=lambda run: (),
    model=_purchase_model,
    metrics=_purchase_metrics,
)


def space(candidate: Candidate) -> str:
    """In words, the space in which a candidate's distances are measured."""
    name = REPRESENTATION_NAMES[candidate.representation]
    gower = candidate.representation == "columns" and candidate.method == "kmedoids"
    return f"{name}, Gower distance" if gower else name


_COMPARABLE = (
    "macro_silhouette",
    "macro_error",
    "full_silhouette",
    "full_macro_silhouette",
    "null_silhouette",
    "null_deviation",
    "stability",
    "seed_stability",
)
"""Figures of the chosen candidate that say something beside those of another run; a loss or a gap does not."""


def _segment_results(run: SegmentSummary) -> Part:
    return {
        "silhouette": run.silhouette,
        "macro_silhouette": run.macro_silhouette,
        "agreement": run.agreement,
        "chosen": {name: getattr(run.chosen, name) for name in _COMPARABLE},
        "segments": {segment.name: segment.shares.get("test") for segment in run.segments},
    }


def _segment_metrics(run: SegmentSummary) -> dict[str, float | None]:
    sample = dataclasses.asdict(run.chosen)
    del sample["candidate"], sample["refusals"]
    shares = {
        f"{split}/share/{number}": share
        for number, segment in enumerate(run.segments)
        for split, share in segment.shares.items()
    }
    return {
        "test/silhouette": run.silhouette,
        "test/macro_silhouette": run.macro_silhouette,
        "test/agreement": run.agreement,
        **{f"sample/{name}": value for name, value in sample.items()},
        **shares,
    }


def _space(run: SegmentSummary) -> tuple[Hashable, ...]:
    shared = (*run.features, space(run.chosen.candidate))
    learned = run.chosen.candidate.representation == "autoencoder"
    return (*shared, run.settings.seed, run.settings.data_sha256) if learned else shared


SEGMENTS = Kind[SegmentSummary](
    summary=SegmentSummary,
    model_name=SEGMENT_MODEL.name,
    command="pipeline.segment",
    titles={
        "run_id": "run",
        "dataset.contract": "data",
        "settings.view": "view",
        "differs": "differs",
        **_ROWS,
        "chosen.candidate.clusters": "segments",
        "chosen.candidate.method": "method",
        "chosen.candidate.representation": "representation",
        "chosen.macro_silhouette": "macro silhouette",
        "chosen.null_silhouette": "null reference",
        "chosen.stability": "stability",
        **_END,
    },
    traits=(
        _DATA,
        _QUARANTINE,
        _LAST_ROW,
        Trait(lambda run: run.settings.method, lambda method: "all methods" if method == "auto" else f"{method} alone"),
        Trait(
            lambda run: (run.settings.fewest, run.settings.most),
            lambda clusters: f"{'..'.join(map(str, sorted({*clusters})))} clusters",
        ),
        _SEED,
    ),
    group=lambda run: (run.settings.view,),
    unusual=lambda run: (),
    chosen=lambda run: {"chosen": {"candidate": dataclasses.asdict(run.chosen.candidate)}},
    results=_segment_results,
    space=_space,
    model=lambda run: {
        "chosen": {"candidate": dataclasses.asdict(run.chosen.candidate)},
        "segments": {str(number): segment.name for number, segment in enumerate(run.segments)},
    },
    metrics=_segment_metrics,
)

KINDS: tuple[Kind[Any], ...] = (PURCHASE, SEGMENTS)


def kind_of(summary: RunSummary) -> Kind[Any]:
    """How a run of this summary's class is listed, compared and tracked."""
    return next(kind for kind in KINDS if isinstance(summary, kind.summary))


def commands(model: str) -> str:
    """What starts a run of a model; models of either kind may have names of their own."""
    named = [kind.command for kind in KINDS if kind.model_name == model]
    return " or ".join(f".venv/bin/python -m {command}" for command in named or [kind.command for kind in KINDS])
