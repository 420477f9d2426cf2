"""Exports the SavedModel, from raw customers to probabilities, in a form that TF Serving's loader can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf
import tensorflow_transform as tft

from data.contract import Contract
from data.model_spec import EXAMPLE_INPUT, EXAMPLE_SIGNATURE, PURCHASE_MODEL, RAW_SIGNATURE
from modules.examples import parsing_spec
from modules.purchase.calibration import Calibration
from modules.purchase.transform import FEATURES


class ServingModule(tf.Module):
    """Transform graph, network, calibration and threshold as one TensorFlow module.

    TF Serving loads a Keras 3 model that is saved directly, and then fails every request, because the model's variables
    are not tracked as TensorFlow variables. The explicit list of `variable.value` makes them part of the export.
    """

    def __init__(
        self,
        network: keras.Model,
        graph: tft.TFTransformOutput,
        contract: Contract,
        features: Sequence[str],
        calibration: Calibration,
        threshold: float,
    ):
        super().__init__()
        self._variables = [variable.value for variable in network.variables]
        self._transform = graph.transform_features_layer()
        self._network = network
        self._spec = parsing_spec(contract, features)
        self._calibration = calibration
        self._threshold = threshold

    def save(self, path: str) -> None:
        """Writes the SavedModel with both signatures.

        `serving_default` takes one [batch] tensor per feature, float32 or string; `tf_examples` takes serialized
        tf.Examples, string [batch]. Both return `probability` float32 [batch] and `purchase` int64 [batch].
        """
        raw = {name: tf.TensorSpec([None], column.dtype, name=name) for name, column in self._spec.items()}
        examples = tf.TensorSpec([None], tf.string, name=EXAMPLE_INPUT)
        tf.saved_model.save(
            self,
            path,
            signatures={
                RAW_SIGNATURE: tf.function(self.predict, input_signature=[raw]),
                EXAMPLE_SIGNATURE: tf.function(self._predict_examples, input_signature=[examples]),
            },
        )

    def predict(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """`probability` and `purchase` of raw rows, as :meth:`save` describes them."""
        logit = self._network(self._transform(dict(features))[FEATURES], training=False)
        probability = self._calibration.apply_tensor(logit[:, 0])
        purchase = tf.cast(probability > self._threshold, tf.int64)
        return {PURCHASE_MODEL.score: probability, PURCHASE_MODEL.decision: purchase}

    def _predict_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.predict(tf.io.parse_example(examples, self._spec))
