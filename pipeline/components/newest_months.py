"""Blesses a model only if it is no worse than the champion on the newest months of calls.

The months are those of the test split, so neither model has learned from the rows: rows are split by a hash of their
values, and a row that is held out for the new model was held out for the champion too, or had not happened. But the new
model has learned from other calls of these months, and the champion, which is older, often has not. That favours the
new model. So the trial finds a model that has been damaged, by wrong labels for example. Its figures do not say what to
expect of the calls to come; the backtest does.
"""

import numpy as np
from tfx.components.evaluator.constants import ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY as MODEL_ID
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact
from tfx.types.artifact_utils import get_split_uri
from tfx.types.standard_artifacts import Examples, Model

from analysis.trial import compare, newest
from analysis.trial_result import ChampionTrial
from data.contract import CALL_DAY, Contract
from modules import artifacts
from modules.examples import read_raw
from modules.purchase.predictor import scorer
from pipeline.components.blessings import BLESSED, NOT_BLESSED, TrialBlessing
from pipeline.components.pusher import inputs
from pipeline.components.scorer import Scores

SPLIT = "test"


class TrialFigures(Artifact):
    """`trial.json`, an `analysis.trial_result.ChampionTrial`."""

    TYPE_NAME = "pipeline.TrialFigures"


@component
def NewestMonths(  # noqa: N802
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    scores: InputArtifact[Scores],
    trial: OutputArtifact[TrialFigures],
    blessing: OutputArtifact[TrialBlessing],
    contract: Parameter[str],
    split: Parameter[str],
    champion: Parameter[str],
    version: Parameter[int],
    digest: Parameter[str],
    champion_split: Parameter[str],
    code: Parameter[str],
) -> None:
    """Compares a model with the champion on the newest months of the test split, and blesses it if it is no worse.

    A model is worse where the 95 % interval of the difference, by bootstrap over calling days, leaves out that it is as
    good: in within-month AUC or in log loss. Where the two cannot be compared, the model is blessed.

    Args:
      examples: raw rows with the dates of the calls.
      model: the exported model.
      scores: its outputs.
      trial: output, the figures.
      blessing: output, blessed or not.
      contract: the contract as JSON.
      split: how the rows are held out.
      champion: folder of the champion's SavedModel; empty where there is no champion.
      version: of the champion, 0 where there is none.
      digest: of the champion's files, for the cache.
      champion_split: how the rows that the champion learned from were held out; empty where that is not known.
      code: fingerprint of the code behind it.
    """
    reason = _not_comparable(artifacts.saved_model(model.uri), champion, version, split, champion_split)
    if reason:
        result = ChampionTrial(version or None, None, reason)
    else:
        features = tuple(inputs(champion))
        columns = read_raw([f"{get_split_uri([examples], SPLIT)}/*"], Contract.model_validate_json(contract), features)
        scored = artifacts.read_arrays(scores.uri, f"{SPLIT}.npz")
        rows = newest(scored["label"], columns[CALL_DAY])
        result = ChampionTrial(
            version,
            compare(
                scored["label"][rows],
                scorer(champion, features)({name: columns[name][rows] for name in features}).astype(np.float64),
                scored["probability"][rows].astype(np.float64),
                columns[CALL_DAY][rows],
            ),
        )
    blessed = result.trial is None or not result.trial.faults
    artifacts.write_text(result.to_json(), trial.uri, artifacts.TRIAL)
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_int_custom_property(MODEL_ID, model.id)
    artifacts.write_text("", blessing.uri, BLESSED if blessed else NOT_BLESSED)


def _not_comparable(model: str, champion: str, version: int, split: str, champion_split: str) -> str:
    """Why a model and the champion cannot be compared on these rows, in words; empty where they can."""
    if not champion:
        return "there is none yet"
    if champion_split not in ("", split):
        return f"version {version} learned from rows that are held out now, since they were split otherwise then"
    new, old = inputs(model), inputs(champion)
    if other := [name for name, kind in old.items() if new.get(name) != kind]:
        return f"version {version} reads {', '.join(other)}, which this model does not"
    return ""
