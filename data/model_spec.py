"""The models of this project: the only place that knows their names."""

from __future__ import annotations

from dataclasses import dataclass

RAW_SIGNATURE = "serving_default"
"""Takes one tensor [batch] for each feature."""
EXAMPLE_SIGNATURE = "tf_examples"
"""Takes serialized tf.Examples [batch]."""
EXAMPLE_INPUT = "examples"
"""The input of EXAMPLE_SIGNATURE."""


@dataclass(frozen=True)
class ModelSpec:
    """What callers of a model have to know.

    Attributes:
      name: in `/v1/models/<name>`, `artifacts/serving/<name>`, `artifacts/runs/<name>`, MLflow and Prometheus.
      score: the output whose distribution is watched: one float32 for each row.
      decision: the output that follows from the score: one int64 for each row.
    """

    name: str
    score: str
    decision: str

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs of both signatures."""
        return self.score, self.decision


PURCHASE_MODEL = ModelSpec(name="purchase-model", score="probability", decision="purchase")
"""Who is likely to purchase: `probability` is calibrated, `purchase` is 1 above the threshold."""
