"""Describes and judges an exported segment model: every row of every split goes through the model that will serve."""

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.evaluator.constants import ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY as MODEL_ID
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact
from tfx.types.artifact_utils import get_split_uri
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, ModelRun, TransformGraph

from analysis.segmentation import SearchResult
from data.contract import Contract
from data.model_folder import SegmentCard
from data.model_spec import EXAMPLE_INPUT, EXAMPLE_SIGNATURE, SEGMENT_MODEL
from modules import artifacts
from modules.examples import SPLITS
from modules.segments import fitted, gate, judging
from modules.segments.judging import Assigned
from modules.segments.reading import Split
from modules.segments.trainer import AGREEMENT, TRAINED
from pipeline.components.blessings import BLESSED, NOT_BLESSED
from pipeline.components.scorer import Scores
from pipeline.components.segment_search import SegmentSearchResult


class SegmentationFigures(Artifact):
    """`segmentation.json`, an `analysis.segmentation.Segmentation`."""

    TYPE_NAME = "Segmentation"


@component
def SegmentJudge(  # noqa: N802
    examples: InputArtifact[Examples],
    transform_graph: InputArtifact[TransformGraph],
    search: InputArtifact[SegmentSearchResult],
    model: InputArtifact[Model],
    model_run: InputArtifact[ModelRun],
    segmentation: OutputArtifact[SegmentationFigures],
    scores: OutputArtifact[Scores],
    blessing: OutputArtifact[ModelBlessing],
    contract: Parameter[str],
    seed: Parameter[int],
    code: Parameter[str],
) -> None:
    """Assigns every row, describes the segments, and blesses the model if it keeps all bounds of the gate.

    Args:
      examples: raw rows in the splits train, eval and test.
      transform_graph: the fitted Transform graph.
      search: what was tried and chosen.
      model: the exported model.
      model_run: the fitted segmenter, and the segment that it gave to each row of train and eval.
      segmentation: output, the segments in figures and words.
      scores: output, `segment` int64 and `distance` float32 [rows] of each split in file order.
      blessing: output, blessed or not.
      contract: the contract as JSON.
      seed: of the samples.
      code: fingerprint of the code behind it.
    """
    parsed = Contract.model_validate_json(contract)
    card = artifacts.model_card(model.uri, SegmentCard)
    _, view = parsed.view(card.view)
    graph = tft.TFTransformOutput(transform_graph.uri)
    predict = tf.saved_model.load(artifacts.saved_model(model.uri)).signatures[EXAMPLE_SIGNATURE]
    splits = {name: Split([f"{get_split_uri([examples], name)}/*"], parsed, view, graph) for name in SPLITS}
    assigned = {name: _assign(predict, split) for name, split in splits.items()}
    for name, outputs in assigned.items():
        columns = {SEGMENT_MODEL.decision: outputs.segment, "distance": outputs.distance}
        artifacts.write_arrays(columns, scores.uri, f"{name}.npz")
    trained = {
        name: artifacts.read_arrays(model_run.uri, TRAINED.format(name))["segment"] for name in ("train", "eval")
    }
    result = judging.judge(
        card,
        parsed,
        fitted.read(model_run.uri),
        splits,
        assigned,
        different=sum(int(np.sum(assigned[name].segment != segments)) for name, segments in trained.items()),
        agreement=artifacts.read_json(model_run.uri, AGREEMENT)["agreement"],
        seed=seed,
    )
    artifacts.write_text(result.to_json(), segmentation.uri, artifacts.SEGMENTATION)
    tried = SearchResult.from_dict(artifacts.read_json(search.uri, artifacts.SEARCH))
    blessed = all(check.passed for check in gate.checks(tried, result))
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_int_custom_property(MODEL_ID, model.id)
    artifacts.write_text("", blessing.uri, BLESSED if blessed else NOT_BLESSED)


def _assign(predict, split: Split) -> Assigned:
    outputs = [predict(**{EXAMPLE_INPUT: examples}) for examples in split.examples()]
    return Assigned(
        segment=np.concatenate([output[SEGMENT_MODEL.decision].numpy() for output in outputs]),
        distance=np.concatenate([output["distance"].numpy() for output in outputs]),
    )
