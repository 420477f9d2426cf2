"""TFX Trainer's entry point: fits the chosen segmentation, names its segments and exports the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from sklearn.metrics import adjusted_rand_score
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.io import fileio

from analysis import profile, segmentation
from analysis.profile import Profile
from analysis.segmentation import Candidate
from data.model_folder import CARD, EXTRAS, SegmentCard
from data.model_spec import RAW_SIGNATURE, SEGMENT_MODEL
from modules import artifacts, model_extras
from modules.segments import cards, fitted, naming, reading
from modules.segments.autoencoder import autoencoders
from modules.segments.config import SegmentConfig
from modules.segments.export import SegmentModule
from modules.segments.methods import Segmenter, fit
from modules.segments.reading import Sample, Split
from modules.segments.representation import COLUMNS, Representation, pca
from modules.segments.rows import Rows
from modules.segments.search import SAMPLE_ROWS

AGREEMENT = "agreement.json"
"""In the ModelRun: `agreement`, the adjusted Rand index with the last blessed model on the eval split, or null."""
TRAINED = "trained-{}.npz"
"""In the ModelRun, for the splits train and eval: `segment` int8 [rows], in file order."""
OUTLIER_QUANTILE = 0.99
"""A customer is an outlier beyond the distance within which this share of the training split lies."""


def run_fn(fn_args: FnArgs) -> None:
    """Fits on the train split and exports to `fn_args.serving_model_dir`.

    `assets.extra` gets what every model has there, see `modules.model_extras`. The fitted segmenter, the segment of
    each row of train and eval, and the agreement with the last blessed model go to `fn_args.model_run_dir`.

    Args:
      fn_args: its `custom_config` is a SegmentConfig, its `hyperparameters` are a Candidate, and its `base_model`, if
        any, is the last blessed model, whose segments keep their names.
    """
    config = SegmentConfig.from_config(fn_args.custom_config)
    graph = tft.TFTransformOutput(fn_args.transform_output)
    train, evaluation = (
        Split(files, config.contract, config.view, graph) for files in (fn_args.train_files, fn_args.eval_files)
    )
    sample = reading.sample(train, reading.SAMPLE, config.seed)
    segmenter = _fit(Candidate(**fn_args.hyperparameters), train, sample, config.seed)
    distances = segmenter.distances(sample.batch.rows)
    segments, nearest = segmenter.assign(sample.batch.rows), distances.min(axis=1)
    card = _card(config, segmenter, sample, segments, nearest, fn_args.base_model)

    module = SegmentModule(segmenter, graph, config, card.names, card.temperature, card.outlier_distance)
    module.save(fn_args.serving_model_dir)
    model_extras.write(
        fn_args.serving_model_dir,
        card,
        config.contract,
        _profile(config, segmenter, card.names, train, sample, segments),
        module.predict,
        sample.batch.raw,
    )
    fileio.makedirs(fn_args.model_run_dir)
    fitted.write(segmenter, fn_args.model_run_dir)
    assigned = {}
    for name, split in (("train", train), ("eval", evaluation)):
        assigned[name] = np.concatenate([segmenter.assign(rows) for rows in split.encoded()])
        artifacts.write_arrays({"segment": assigned[name].astype(np.int8)}, fn_args.model_run_dir, TRAINED.format(name))
    agreement = _agreement(fn_args.base_model, evaluation, assigned["eval"]) if fn_args.base_model else None
    artifacts.write_json({"agreement": agreement}, fn_args.model_run_dir, AGREEMENT)


def _fit(candidate: Candidate, train: Split, sample: Sample, seed: int) -> Segmenter:
    """The segments of a candidate; its representation is fitted on the rows that the search has seen."""
    searched = sample.batch.rows.take(slice(SAMPLE_ROWS))
    representation = _representation(candidate.representation, searched, seed)
    batches = None if sample.complete else train.encoded
    return fit(candidate, representation, sample.batch.rows, batches, seed)


def _representation(name: segmentation.Representation, rows: Rows, seed: int) -> Representation:
    if name == "pca":
        return pca(rows.features).representation
    if name == "autoencoder":
        (autoencoder,) = autoencoders([(rows.features, seed)])
        return autoencoder.representation
    return COLUMNS


def _card(
    config: SegmentConfig,
    segmenter: Segmenter,
    sample: Sample,
    segments: np.ndarray,
    nearest: np.ndarray,
    base_model: str | None,
) -> SegmentCard:
    clusters, features = segmenter.candidate.clusters, sample.batch.rows.features
    means = np.stack([features[segments == number].mean(axis=0) for number in range(clusters)])
    earlier = _last_blessed(base_model, config.view_name)
    matched = naming.match(means, np.array(earlier.means)) if earlier else [None] * clusters
    earlier_names = earlier.names if earlier else ()
    names = naming.name(sample.batch.raw, segments, clusters, config.contract, config.view)
    return SegmentCard(
        contract=config.contract.name,
        synthetic=config.synthetic,
        features=config.view.columns,
        view=config.view_name,
        method=segmenter.candidate.method,
        representation=segmenter.candidate.representation,
        names=naming.final(names, matched, earlier_names, json.loads(config.names or "{}")),
        continues=tuple(None if match is None else earlier_names[match] for match in matched),
        means=tuple(means.tolist()),
        temperature=max(float(np.mean(nearest.astype(np.float64) ** 2)), float(np.finfo(np.float32).tiny)),
        outlier_distance=float(np.quantile(nearest, OUTLIER_QUANTILE)),
        typical=tuple(
            _cells(sample.batch.raw, cards.typical_row(segments == number, nearest), config)
            for number in range(clusters)
        ),
    )


def _cells(raw: Mapping[str, np.ndarray], row: int | None, config: SegmentConfig) -> dict[str, str]:
    """A customer as the cells of a CSV file: a missing value is blank."""
    if row is None:
        return {}
    values = {name: raw[name][row] for name in (*config.view.columns, *config.view.describe)}
    return {
        name: value.decode("utf-8", "replace")
        if isinstance(value, bytes)
        else ""
        if np.isnan(value)
        else np.format_float_positional(np.float32(value), trim="-")
        for name, value in values.items()
    }


def _last_blessed(base_model: str | None, view: str) -> SegmentCard | None:
    """The card of the last blessed model, if its segments are of the same view."""
    if not base_model:
        return None
    card = SegmentCard.from_json(artifacts.read_bytes(base_model, EXTRAS, CARD))
    return card if card.view == view else None


def _profile(
    config: SegmentConfig,
    segmenter: Segmenter,
    names: tuple[str, ...],
    train: Split,
    sample: Sample,
    segments: np.ndarray,
) -> Profile:
    """The reference profile; its bins come from the sample, its counts from the whole split."""
    texts = np.array(names, object)
    of_sample = profile.build(
        sample.batch.raw,
        texts[segments],
        config.contract,
        config.view.columns,
        SEGMENT_MODEL.score,
        values=names,
    )
    if sample.complete:
        return of_sample

    def batches() -> Iterator[tuple[Mapping[str, np.ndarray], np.ndarray]]:
        for batch in train.batches():
            yield batch.raw, texts[segmenter.assign(batch.rows)]

    return of_sample.recounted(batches())


def _agreement(base_model: str, evaluation: Split, segments: np.ndarray) -> float:
    """The adjusted Rand index with the segments of another model, from -0.5 to 1."""
    other = tf.saved_model.load(base_model).signatures[RAW_SIGNATURE]
    wanted = other.structured_input_signature[1]
    found = [
        other(**{name: tf.constant(batch.raw[name]) for name in wanted})[SEGMENT_MODEL.decision].numpy()
        for batch in evaluation.batches()
    ]
    return float(adjusted_rand_score(np.concatenate(found), segments))
