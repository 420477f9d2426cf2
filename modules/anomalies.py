"""Anomalies of ExampleValidator, as messages."""

from __future__ import annotations

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.io import fileio

from modules.artifacts import read_bytes


def describe(anomalies_uri: str) -> list[str]:
    """One line for each anomaly in the `Split-*` folders of an ExampleAnomalies artifact."""
    lines = []
    # A folder in an object store is listed with a slash at its end.
    for folder in sorted(name.rstrip("/") for name in fileio.listdir(anomalies_uri)):
        if not folder.startswith("Split-"):
            continue
        anomalies = anomalies_pb2.Anomalies.FromString(read_bytes(anomalies_uri, folder, "SchemaDiff.pb"))
        name = folder.removeprefix("Split-")
        if anomalies.HasField("dataset_anomaly_info"):
            lines.append(f"{name}: {anomalies.dataset_anomaly_info.description}")
        lines += [
            f"{name}: column '{'.'.join(info.path.step)}': {info.short_description}. {info.description}"
            for _, info in sorted(anomalies.anomaly_info.items())
        ]
    return lines
