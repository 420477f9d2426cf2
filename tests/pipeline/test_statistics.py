"""The statistics are those of TFX's own component, so that the same anomalies are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components.example_gen import write_split
from tfx.components.statistics_gen.executor import Executor
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types.artifact_utils import encode_split_names
from tfx.types.standard_artifacts import Examples, ExampleStatistics

from modules import examples as reading
from modules.examples import SPLITS
from pipeline.components.statistics import Statistics

ROWS = 500


@pytest.fixture
def examples(tmp_path) -> Examples:
    generator = np.random.default_rng(0)
    for split in SPLITS:
        folder = tmp_path / "examples" / f"Split-{split}"
        folder.mkdir(parents=True)
        options = tf.io.TFRecordOptions(compression_type="GZIP")
        with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), options) as writer:
            for row in range(ROWS):
                job = b"retired" if row % 2 else b"student"
                age = float("nan") if row % 7 == 0 else generator.normal(40, 10)
                feature = {
                    "age": tf.train.Feature(float_list=tf.train.FloatList(value=[age])),
                    "job": tf.train.Feature(bytes_list=tf.train.BytesList(value=[job])),
                    "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[row % 2])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
    made = Examples()
    made.uri, made.split_names = str(tmp_path / "examples"), encode_split_names(list(SPLITS))
    examples_utils.set_payload_format(made, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(made, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP))
    return made


def read(folder: Path, split: str) -> dict[str, statistics_pb2.FeatureNameStatistics]:
    content = (folder / f"Split-{split}" / "FeatureStats.pb").read_bytes()
    (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(content).datasets
    assert dataset.num_examples == ROWS
    return {feature.path.step[0]: feature for feature in dataset.features}


def test_each_split_has_the_statistics_that_beam_computes(examples, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BATCH", 64)
    ours, stock = ExampleStatistics(), ExampleStatistics()
    ours.uri, stock.uri = str(tmp_path / "ours"), str(tmp_path / "stock")
    Statistics.EXECUTOR_SPEC.executor_class().Do({"examples": [examples]}, {"statistics": [ours]}, {"code": ""})
    Executor(Executor.Context(tmp_dir=str(tmp_path))).Do(
        {"examples": [examples]}, {"statistics": [stock]}, {"exclude_splits": "[]"}
    )
    assert ours.split_names == stock.split_names
    for split in SPLITS:
        found, expected = read(tmp_path / "ours", split), read(tmp_path / "stock", split)
        assert found.keys() == expected.keys() == {"age", "job", "y"}
        assert found["job"] == expected["job"]
        numbers = found["age"].num_stats
        assert numbers.common_stats.num_non_missing == expected["age"].num_stats.common_stats.num_non_missing
        assert numbers.histograms[0].num_nan == expected["age"].num_stats.histograms[0].num_nan > 0
        assert numbers.mean == pytest.approx(expected["age"].num_stats.mean)
        assert (numbers.min, numbers.max) == (expected["age"].num_stats.min, expected["age"].num_stats.max)
