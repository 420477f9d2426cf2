"""Runs an exported model the way TF Serving does: the TF1 SavedModel loader, in a fresh graph and process.

    python -m modules.tf_serving_probe MODEL_FOLDER <REQUEST.json

Exists because an export can pass the Evaluator and every Python check and still fail each request in TF Serving, whose
C++ loader restores only what the graph tracks. Prints one line of JSON: the largest difference between expected and
returned probability by signature. Exits 1 with the loader's own message where a signature cannot be run.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from data.model_spec import EXAMPLE_INPUT, EXAMPLE_SIGNATURE, PURCHASE_MODEL, RAW_SIGNATURE


def differences(folder: str, rows: Mapping[str, list], examples: list[bytes], expected: np.ndarray) -> dict[str, float]:
    """Largest absolute difference of the probability, by signature.

    Args:
      folder: the SavedModel.
      rows: raw columns by feature name, each of the same length as `expected`.
      examples: the same rows as serialized tf.Examples.
      expected: probabilities, float [rows].

    Raises:
      tf.errors.OpError: the model cannot be loaded, or a signature fails.
    """
    inputs = {RAW_SIGNATURE: rows, EXAMPLE_SIGNATURE: {EXAMPLE_INPUT: examples}}
    found = {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta_graph = tf.compat.v1.saved_model.loader.load(session, [tf.saved_model.SERVING], folder)
        for name, columns in inputs.items():
            signature = meta_graph.signature_def[name]
            feed = {signature.inputs[column].name: values for column, values in columns.items()}
            probability = session.run(signature.outputs[PURCHASE_MODEL.score].name, feed)
            found[name] = float(np.max(np.abs(probability - expected)))
    return found


def main(folder: str) -> int:
    """Command line; see the module's text."""
    document = json.load(sys.stdin)
    examples = [base64.b64decode(text) for text in document["examples"]]
    try:
        found = differences(folder, document["rows"], examples, np.array(document["expected"]))
    except (tf.errors.OpError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
