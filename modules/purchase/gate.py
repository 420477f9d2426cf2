"""The gate that a model has to pass to be pushed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """The bounds a model must keep on the test split to be blessed.

    The majority class alone is 88 % accurate on the bank's data, so accuracy counts only as far as it exceeds that.
    """

    min_accuracy_gain: float = 0.003
    """BinaryAccuracy at 0.5 minus the share of the larger class in the same split."""
    min_auc: float = 0.70
    max_accuracy_loss: float = 0.004
    """How far BinaryAccuracy may fall below the last blessed model's on the same rows."""
    max_auc_loss: float = 0.01
    """How far AUC may fall below the last blessed model's on the same rows."""
