"""Which columns the exported model lives on, measured on rows it was not fitted on."""

import json
from pathlib import Path

from tfx.types.artifact import Artifact
from tfx.types.artifact_utils import get_split_uri
from tfx.v1.dsl.components import InputArtifact, OutputArtifact, Parameter, component
from tfx.v1.types.standard_artifacts import Examples, Model

from analysis.importance import permutation
from data.contract import Contract
from data.model_folder import read_card, serving_folder
from modules.examples import read_raw
from modules.purchase.predictor import scorer

SPLIT = "test"


class ImportanceFigures(Artifact):
    """`importance.json`, see :func:`Importance`."""

    TYPE_NAME = "Importance"


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
    folder = serving_folder(model.uri)
    features = read_card(folder)["features"]
    columns = read_raw([f"{get_split_uri([examples], SPLIT)}/*"], parsed, features)
    figures = permutation(scorer(folder, features), columns, columns[parsed.label.name], features, seed)
    Path(importance.uri, "importance.json").write_text(json.dumps({"split": SPLIT, **figures}, indent=1))
