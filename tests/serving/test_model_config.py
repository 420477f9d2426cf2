"""Configuration files in TensorFlow Serving's text format."""

from __future__ import annotations

from pathlib import Path

import pytest

from data import models_config
from data.errors import UserError
from serving.model_config import FolderOfModels, ModelConfig, VersionPolicy, read_metrics_path, read_models


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "file.config"
    path.write_text(text)
    return path


def test_models_policies_and_labels(tmp_path):
    path = write(
        tmp_path,
        """
        model_config_list {
          config { name: "a" base_path: "/models/a" model_platform: "tensorflow" }
          config { name: "b" base_path: "/models/b" model_version_policy { latest { num_versions: 2 } }
                   version_labels { key: "stable" value: 3 } }
          config { name: "c" base_path: "/models/c" model_version_policy { all {} } }
          config { name: "d" base_path: "/models/d" model_version_policy { specific { versions: 3 versions: 5 } } }
        }
        """,
    )
    a, b, c, d = read_models(path)
    assert a == ModelConfig("a", Path("/models/a"))
    assert b.labels == {"stable": 3}
    versions = {1, 2, 3, 4}
    served = [model.policy.choose(versions) for model in (a, b, c, d)]
    assert served == [{4}, {3, 4}, versions, {3}]


def test_a_policy_without_versions_on_disk_chooses_none():
    assert VersionPolicy().choose(set()) == set()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list {", "not a ModelServerConfig in text format"),
        ("", "expected a model_config_list"),
        ('model_config_list { config { base_path: "/a" } }', "has no name"),
        ('model_config_list { config { name: "a" base_path: "a" } }', "has to be an absolute path"),
        ('model_config_list { config { name: "a" base_path: "/a" model_platform: "x" } }', 'only "tensorflow"'),
        ('model_config_list { config { name: "a" base_path: "/a" } config { name: "a" base_path: "/b" } }', "twice"),
        (
            'model_config_list { config { name: "a" base_path: "/a" model_version_policy { specific {} } } }',
            "lists no versions",
        ),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        read_models(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/m" }', "/m"),
        ("prometheus_config { enable: false }", None),
        ("", None),
    ],
)
def test_the_metrics_page_is_where_the_monitoring_config_says(tmp_path, text, where):
    assert read_metrics_path(write(tmp_path, text)) == where


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.config: cannot be read"):
        read_metrics_path(tmp_path / "nowhere.config")


def test_folders_with_versions_are_models_and_stay_models(tmp_path):
    folder = tmp_path / "serving"
    models = FolderOfModels(folder, "first")
    assert models.read() == (ModelConfig("first", folder / "first"),)
    for path in ("b/1", "b/partial-2", "empty", "unfinished/partial-1"):
        (folder / path).mkdir(parents=True)
    assert models.read() == (ModelConfig("b", folder / "b"),)
    (folder / "a" / "3").mkdir(parents=True)
    (folder / "b").rename(tmp_path / "elsewhere")
    assert models.read() == (ModelConfig("a", folder / "a"), ModelConfig("b", folder / "b"))


def test_labels_in_a_folder_of_models_are_followed_wherever_it_lies(tmp_path):
    folder = tmp_path / "serving"
    for path in ("a/1", "a/2", "b/1"):
        (folder / path).mkdir(parents=True)
    models = FolderOfModels(folder, "first")
    file = folder / models_config.FILE
    file.write_text(models_config.text(Path("/elsewhere"), {"a": {"stable": 1, "canary": 2}}))
    labelled = ModelConfig("a", folder / "a", VersionPolicy(latest=0), {"stable": 1, "canary": 2})
    assert models.read() == (labelled, ModelConfig("b", folder / "b"))
    assert FolderOfModels(folder, "first", "a").read() == (labelled,)
    file.write_text("model_config_list {")
    with pytest.raises(UserError, match=r"models\.config: not a ModelServerConfig"):
        models.read()


def test_labels_are_read_without_protobuf_as_with_it(tmp_path):
    models = {"a": {"stable": 1, "canary": 2}, 'b "quoted"': {}, "c": {"stable": 7}}
    text = models_config.text(tmp_path, models)
    assert {model.name: model.labels for model in read_models(write(tmp_path, text))} == models
    assert models_config.parse(text) == models
    assert models_config.parse(" ".join(text.split())) == models
    assert models_config.read(tmp_path / "none") == {}


def test_folder_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "serving").write_text("")
    with pytest.raises(UserError, match="serving: cannot be read: Not a directory"):
        FolderOfModels(tmp_path / "serving", "first").read()
