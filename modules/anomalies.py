"""Anomalies of ExampleValidator, as messages."""

from __future__ import annotations

from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2


def describe(folder: Path) -> list[str]:
    """One line for each anomaly in the `Split-*` folders of an ExampleAnomalies artifact."""
    lines = []
    for split in sorted(folder.glob("Split-*")):
        anomalies = anomalies_pb2.Anomalies.FromString((split / "SchemaDiff.pb").read_bytes())
        name = split.name.removeprefix("Split-")
        if anomalies.HasField("dataset_anomaly_info"):
            lines.append(f"{name}: {anomalies.dataset_anomaly_info.description}")
        lines += [
            f"{name}: column '{'.'.join(info.path.step)}': {info.short_description}. {info.description}"
            for _, info in sorted(anomalies.anomaly_info.items())
        ]
    return lines
