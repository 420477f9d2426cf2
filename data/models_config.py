"""The file that tells a model server which models of a folder to serve, and which of their versions have labels.

It is TensorFlow Serving's ModelServerConfig in text format: `artifacts/serving/models.config`. `runs.versions` writes
it; this module needs neither protobuf nor TensorFlow.

Every version of a model with labels is loaded (policy `all`), for TensorFlow Serving moves a label only to a version
that is loaded, and takes nothing from a file with a label that it cannot move yet. With the policy `specific` a version
that comes together with its label would never be loaded. With `latest` a push might unload the champion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from data.errors import BadFileError

FILE = "models.config"
STABLE, CANARY = "stable", "canary"
"""Labels: of the champion, and of the challenger on trial. Without a challenger both are the champion's, so that a
client that sends some of its requests to the canary always gets an answer."""
Labels = Mapping[str, int]
"""Versions by label."""

_NAME_OR_LABEL = re.compile(
    r'\bname:\s*"((?:[^"\\]|\\.)*)"|\bversion_labels\s*\{\s*key:\s*"(\w+)"\s*value:\s*(\d+)\s*\}'
)


def text(folder: Path, models: Mapping[str, Labels]) -> str:
    """The content of the file.

    Args:
      folder: of the models.
      models: the labels of each model, which may have none.
    """
    lines = ["model_config_list {"]
    for name, labels in sorted(models.items()):
        path = json.dumps(str(folder.absolute() / name))
        lines += ["  config {", f"    name: {json.dumps(name)}", f"    base_path: {path}"]
        lines.append('    model_platform: "tensorflow"')
        if labels:
            lines.append("    model_version_policy { all {} }")
        lines += [f'    version_labels {{ key: "{key}" value: {number} }}' for key, number in sorted(labels.items())]
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def parse(content: str) -> dict[str, Labels]:
    """The labels of each model in the content of the file, in whatever layout; the name of a model comes first."""
    models: dict[str, dict[str, int]] = {}
    labels: dict[str, int] = {}
    for name, label, number in _NAME_OR_LABEL.findall(content):
        if label:
            labels[label] = int(number)
        else:
            labels = models[json.loads(f'"{name}"')] = {}
    return dict(models)


def read(file: Path) -> dict[str, Labels]:
    """The labels of each model in the file; no models where there is no file.

    Raises:
      BadFileError: the file cannot be read.
    """
    try:
        return parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadFileError(f"{file}: cannot be read: {error}") from error
