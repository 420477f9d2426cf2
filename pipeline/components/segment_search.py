"""Tries segmentations on a sample of the training rows, and chooses one."""

import dataclasses
import json

import tensorflow_transform as tft
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact
from tfx.types.artifact_utils import get_split_uri
from tfx.types.standard_artifacts import Examples, HyperParameters, TransformGraph

from analysis.segmentation import METHODS, REPRESENTATIONS, Candidate
from modules import artifacts
from modules.segments import reading
from modules.segments.config import SegmentConfig
from modules.segments.published import Repetition
from modules.segments.search import SAMPLE_ROWS
from modules.segments.search import search as try_all
from modules.segments.transform import exact

BEST = "best_hyperparameters.txt"
"""The file that TFX's Trainer reads its hyperparameters from."""


class SegmentSearchResult(Artifact):
    """`search.json`, an `analysis.segmentation.SearchResult`."""

    TYPE_NAME = "SegmentSearchResult"


@component
def SegmentSearch(  # noqa: N802
    examples: InputArtifact[Examples],
    transform_graph: InputArtifact[TransformGraph],
    search: OutputArtifact[SegmentSearchResult],
    best_hyperparameters: OutputArtifact[HyperParameters],
    config: Parameter[str],
) -> None:
    """Measures all methods, representations and numbers of clusters; see `modules.segments.search`.

    Args:
      examples: raw rows; only the train split is read.
      transform_graph: the fitted Transform graph.
      search: output, what was tried and chosen.
      best_hyperparameters: output, the chosen `analysis.segmentation.Candidate` for the Trainer.
      config: a SegmentConfig as JSON.
    """
    settings = SegmentConfig.from_config(json.loads(config))
    view = settings.view
    patterns = [f"{get_split_uri([examples], 'train')}/*"]
    train = reading.Split(patterns, settings.contract, view, tft.TFTransformOutput(transform_graph.uri))
    batch = reading.sample(train, SAMPLE_ROWS, settings.seed).batch
    published = [
        Repetition(
            entry,
            exact(batch.raw, settings.contract, entry.columns or view.columns, entry.scaling),
            batch.raw,
            settings.contract,
        )
        for entry in view.published
    ]
    candidates = [
        Candidate(method, representation, clusters)
        for method in METHODS
        if settings.method in ("auto", method)
        for representation in REPRESENTATIONS
        for clusters in range(settings.fewest, settings.most + 1)
    ]
    outcome = try_all(settings.view_name, batch.rows, candidates, settings.seed, published, print)
    artifacts.write_text(outcome.result.to_json(), search.uri, artifacts.SEARCH)
    artifacts.write_json(dataclasses.asdict(outcome.result.chosen), best_hyperparameters.uri, BEST)
