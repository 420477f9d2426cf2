"""Exports the SavedModel, from raw customers to segments, in a form that TF Serving's loader can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from data.model_spec import SEGMENT_MODEL
from modules.examples import parsing_spec
from modules.segments.config import SegmentConfig
from modules.segments.methods import TIE, Segmenter
from modules.segments.transform import FEATURES, GOWER
from modules.serving_module import ServingModule

_ACTIVATIONS = {"linear": tf.identity, "relu": tf.nn.relu, "tanh": tf.tanh}


class SegmentModule(ServingModule):
    """Transform graph, representation, centres and names as one TensorFlow module.

    Args:
      segmenter: the representation and the centres.
      graph: the fitted Transform graph.
      config: names the contract and the view.
      names: of the segments.
      temperature: of the membership.
      outlier_distance: beyond it a customer is an outlier.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        graph: tft.TFTransformOutput,
        config: SegmentConfig,
        names: Sequence[str],
        temperature: float,
        outlier_distance: float,
    ):
        super().__init__(parsing_spec(config.contract, config.view.columns))
        self._transform = graph.transform_features_layer()
        self._segmenter = segmenter
        self._names = [name.encode() for name in names]
        self._temperature = np.float32(temperature)
        self._outlier_distance = np.float32(outlier_distance)

    def predict(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The segment of raw rows.

        Returns:
          `segment` int64 [batch]; `name` string [batch]; `distance` float32 [batch], to the centre of the segment;
          `membership` float32 [batch, segments], the softmax of minus the squared distances over the temperature;
          `outlier` bool [batch].
        """
        encoded = self._transform(dict(features))
        distances = self._distances(encoded)
        nearest = tf.reduce_min(distances, axis=1)
        segment = tf.argmax(distances <= nearest[:, tf.newaxis] + TIE, axis=1)
        return {
            SEGMENT_MODEL.decision: segment,
            SEGMENT_MODEL.score: tf.gather(self._names, segment),
            "distance": nearest,
            "membership": tf.nn.softmax(-tf.square(distances) / self._temperature, axis=1),
            "outlier": nearest > self._outlier_distance,
        }

    def _distances(self, encoded: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The distance to each centre, float32 [batch, segments], as `Segmenter.distances` has it."""
        if self._segmenter.medoids is not None:
            return gower_distances(encoded[GOWER], self._segmenter.medoids, self._segmenter.nominal)
        code = encoded[FEATURES]
        for layer in self._segmenter.representation.layers:
            code = _ACTIVATIONS[layer.activation](tf.matmul(code, layer.weights) + layer.bias)
        return tf.sqrt(tf.reduce_sum(tf.square(code[:, tf.newaxis, :] - self._segmenter.centers), axis=2))


def gower_distances(rows: tf.Tensor, medoids: np.ndarray, nominal: np.ndarray) -> tf.Tensor:
    """Gower's distance of each row to each medoid, see `modules.segments.kmedoids`.

    Args:
      rows: float32 [batch, C], see `modules.segments.rows.Rows`.
      medoids: float32 [segments, C].
      nominal: which of the C columns hold indices of categories, bool [C].

    Returns:
      float32 [batch, segments]; 1 where no column is present in both.
    """
    difference = tf.abs(rows[:, tf.newaxis, :] - medoids)
    present = ~tf.math.is_nan(difference)
    parts = tf.where(nominal, tf.cast(difference > 0.0, tf.float32), difference)
    count = tf.reduce_sum(tf.cast(present, tf.float32), axis=2)
    total = tf.reduce_sum(tf.where(present, parts, 0.0), axis=2)
    return tf.where(count > 0.0, tf.math.divide_no_nan(total, count), 1.0)
