"""The peer of `benchmarks/pipeline.py`: a graph of TFX's own components that trains the same network."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
import tensorflow_transform as tft
from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel

from data.contract import Contract
from modules.examples import serialized
from modules.purchase import transform
from modules.purchase.config import TrainingConfig
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.rows import Rows
from modules.purchase.training import fit

METRICS = (
    "ExampleCount",
    "TruePositives",
    "FalsePositives",
    "TrueNegatives",
    "FalseNegatives",
    "BinaryAccuracy",
    "Precision",
    "Recall",
    "AUC",
    "AUCPrecisionRecall",
    "Calibration",
)


def create_pipeline(folder: Path, contract: Contract, seed: int, artifacts: Path) -> tfx.dsl.Pipeline:
    """CsvExampleGen to Pusher, all with TFX's defaults.

    Args:
      folder: holds one CSV file with commas, the only delimiter that CsvExampleGen reads.
      contract: names features, label and slices; slices of numbers are left out, because stock slicing has no bands.
      seed: of the fit.
      artifacts: the folder for all output.
    """
    config = TrainingConfig(contract, seed=seed).to_config()
    shares = zip(("train", "eval", "test"), (14, 3, 3), strict=True)
    splits = [tfx.proto.SplitConfig.Split(name=name, hash_buckets=buckets) for name, buckets in shares]
    example_gen = tfx.components.CsvExampleGen(
        input_base=str(folder),
        output_config=tfx.proto.Output(split_config=tfx.proto.SplitConfig(splits=splits)),
    )
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    schema_gen = tfx.components.SchemaGen(statistics=statistics_gen.outputs["statistics"])
    schema = schema_gen.outputs["schema"]
    validator = tfx.components.ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema)
    transformation = tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn=f"{__name__}.preprocessing_fn",
        custom_config=config,
    )
    trainer = tfx.components.Trainer(
        examples=transformation.outputs["transformed_examples"],
        transform_graph=transformation.outputs["transform_graph"],
        run_fn=f"{__name__}.run_fn",
        train_args=tfx.proto.TrainArgs(splits=["train"]),
        eval_args=tfx.proto.EvalArgs(splits=["eval"]),
        custom_config=config,
    )
    model = trainer.outputs["model"]
    resolver, evaluator = _evaluation(contract, examples, model)
    pusher = tfx.components.Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(artifacts / "serving"))
        ),
    )
    return tfx.dsl.Pipeline(
        pipeline_name="stock",
        pipeline_root=str(artifacts / "tfx"),
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            validator,
            transformation,
            trainer,
            resolver,
            evaluator,
            pusher,
        ],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(artifacts / "metadata.sqlite")
        ),
    )


def _evaluation(contract: Contract, examples: BaseChannel, model: BaseChannel) -> tuple[BaseNode, BaseNode]:
    """The newest blessed model, and the Evaluator with a bound on AUC."""
    resolver = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("LatestBlessedModel")
    floor = tfma.MetricThreshold(value_threshold=tfma.GenericValueThreshold(lower_bound={"value": 0.5}))
    evaluator = tfx.components.Evaluator(
        examples=examples,
        model=model,
        baseline_model=resolver.outputs["model"],
        example_splits=["test"],
        eval_config=tfma.EvalConfig(
            model_specs=[
                tfma.ModelSpec(
                    signature_name="serving_default",
                    label_key=transform.LABEL,
                    preprocessing_function_names=["transform_features"],
                )
            ],
            metrics_specs=[
                tfma.MetricsSpec(
                    metrics=[tfma.MetricConfig(class_name=name) for name in METRICS], thresholds={"auc": floor}
                )
            ],
            slicing_specs=[
                tfma.SlicingSpec(),
                *(
                    tfma.SlicingSpec(feature_keys=[name])
                    for name in contract.modelling.slices
                    if name in contract.categorical
                ),
            ],
        ),
    )
    return resolver, evaluator


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict) -> dict[str, tf.Tensor]:
    """This project's features, from the types that CsvExampleGen infers: int64, float or text, [batch, 1] each."""
    config = TrainingConfig.from_config(custom_config)
    raw = {}
    for name in config.features:
        column = tf.squeeze(inputs[name], axis=1)
        raw[name] = tf.cast(column, tf.float32) if name in config.contract.numeric else column
    label = config.contract.required_label
    raw[label.name] = tf.cast(inputs[label.name][:, 0] == label.positive, tf.int64)
    return transform.preprocessing_fn(raw, custom_config)


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """The same fit, on materialized examples, and an export that TF Serving can run."""
    graph = tft.TFTransformOutput(fn_args.transform_output)
    config = TrainingConfig.from_config(fn_args.custom_config)
    spec = graph.transformed_feature_spec()
    splits = []
    for files in (fn_args.train_files, fn_args.eval_files):
        parts = [tf.io.parse_example(batch, spec) for batch in serialized(files)]
        columns = [tf.concat([part[key] for part in parts], 0).numpy() for key in (transform.FEATURES, transform.LABEL)]
        splits.append(Rows(*columns, np.ones_like(columns[1])))
    hyperparameters = Hyperparameters.from_mapping(config.contract.modelling.hyperparameters)
    network = fit(*splits, hyperparameters, config.seed, log_dir=fn_args.model_run_dir).network
    _Module(network, graph, config.contract.required_label.name).save(fn_args.serving_model_dir)


class _Module(tf.Module):
    def __init__(self, network: keras.Model, graph: tft.TFTransformOutput, label: str):
        super().__init__()
        self._variables = [variable.value for variable in network.variables]
        self._network = network
        self._transform = graph.transform_features_layer()
        self._spec = graph.raw_feature_spec()
        self._label = label

    def save(self, path: str) -> None:
        examples = [tf.TensorSpec([None], tf.string, name="examples")]
        signatures = {"serving_default": self._predict, "transform_features": self._labels}
        wrapped = {name: tf.function(body, input_signature=examples) for name, body in signatures.items()}
        tf.saved_model.save(self, path, signatures=wrapped)

    def _predict(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {name: feature for name, feature in self._spec.items() if name != self._label}
        features = self._transform(tf.io.parse_example(examples, spec))["features"]
        return {"probability": tf.sigmoid(self._network(features, training=False))}

    def _labels(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {transform.LABEL: self._transform(tf.io.parse_example(examples, self._spec))[transform.LABEL]}
