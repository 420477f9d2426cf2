"""Exports the SavedModel, from raw customers to probabilities, in a form that TF Serving's loader can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf
import tensorflow_transform as tft

from data.contract import Contract
from data.model_spec import PURCHASE_MODEL
from modules.examples import parsing_spec
from modules.purchase.calibration import Calibration
from modules.purchase.transform import FEATURES
from modules.serving_module import ServingModule


class PurchaseModule(ServingModule):
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
        super().__init__(parsing_spec(contract, features))
        self._variables = [variable.value for variable in network.variables]
        self._transform = graph.transform_features_layer()
        self._network = network
        self._calibration = calibration
        self._threshold = threshold

    def predict(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """`probability` float32 [batch] and `purchase` int64 [batch] of raw rows."""
        logit = self._network(self._transform(dict(features))[FEATURES], training=False)
        probability = self._calibration.apply_tensor(logit[:, 0])
        purchase = tf.cast(probability > self._threshold, tf.int64)
        return {PURCHASE_MODEL.score: probability, PURCHASE_MODEL.decision: purchase}
