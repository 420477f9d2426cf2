"""Small models with the signatures of the pipeline's models, and the files that the pipeline writes about a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from analysis import profile
from data.model_folder import CARD, CONTRACT, GOLDEN_REQUEST, PROFILE, GoldenRequest, ModelFolder, PurchaseCard
from data.model_spec import PURCHASE_MODEL, RAW_SIGNATURE, SEGMENT_MODEL
from data.paths import runs_folder, serving_folder
from tests.support import customers, summaries


def push(artifacts: Path, version: int, columns: dict[str, np.ndarray]) -> None:
    """Writes a version that learned from the given rows, and the summary of its run."""
    import tensorflow as tf

    kinds = {name: tf.float32 if name in customers.CONTRACT.numeric else tf.string for name in customers.FEATURES}
    specs = {name: tf.TensorSpec([None], kind, name=name) for name, kind in kinds.items()}

    class Model(tf.Module):
        @tf.function(input_signature=[specs])
        def serve(self, inputs):
            logit = (inputs["age"] - 60) / 20 - tf.cast(inputs["contact"] == "unknown", tf.float32)
            score = tf.sigmoid(logit + 0.5 * tf.cast(inputs["poutcome"] == "success", tf.float32))
            return {PURCHASE_MODEL.score: score, PURCHASE_MODEL.decision: tf.cast(score > 0.5, tf.int64)}

    models, model = serving_folder(artifacts, PURCHASE_MODEL.name), Model()
    models.mkdir(parents=True, exist_ok=True)
    partial = models / f"partial-{version}"
    tf.saved_model.save(model, str(partial), signatures={RAW_SIGNATURE: model.serve})
    tensors = {name: tf.constant(column) for name, column in columns.items()}
    answers = {name: tensor.numpy() for name, tensor in model.serve(tensors).items()}
    answer = {name: column[0].item() for name, column in answers.items()}
    scores = answers[PURCHASE_MODEL.score]
    reference = profile.build(columns, scores, customers.CONTRACT, customers.FEATURES, PURCHASE_MODEL.score)
    write_extras(partial, reference, GoldenRequest(instances(columns, np.arange(1)), [answer]))
    card = PurchaseCard(customers.CONTRACT.name, False, tuple(customers.FEATURES), {}, 1, 1, 0, {}, 0.5)
    ModelFolder(partial).extra(CARD).write_text(card.to_json())
    partial.rename(models / str(version))  # a server sees the version only when it is complete
    write_summary(artifacts, version)


def push_segments(artifacts: Path, version: int, columns: dict[str, np.ndarray]) -> None:
    """Writes a version of a segment model with the given training rows, and the summary of its run."""
    from tests.support import toy_models

    models = serving_folder(artifacts, SEGMENT_MODEL.name)
    models.mkdir(parents=True, exist_ok=True)
    partial = models / f"partial-{version}"
    toy_models.segment_model(partial)
    reference = segment_profile(columns)
    first = instances({name: columns[name] for name in reference.features}, np.arange(1))
    write_extras(partial, reference, GoldenRequest(first, toy_models.segments_of(first)))
    partial.rename(models / str(version))
    write_segment_summary(artifacts, version)


def segment_profile(columns: dict[str, np.ndarray]) -> profile.Profile:
    """The reference profile of some rows that the segment model of `toy_models` assigned."""
    from tests.support import toy_models

    names = [answer["name"] for answer in toy_models.segments_of([{"age": age} for age in columns["age"].tolist()])]
    output = np.array(names, object)
    features = ("age", "housing")
    return profile.build(columns, output, customers.CONTRACT, features, SEGMENT_MODEL.score, toy_models.SEGMENT_NAMES)


def write_segment_summary(artifacts: Path, version: int) -> Path:
    """Writes the summary of a run that pushed a version of a segment model, and returns its file."""
    run = summaries.segment_summary(f"run-{version}", pushed__version=str(version))
    return summaries.write(runs_folder(artifacts, SEGMENT_MODEL.name) / run.run_id, run)


def write_contract(artifacts: Path, version: int) -> None:
    """Writes the contract of bank-full into the folder of a version of the purchase model."""
    file = ModelFolder(serving_folder(artifacts, PURCHASE_MODEL.name) / str(version)).extra(CONTRACT)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(customers.CONTRACT.model_dump_json())


def write_extras(folder: Path, reference: profile.Profile, golden: GoldenRequest) -> None:
    """Writes the files beside a model, with the contract of bank-full."""
    extra = ModelFolder(folder).extra
    extra(PROFILE).parent.mkdir(parents=True)
    extra(PROFILE).write_text(reference.to_json())
    extra(CONTRACT).write_text(customers.CONTRACT.model_dump_json())
    extra(GOLDEN_REQUEST).write_text(golden.to_json())


def write_summary(artifacts: Path, version: int, synthetic: bool = False) -> Path:
    """Writes the summary of a run that pushed a version, and returns its file."""
    run = summaries.summary(
        f"run-{version}",
        dataset__synthetic=synthetic,
        metrics__test=summaries.metrics(auc=0.8),
        pushed__version=str(version),
    )
    return summaries.write(runs_folder(artifacts, PURCHASE_MODEL.name) / run.run_id, run)


def instances(columns: dict[str, np.ndarray], rows: np.ndarray) -> list[dict[str, Any]]:
    """REST instances of some rows."""
    values = [column[rows].tolist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
