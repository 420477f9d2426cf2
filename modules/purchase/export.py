"""Exports the SavedModel, from raw customers to probabilities, in a form that TF Serving's loader can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from data.contract import Contract
from data.model_spec import BASE, CONTRIBUTIONS, EXPLAIN_SIGNATURE, PURCHASE_MODEL
from modules.examples import parsing_spec
from modules.purchase import transform
from modules.purchase.calibration import Calibration
from modules.purchase.explain import Explainer
from modules.serving_module import ServingModule


class PurchaseModule(ServingModule):
    """Transform graph, network, calibration and threshold as one TensorFlow module.

    TF Serving loads a Keras 3 model that is saved directly, and then fails every request, because the model's variables
    are not tracked as TensorFlow variables. The explicit list of `variable.value` makes them part of the export.

    Args:
      network: from features to one logit.
      graph: the fitted Transform graph.
      contract: of the rows.
      features: names of the inputs.
      calibration, threshold: as they were fitted.
      train: raw training rows, columns by name, with which predictions are explained.
    """

    def __init__(
        self,
        network: keras.Model,
        graph: tft.TFTransformOutput,
        contract: Contract,
        features: Sequence[str],
        calibration: Calibration,
        threshold: float,
        train: Mapping[str, np.ndarray],
    ):
        super().__init__(parsing_spec(contract, features))
        self._variables = [variable.value for variable in network.variables]
        self._transform = graph.transform_features_layer()
        self._network = network
        self._calibration = calibration
        self._threshold = threshold
        layout = transform.layout(contract, with_after_call=not set(contract.after_call).isdisjoint(features))
        self._explainer = Explainer(sorted(features), layout, self._encode, network, calibration, train)

    def predict(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """`probability` float32 [batch] and `purchase` int64 [batch] of raw rows."""
        logit = self._network(self._encode(features), training=False)
        probability = self._calibration.apply_tensor(logit[:, 0])
        purchase = tf.cast(probability > self._threshold, tf.int64)
        return {PURCHASE_MODEL.score: probability, PURCHASE_MODEL.decision: purchase}

    def explain(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """`probability` as :meth:`predict` gives it, with `contributions` and `base`; see `data.model_spec`."""
        contributions, base, logit = self._explainer(self._encode(features))
        return {PURCHASE_MODEL.score: tf.sigmoid(logit), CONTRIBUTIONS: contributions, BASE: base}

    def signatures(self) -> dict[str, Callable]:
        """Those of every model, and `explain`."""
        return {**super().signatures(), EXPLAIN_SIGNATURE: self.of_raw(self.explain)}

    def _encode(self, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return self._transform(dict(features))[transform.FEATURES]
