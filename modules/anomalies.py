"""What ExampleValidator found, in words."""

from __future__ import annotations

from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2


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
