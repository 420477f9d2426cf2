"""The gate: the bounds that a model must keep to be blessed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """The bounds that a model must keep on the test split to be blessed.

    On the bank's data the majority class alone is 88 % accurate, so the gain over it is bounded, not the accuracy.
    """

    min_accuracy_gain: float = 0.003
    """Smallest BinaryAccuracy at 0.5 minus the share of the larger class in the same split."""
    min_auc: float = 0.70
    max_accuracy_loss: float = 0.004
    """Largest loss of BinaryAccuracy against the last blessed model on the same rows."""
    max_auc_loss: float = 0.01
    """Largest loss of AUC against the last blessed model on the same rows."""
