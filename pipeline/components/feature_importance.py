"""Permutation importance of the columns, measured on rows that the model was not fitted on."""

import dataclasses

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact
from tfx.types.artifact_utils import get_split_uri
from tfx.types.standard_artifacts import Examples, Model

from analysis.importance import permutation
from data.contract import Contract
from data.model_folder import PurchaseCard
from modules import artifacts
from modules.examples import read_raw
from modules.purchase.predictor import scorer

SPLIT = "test"


class ImportanceFigures(Artifact):
    """`importance.json`, see :func:`Importance`."""

    TYPE_NAME = "pipeline.ImportanceFigures"


@component
def Importance(  # noqa: N802
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    importance: OutputArtifact[ImportanceFigures],
    contract: Parameter[str],
    seed: Parameter[int],
    code: Parameter[str],
) -> None:
    """Writes `importance.json`: `split` and what :func:`analysis.importance.permutation` returns, of raw features.

    Args:
      examples: raw rows.
      model: the exported model.
      importance: output.
      contract: the contract as JSON.
      seed: of the shuffles.
      code: fingerprint of the code behind it.
    """
    parsed = Contract.model_validate_json(contract)
    features = artifacts.model_card(model.uri, PurchaseCard).features
    columns = read_raw([f"{get_split_uri([examples], SPLIT)}/*"], parsed, features)
    figures = permutation(
        scorer(artifacts.saved_model(model.uri), features), columns, columns[parsed.required_label.name], features, seed
    )
    artifacts.write_json({"split": SPLIT, **dataclasses.asdict(figures)}, importance.uri, artifacts.IMPORTANCE)
