"""Runs Transform and a Trainer's `run_fn` on rows in memory, as the pipeline does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils
from tfx.v1.components import FnArgs

from data.contract import Contract
from modules import schema


def train_and_export(
    folder: Path,
    contract: Contract,
    preprocessing_fn: Callable[..., dict],
    run_fn: Callable[[FnArgs], None],
    config: Mapping[str, Any],
    train: Mapping[str, np.ndarray],
    evaluation: Mapping[str, np.ndarray],
    **more: Any,
) -> Path:
    """Returns the SavedModel's folder.

    The Transform graph is in `folder/transform`, the rows are in `folder/train` and `folder/eval`, the ModelRun is in
    `folder/logs`. Further arguments are fields of FnArgs, such as `hyperparameters`.
    """
    metadata = dataset_metadata.DatasetMetadata(schema.from_contract(contract))
    names = list(schema_utils.schema_as_feature_spec(metadata.schema).feature_spec)
    records = [dict(zip(names, row, strict=True)) for row in zip(*(train[name] for name in names), strict=True)]
    with tft_beam.Context(temp_dir=str(folder / "temporary")):
        function = (records, metadata) | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
        function | tft_beam.WriteTransformFn(str(folder / "transform"))
    for name, rows in (("train", train), ("eval", evaluation)):
        write_examples(folder / name, rows)
    run_fn(
        FnArgs(
            transform_output=str(folder / "transform"),
            train_files=[str(folder / "train")],
            eval_files=[str(folder / "eval")],
            serving_model_dir=str(folder / "1"),
            model_run_dir=str(folder / "logs"),
            custom_config=config,
            **more,
        )
    )
    return folder / "1"


def write_examples(file: Path, rows: Mapping[str, np.ndarray]) -> None:
    """Writes rows as a TFRecord file of tf.Examples."""
    with tf.io.TFRecordWriter(str(file)) as writer:
        for serialized in examples(rows):
            writer.write(serialized)


def examples(rows: Mapping[str, np.ndarray]) -> list[bytes]:
    """Serialized tf.Examples."""

    def feature(values: np.ndarray, row: int) -> tf.train.Feature:
        if values.dtype == object:
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[values[row]]))
        if values.dtype == np.int64:
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[values[row]]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=[values[row]]))

    return [
        tf.train.Example(
            features=tf.train.Features(feature={name: feature(values, row) for name, values in rows.items()})
        ).SerializeToString()
        for row in range(len(next(iter(rows.values()))))
    ]
