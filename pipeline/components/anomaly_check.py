"""Stops a run whose data breaks the schema; ExampleValidator only writes that down."""

from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import ExampleAnomalies

from data.errors import BadFileError
from modules.anomalies import describe


@component
def AnomalyCheck(anomalies: InputArtifact[ExampleAnomalies]) -> None:  # noqa: N802
    """Raises BadFileError with one line per anomaly: split, column, what is wrong.

    Args:
      anomalies: what ExampleValidator found.
    """
    lines = describe(anomalies.uri)
    if lines:
        raise BadFileError(
            "the data breaks its contract:\n"
            + "\n".join(f"  {line}" for line in lines)
            + "\nCorrect the file, or widen the contract if these values are right."
        )
