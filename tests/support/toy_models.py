"""Small SavedModels with known answers, and stand-ins with the signatures of the purchase and the segment model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

NUMBERS = ("age", "balance", "day", "campaign", "pdays", "previous")
TEXTS = ("job", "marital", "education", "default", "housing", "loan", "contact", "month", "poutcome")

CONFIG_NAMES = (
    "half_plus_two",
    "two_inputs",
    "multi_out",
    "strings",
    "identity",
    "batch_mismatch",
    "linear3",
)


def _vector(name: str, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec([None], dtype, name=name)


def save(path: Path, functions: Mapping[str, tuple[Callable[..., dict], list[tf.TensorSpec]]], **state: Any) -> None:
    """Saves functions as signatures; `state` holds the variables they use."""
    module = tf.Module()
    for name, value in state.items():
        setattr(module, name, value)
    signatures = {}
    for name, (function, specs) in functions.items():
        signatures[name] = tf.function(function, input_signature=specs)
        setattr(module, f"signature_{name}", signatures[name])
    tf.saved_model.save(module, str(path), signatures=signatures)


def half_plus(path: Path, addend: float) -> None:
    """y = 0.5 x + addend, also over tf.Examples for `:regress` and `:classify`."""
    slope, offset = tf.Variable(0.5), tf.Variable(addend)

    def of_examples(inputs: tf.Tensor) -> tf.Tensor:
        return slope * tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"] + offset

    examples = [_vector("inputs", tf.string)]
    save(
        path,
        {
            "serving_default": (lambda x: {"y": slope * x + offset}, [_vector("x")]),
            "regress_x_to_y": (lambda inputs: {"outputs": of_examples(inputs)}, examples),
            "classify_x_to_y": (lambda inputs: {"scores": of_examples(inputs)}, examples),
        },
        slope=slope,
        offset=offset,
    )


def _multi_out(x: tf.Tensor) -> dict[str, tf.Tensor]:
    total = tf.reduce_sum(x, axis=1)
    return {"total": total, "pair": x + x, "rank": tf.cast(tf.round(total), tf.int64), "positive": total > 0}


def build_all(root: Path) -> None:
    """Builds every toy model of the contract below `root`."""
    half_plus(root / "half_plus_two" / "1", 2.0)
    half_plus(root / "versioned" / "1", 2.0)
    half_plus(root / "versioned" / "2", 3.0)
    save(
        root / "two_inputs" / "1",
        {"serving_default": (lambda a, b: {"c": a + 2.0 * b}, [_vector("a"), _vector("b")])},
    )
    save(root / "multi_out" / "1", {"serving_default": (_multi_out, [tf.TensorSpec([None, 2], tf.float32, name="x")])})
    text = [_vector("s", tf.string)]
    save(
        root / "strings" / "1",
        {
            "serving_default": (lambda s: {"text": tf.identity(s), "raw_bytes": tf.identity(s)}, text),
            "text_only": (lambda s: {"text": tf.identity(s)}, text),
            "bytes_only": (lambda s: {"raw_bytes": tf.identity(s)}, text),
        },
    )
    kinds = {
        "serving_default": tf.float32,
        "f64": tf.float64,
        "i32": tf.int32,
        "i64": tf.int64,
        "u8": tf.uint8,
        "b1": tf.bool,
        "str": tf.string,
        "i8": tf.int8,
        "i16": tf.int16,
        "u32": tf.uint32,
        "u64": tf.uint64,
        "f16": tf.float16,
    }
    save(
        root / "identity" / "1",
        {
            name: (lambda v: {"out": tf.identity(v)}, [tf.TensorSpec(None, dtype, name="v")])
            for name, dtype in kinds.items()
        },
    )
    x = [_vector("x")]
    save(
        root / "batch_mismatch" / "1",
        {
            "serving_default": (lambda x: {"y": x + 1.0, "mean": tf.reshape(tf.reduce_mean(x), [1])}, x),
            "scalar_out": (lambda x: {"mean": tf.reduce_mean(x)}, x),
        },
    )
    weights = tf.Variable([[1.0], [2.0], [3.0]])
    save(
        root / "linear3" / "1",
        {
            "serving_default": (
                lambda features: {"score": tf.matmul(features, weights)},
                [tf.TensorSpec([None, 3], tf.float32, name="features")],
            )
        },
        weights=weights,
    )


def model_config(root: Path) -> str:
    """The toy models as a ModelServerConfig in text format."""
    entries = [
        f'config {{ name: "{name}" base_path: "{root / name}" model_platform: "tensorflow" }}' for name in CONFIG_NAMES
    ]
    entries.append(
        f'config {{ name: "versioned" base_path: "{root / "versioned"}" model_platform: "tensorflow" '
        "model_version_policy { all {} } "
        'version_labels { key: "stable" value: 1 } version_labels { key: "golden" value: 2 } }'
    )
    return "model_config_list {\n  " + "\n  ".join(entries) + "\n}\n"


def row(index: int = 0) -> dict[str, float | str]:
    """A customer row for `purchase_model`."""
    numbers = {name: float((index * 7 + position * 13) % 50) for position, name in enumerate(NUMBERS)}
    texts = {name: f"value-{(index + position) % 12}" for position, name in enumerate(TEXTS)}
    return {**numbers, **texts}


SEGMENT_NAMES = ("young", "middle-aged, =1+1", "over 53 / retired", "nobody")
"""Names of the segments of `segment_model`, with what a file name or a spreadsheet cannot take; the last is empty."""
_CENTRES = (25.0, 45.0, 65.0, 1000.0)


def segment_model(path: Path) -> None:
    """A stand-in with the segment model's signature: the segment is the nearest centre to `age`, in decades."""
    centres, names = tf.Variable(_CENTRES), tf.constant(SEGMENT_NAMES)

    def assign(age: tf.Tensor, housing: tf.Tensor) -> dict[str, tf.Tensor]:
        known = tf.where(tf.math.is_nan(age), 45.0, age)
        distances = tf.abs(known[:, None] - centres) / 10.0
        segment = tf.argmin(distances, axis=1)
        nearest = tf.reduce_min(distances, axis=1)
        return {
            "segment": segment,
            "name": tf.gather(names, segment),
            "distance": nearest,
            "membership": tf.nn.softmax(-tf.square(distances)),
            "outlier": nearest > 2.0,
        }

    save(path, {"serving_default": (assign, [_vector("age"), _vector("housing", tf.string)])}, centres=centres)


def segments_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `segment_model` answers, computed without TensorFlow."""
    age = np.array([row["age"] for row in rows], np.float32)
    distances = np.abs(np.nan_to_num(age, nan=45.0)[:, None] - np.float32(_CENTRES)) / np.float32(10)
    weights = np.exp(-np.square(distances))
    nearest = distances.argmin(axis=1)
    return [
        {
            "segment": int(segment),
            "name": SEGMENT_NAMES[segment],
            "distance": float(own[segment]),
            "membership": (weight / weight.sum()).tolist(),
            "outlier": bool(own[segment] > 2),
        }
        for segment, own, weight in zip(nearest, distances, weights, strict=True)
    ]


def purchase_model(path: Path, seed: int = 0, constant: float | None = None) -> None:
    """A stand-in with the purchase model's signature and about its cost: 15 scalars in, probability and purchase out.

    Args:
      constant: answer this probability for every row, to tell versions apart.
    """
    generator = tf.random.Generator.from_seed(seed)
    edges = tf.constant([float(edge) for edge in range(48)])
    vocabulary = tf.constant([f"value-{number}" for number in range(12)])
    initializer = tf.lookup.KeyValueTensorInitializer(vocabulary, tf.range(12, dtype=tf.int64))
    tables = [tf.lookup.StaticHashTable(initializer, -1) for _ in TEXTS]
    sizes = [len(NUMBERS) * 50 + len(TEXTS) * 12, 256, 256, 256, 1]
    layers = [tf.Variable(0.05 * generator.normal(pair)) for pair in pairwise(sizes)]

    def score(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = []
        for name in NUMBERS:
            missing = tf.math.is_nan(inputs[name])
            number = tf.where(missing, 0.0, inputs[name])[:, None]
            columns += [
                tf.clip_by_value(number - edges, 0.0, 1.0),
                number / 50.0,
                tf.cast(missing, tf.float32)[:, None],
            ]
        for name, table in zip(TEXTS, tables, strict=True):
            columns.append(tf.one_hot(table.lookup(inputs[name]), 12))
        hidden = tf.concat(columns, axis=1)
        for layer in layers[:-1]:
            hidden = tf.nn.silu(hidden @ layer)
        probability = tf.sigmoid((hidden @ layers[-1])[:, 0])
        if constant is not None:
            probability = tf.zeros_like(probability) + constant
        return {"probability": probability, "purchase": tf.cast(probability > 0.5, tf.int64)}

    specs = {name: _vector(name) for name in NUMBERS} | {name: _vector(name, tf.string) for name in TEXTS}

    def ordered(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return score(**dict(zip(specs, values, strict=True)))

    save(path, {"serving_default": (ordered, list(specs.values()))}, tables=tables, layers=layers)
    probability = 0.1 if constant is None else constant
    extra = path / "assets.extra"
    extra.mkdir()
    answer = {"probability": probability, "purchase": int(probability > 0.5)}
    (extra / "golden_request.json").write_text(json.dumps({"instances": [row()], "predictions": [answer]}))
