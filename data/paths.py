"""Where things are on disk."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""
ARTIFACTS = ROOT / "artifacts"
"""Everything that runs write, unless `--artifacts` names another folder."""


def models_folder(artifacts: Path) -> Path:
    """The folder of all models that a server may serve."""
    return artifacts / "serving"


def serving_folder(artifacts: Path, model: str) -> Path:
    """The folder of a model's versions, which a server watches."""
    return models_folder(artifacts) / model


def runs_folder(artifacts: Path, model: str) -> Path:
    """The folder of a model's runs."""
    return artifacts / "runs" / model


def spans_folder(artifacts: Path, contract: str) -> Path:
    """The folder of a contract's spans: its labelled calls, month by month."""
    return artifacts / "spans" / contract


def downloads_folder(artifacts: Path) -> Path:
    """The folder of data files that were downloaded from an object store."""
    return artifacts / "data"
