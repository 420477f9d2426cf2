"""The aliases in MLflow's registry follow the labels of the served versions."""

from __future__ import annotations

import pytest

from data.paths import serving_folder
from runs import registry, tracking, versions

MODEL = "purchase-model"


@pytest.fixture
def artifacts(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "NOTICE_SECONDS", 0.0)
    monkeypatch.chdir(tmp_path)
    for version in (5, 6):
        (serving_folder(tmp_path, MODEL) / str(version)).mkdir(parents=True)
    return tmp_path


def aliases(uri: str) -> dict[str, str]:
    """Served version by alias."""
    client = tracking.connect(uri)
    found = client.get_registered_model(MODEL).aliases
    return {alias: client.get_model_version(MODEL, str(number)).tags["version"] for alias, number in found.items()}


def test_champion_and_challenger_are_where_the_labels_are(artifacts):
    uri = tracking.check(f"file:{artifacts}/mlruns")
    versions.promote(artifacts, MODEL, 6)
    registry.follow(uri, artifacts, MODEL)
    assert aliases(uri) == {"champion": "6"}
    (serving_folder(artifacts, MODEL) / "7").mkdir()
    versions.canary(artifacts, MODEL, 7)
    registry.follow(uri, artifacts, MODEL)
    assert aliases(uri) == {"champion": "6", "challenger": "7"}
    versions.promote(artifacts, MODEL, 7)
    registry.follow(uri, artifacts, MODEL)
    assert aliases(uri) == {"champion": "7"}
    versions.roll_back(artifacts, MODEL, 6)
    registry.follow(uri, artifacts, MODEL)
    registry.follow(uri, artifacts, MODEL)
    assert aliases(uri) == {"champion": "6"}
    assert len(tracking.connect(uri).search_model_versions(f"name='{MODEL}'")) == 2
    assert sorted(path.name for path in artifacts.iterdir()) == ["mlruns", "serving"]


def test_an_mlflow_that_is_not_there_is_said(artifacts):
    with pytest.raises(tracking.TrackingError, match="the registry does not follow"):
        registry.follow("http://127.0.0.1:9", artifacts, MODEL)
