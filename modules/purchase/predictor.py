"""An exported model as a function of raw columns, for what measures it from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from data.model_spec import PURCHASE_MODEL, RAW_SIGNATURE

_BATCH = 8192


def scorer(model: str, features: Sequence[str]) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Loads a SavedModel.

    Args:
      model: the SavedModel's folder.
      features: names of its inputs; other columns are ignored.

    Returns:
      A function from raw columns, [rows] each as `modules.examples.read_raw` gives them, to the probabilities that
      the raw signature answers, float32 [rows].
    """
    loaded = tf.saved_model.load(model)

    def score(columns: Mapping[str, np.ndarray]) -> np.ndarray:
        starts = range(0, len(columns[features[0]]), _BATCH)
        batches = ({name: tf.constant(columns[name][i : i + _BATCH]) for name in features} for i in starts)
        return np.concatenate(
            [loaded.signatures[RAW_SIGNATURE](**batch)[PURCHASE_MODEL.score].numpy() for batch in batches]
        )

    return score
