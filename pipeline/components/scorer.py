"""Scores every split with the exported model, so that all figures are of the graph that will be served."""

import dataclasses

import numpy as np
import tensorflow as tf
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact
from tfx.types.artifact_utils import get_split_uri
from tfx.types.standard_artifacts import Examples, Model

from analysis.metrics import evaluate
from data.model_folder import PurchaseCard
from data.model_spec import EXAMPLE_INPUT, EXAMPLE_SIGNATURE, PURCHASE_MODEL
from modules import artifacts
from modules.examples import SPLITS, serialized
from modules.purchase.predictor import load

METRICS = "metrics.json"


class Scores(Artifact):
    """`<split>.npz` with `label` and `probability`, float32 [rows] in file order, and `metrics.json` by split."""

    TYPE_NAME = "pipeline.Scores"


@component
def Scorer(  # noqa: N802
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    scores: OutputArtifact[Scores],
    label: Parameter[str],
    code: Parameter[str],
) -> None:
    """Writes labels, probabilities and metrics of each split.

    Args:
      examples: raw rows in the splits train, eval and test.
      model: the exported model.
      scores: output, see :class:`Scores`.
      label: name of the label column.
      code: fingerprint of the code behind it.
    """
    threshold = artifacts.model_card(model.uri, PurchaseCard).threshold
    predict = load(artifacts.saved_model(model.uri)).signatures[EXAMPLE_SIGNATURE]
    report = {}
    for split in SPLITS:
        labels, probabilities = [], []
        for batch in serialized([f"{get_split_uri([examples], split)}/*"]):
            probabilities.append(predict(**{EXAMPLE_INPUT: batch})[PURCHASE_MODEL.score].numpy())
            parsed = tf.io.parse_example(batch, {label: tf.io.FixedLenFeature([], tf.int64)})
            labels.append(parsed[label].numpy().astype(np.float32))
        columns = {"label": np.concatenate(labels), "probability": np.concatenate(probabilities)}
        artifacts.write_arrays(columns, scores.uri, f"{split}.npz")
        report[split] = dataclasses.asdict(evaluate(columns["label"], columns["probability"], threshold))
    artifacts.write_json(report, scores.uri, METRICS)
