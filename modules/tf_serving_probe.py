"""Runs an exported model as TF Serving does: with the TF1 SavedModel loader, in a new graph and process.

    python -m modules.tf_serving_probe MODEL_FOLDER <REQUEST.json

An export can pass the Evaluator and every Python check, and still fail each request in TF Serving, whose C++ loader
restores only the variables that the graph tracks. The output is one line of JSON: by signature, the largest difference
between the expected and the returned output; for `explain` also the difference between the expected probability and the
one that base and contributions add up to. The exit code is 1, with the loader's message, where a signature
cannot be run.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping

import numpy as np

if __name__ == "__main__":
    # TF Serving has no Keras, so the process has none either. TensorFlow would import it, which takes a second.
    sys.modules["keras"] = None  # type: ignore[assignment]

import tensorflow as tf
from scipy.special import expit

from data.model_spec import (
    BASE,
    CONTRIBUTIONS,
    EXAMPLE_INPUT,
    EXAMPLE_SIGNATURE,
    EXPLAIN_SIGNATURE,
    RAW_SIGNATURE,
)


def differences(
    folder: str, rows: Mapping[str, list], examples: list[bytes], output: str, expected: np.ndarray
) -> dict[str, float]:
    """The largest absolute difference of an output, by signature.

    Args:
      folder: the SavedModel.
      rows: raw columns by feature name, each of the same length as `expected`.
      examples: the same rows as serialized tf.Examples.
      output: its name.
      expected: its values, numbers [rows].

    Raises:
      tf.errors.OpError: the model cannot be loaded, or a signature fails.
    """
    inputs = {RAW_SIGNATURE: rows, EXAMPLE_SIGNATURE: {EXAMPLE_INPUT: examples}, EXPLAIN_SIGNATURE: rows}
    largest = {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta_graph = tf.compat.v1.saved_model.loader.load(session, [tf.saved_model.SERVING], folder)
        if EXPLAIN_SIGNATURE not in meta_graph.signature_def:  # a model of another kind
            del inputs[EXPLAIN_SIGNATURE]
        for name, columns in inputs.items():
            signature = meta_graph.signature_def[name]
            feed = {signature.inputs[column].name: values for column, values in columns.items()}
            fetched = session.run({key: info.name for key, info in signature.outputs.items()}, feed)
            found = [fetched[output]]
            if name == EXPLAIN_SIGNATURE:
                found.append(expit(fetched[BASE] + fetched[CONTRIBUTIONS].sum(axis=1)))
            largest[name] = float(np.max(np.abs(np.array(found) - expected)))
    return largest


def main(folder: str) -> int:
    """The command line; see the docstring of the module."""
    document = json.load(sys.stdin)
    examples = [base64.b64decode(text) for text in document["examples"]]
    try:
        largest = differences(folder, document["rows"], examples, document["output"], np.array(document["expected"]))
    except (tf.errors.OpError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(json.dumps(largest) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
