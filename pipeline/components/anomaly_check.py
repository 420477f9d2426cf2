"""Stops a run whose data breaks the schema; ExampleValidator only writes that down."""

from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.v1.dsl.components import InputArtifact, component
from tfx.v1.types.standard_artifacts import ExampleAnomalies

from data.contract import BadInputError


@component
def AnomalyCheck(anomalies: InputArtifact[ExampleAnomalies]) -> None:  # noqa: N802
    """Raises BadInputError with one line per anomaly: split, column, what is wrong.

    Args:
      anomalies: what ExampleValidator found.
    """
    lines = describe(Path(anomalies.uri))
    if lines:
        raise BadInputError(
            "the data breaks its contract:\n"
            + "\n".join(f"  {line}" for line in lines)
            + "\nCorrect the file, or widen the contract if these values are right."
        )


def describe(folder: Path) -> list[str]:
    """One line per anomaly found in the `Split-*` folders of an ExampleAnomalies artifact."""
    lines = []
    for split in sorted(folder.glob("Split-*")):
        found = anomalies_pb2.Anomalies.FromString((split / "SchemaDiff.pb").read_bytes())
        where = split.name.removeprefix("Split-")
        if found.HasField("dataset_anomaly_info"):
            lines.append(f"{where}: {found.dataset_anomaly_info.description}")
        lines += [
            f"{where}: column '{'.'.join(info.path.step)}': {info.short_description}. {info.description}"
            for _, info in sorted(found.anomaly_info.items())
        ]
    return lines
