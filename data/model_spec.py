"""The models of this project: the only place that knows their names."""

from __future__ import annotations

from dataclasses import dataclass

RAW_SIGNATURE = "serving_default"
"""Takes one tensor [batch] for each feature."""
EXAMPLE_SIGNATURE = "tf_examples"
"""Takes serialized tf.Examples [batch]."""
EXAMPLE_INPUT = "examples"
"""The input of EXAMPLE_SIGNATURE."""
EXPLAIN_SIGNATURE = "explain"
"""Of the purchase model: takes what RAW_SIGNATURE does, and returns `probability`, CONTRIBUTIONS and BASE."""
CONTRIBUTIONS = "contributions"
"""What each column adds to the logit of the probability, float32 [batch, columns]. The columns are in alphabetical
order: in Python, `sorted` of the names of the inputs."""
BASE = "base"
"""The mean logit of training rows, float32 [batch]. A row's base and contributions add up to the logit."""


@dataclass(frozen=True)
class ModelSpec:
    """What callers of a model have to know.

    Attributes:
      name: in `/v1/models/<name>`, `artifacts/serving/<name>`, `artifacts/runs/<name>`, MLflow and Prometheus.
      score: the output whose distribution is watched: one float32 or one text for each row.
      decision: the output that is acted upon: one int64 for each row.
      others: further outputs.
    """

    name: str
    score: str
    decision: str
    others: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs of RAW_SIGNATURE and EXAMPLE_SIGNATURE."""
        return self.score, self.decision, *self.others


PURCHASE_MODEL = ModelSpec(name="purchase-model", score="probability", decision="purchase")
"""Who is likely to purchase: `probability` is calibrated, `purchase` is 1 above the threshold."""

SEGMENT_MODEL = ModelSpec(
    name="segment-model", score="name", decision="segment", others=("distance", "membership", "outlier")
)
"""Who the customers are: `segment` counts from 0, `name` says it in words, `distance` is that to the segment's centre,
`membership` [segments] how much the customer belongs to each, `outlier` whether the distance is unusually large."""
