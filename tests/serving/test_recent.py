"""What the server counts for drift: the rows it scored, and nothing where no profile fits."""

import json

import numpy as np
import pytest

from analysis import profile
from data import contract as contracts
from data.model_folder import PROFILE, ModelFolder
from serving import recent

CONTRACT = contracts.load("bank-full")
FEATURES = ("age", "job")


@pytest.fixture
def version(tmp_path):
    columns = {"age": np.arange(20, 60, dtype=np.float32), "job": np.array(["student", "retired"] * 20, object)}
    reference = profile.build(columns, np.linspace(0, 1, 40, dtype=np.float32), CONTRACT, FEATURES, "probability")
    folder = ModelFolder(tmp_path)
    folder.extra(PROFILE).parent.mkdir()
    folder.extra(PROFILE).write_text(reference.to_json())
    return folder


def test_rows_of_a_run_are_counted(version):
    counts = recent.load(version, FEATURES, ["probability", "purchase"])
    arrays = [np.array([30, np.nan, 99], np.float32), np.array([b"student", b"pilot", b""], object)]
    counts.add(FEATURES, arrays, {"probability": np.array([0.5, 0.2, 0.2], np.float32)})
    page = json.loads(json.dumps(counts.page()))
    assert page["recent"]["rows"] == 3
    assert page["recent"]["features"]["job"] == [0, 1, 1, 1]
    assert page["recent"]["features"]["age"][-2:] == [1, 1]
    assert page["recent"]["score_sum"] == pytest.approx(0.9)
    assert page["profile"]["reference"]["rows"] == 40


@pytest.mark.parametrize("shape", [(), (1, 1), (2,)])
def test_tensors_of_another_shape_than_the_scores_are_passed_over(version, shape):
    counts = recent.load(version, FEATURES, ["probability"])
    arrays = [np.full(shape, 30, np.float32), np.full(shape, b"student", object)]
    counts.add(FEATURES, arrays, {"probability": np.zeros(shape if shape != (2,) else (1,), np.float32)})
    assert counts.page()["recent"]["rows"] == 0


@pytest.mark.parametrize("inputs", [("age",), (*FEATURES, "day")])
def test_profile_of_another_model_is_not_used(version, inputs, caplog):
    assert recent.load(version, inputs, ["probability"]) is None
    assert "other features" in caplog.text


def test_profile_of_another_output_is_not_used(version, caplog):
    assert recent.load(version, FEATURES, ["segment"]) is None
    assert "another output" in caplog.text


def test_segment_names_are_counted(tmp_path):
    columns = {"age": np.arange(20, 60, dtype=np.float32), "job": np.array(["student", "retired"] * 20, object)}
    names = np.array(["young", "over 40"] * 20, object)
    reference = profile.build(columns, names, CONTRACT, FEATURES, "name", values=("young", "over 40", "new"))
    extra = ModelFolder(tmp_path).extra(PROFILE)
    extra.parent.mkdir()
    extra.write_text(reference.to_json())
    counts = recent.load(ModelFolder(tmp_path), FEATURES, ["segment", "name", "membership"])
    arrays = [np.array([30, 70, 71], np.float32), np.array([b"student", b"retired", b"retired"], object)]
    outputs = {"name": np.array([b"young", b"over 40", b"over 40"], object), "membership": np.ones((3, 2), np.float32)}
    counts.add(FEATURES, arrays, outputs)
    page = json.loads(json.dumps(counts.page()))
    assert page["recent"]["score"] == [1, 2, 0, 0, 0]
    assert page["profile"]["score"] == {"values": ["young", "over 40", "new"]}


def test_missing_or_damaged_profile_does_not_keep_a_version_from_serving(version):
    version.extra(PROFILE).write_text("{}")
    assert recent.load(version, FEATURES, ["probability"]) is None
    version.extra(PROFILE).unlink()
    assert recent.load(version, FEATURES, ["probability"]) is None
