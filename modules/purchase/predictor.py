"""An exported model as a function of raw columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from data.model_spec import PURCHASE_MODEL, RAW_SIGNATURE
from modules.examples import BATCH


@lru_cache(maxsize=1)
def load(model: str) -> Any:
    """The SavedModel in a folder. The last one stays in memory, since several stages in a row score with it."""
    return tf.saved_model.load(model)


def scorer(model: str, features: Sequence[str]) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Loads a SavedModel.

    Args:
      model: the SavedModel's folder.
      features: names of its inputs.

    Returns:
      A function from raw columns, each [rows] as `modules.examples.read_raw` gives them, to the probabilities of the
      raw signature, float32 [rows]. It ignores columns that are not features.
    """
    loaded = load(model)

    def score(columns: Mapping[str, np.ndarray]) -> np.ndarray:
        starts = range(0, len(columns[features[0]]), BATCH)
        batches = ({name: tf.constant(columns[name][i : i + BATCH]) for name in features} for i in starts)
        return np.concatenate(
            [loaded.signatures[RAW_SIGNATURE](**batch)[PURCHASE_MODEL.score].numpy() for batch in batches]
        )

    return score
