"""Versions appear whole, newest last, and only when there is something new."""

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel

from data import models_config
from data.paths import models_folder, serving_folder
from pipeline.components import pusher
from pipeline.components.blessings import TrialBlessing
from pipeline.components.pusher import differing_inputs, versions
from runs import versions as champions


def push(model: Path, served: Path, keep: int) -> str:
    return pusher.push(str(model), str(served), keep)


def export(folder: Path, **types: tf.DType) -> Path:
    """A SavedModel whose raw signature has these inputs, as far as its graph file goes."""
    graph = SavedModel()
    signature = graph.meta_graphs.add().signature_def["serving_default"]
    for name, dtype in types.items():
        signature.inputs[name].dtype = dtype.as_datatype_enum
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(graph.SerializeToString())
    return folder


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def test_a_version_is_a_copy_of_the_model(model, tmp_path):
    version = tmp_path / "served" / push(model, tmp_path / "served", keep=3)
    assert (version / "saved_model.pb").read_bytes() == b"graph"
    assert (version / "variables" / "variables.index").read_bytes() == b"index"


def test_the_same_model_is_not_pushed_twice(model, tmp_path):
    first = push(model, tmp_path / "served", keep=3)
    assert push(model, tmp_path / "served", keep=3) == first
    assert versions(str(tmp_path / "served")) == [first]


def test_versions_rise_within_one_second_and_old_ones_go(model, tmp_path):
    pushed = []
    for number in range(5):
        (model / "saved_model.pb").write_bytes(b"graph %d" % number)
        pushed.append(push(model, tmp_path / "served", keep=2))
    assert [int(v) for v in pushed] == sorted({int(v) for v in pushed})
    assert versions(str(tmp_path / "served")) == pushed[-2:]


def test_old_versions_go_although_the_model_is_the_newest_already(model, tmp_path):
    for number in range(3):
        (model / "saved_model.pb").write_bytes(b"graph %d" % number)
        newest = push(model, tmp_path / "served", keep=3)
    assert push(model, tmp_path / "served", keep=1) == newest
    assert versions(str(tmp_path / "served")) == [newest]


def test_a_model_pushed_before_the_newest_becomes_a_version_again(model, tmp_path):
    first = push(model, tmp_path / "served", keep=3)
    (model / "saved_model.pb").write_bytes(b"other")
    push(model, tmp_path / "served", keep=3)
    (model / "saved_model.pb").write_bytes(b"graph")
    assert int(push(model, tmp_path / "served", keep=3)) > int(first)


def test_what_a_killed_push_left_is_cleared_and_was_never_a_version(model, tmp_path):
    leftover = tmp_path / "served" / ".incoming-17"
    leftover.mkdir(parents=True)
    assert versions(str(tmp_path / "served")) == []
    push(model, tmp_path / "served", keep=3)
    assert not leftover.exists()


def test_foreign_folders_are_left_alone(model, tmp_path):
    notes = tmp_path / "served" / "notes"
    notes.mkdir(parents=True)
    push(model, tmp_path / "served", keep=1)
    assert notes.is_dir()


def test_a_model_with_the_inputs_of_the_newest_version_may_replace_it(tmp_path):
    new = export(tmp_path / "model", age=tf.float32, job=tf.string)
    assert differing_inputs(str(new), str(tmp_path / "served")) is None, "there is no version yet"
    export(tmp_path / "served" / "9", age=tf.float32)
    export(tmp_path / "served" / "10", job=tf.string, age=tf.float32)
    assert differing_inputs(str(new), str(tmp_path / "served")) is None


def test_inputs_that_would_break_callers_are_named(tmp_path):
    new = export(tmp_path / "model", age=tf.string, job=tf.string, income=tf.float32)
    export(tmp_path / "served" / "7", age=tf.float32, job=tf.string, month=tf.string)
    assert differing_inputs(str(new), str(tmp_path / "served")) == (
        "the inputs differ from those of version 7: missing month; new income; of another type age"
    )


def test_champion_and_challenger_stay_however_old_they_are(model, tmp_path):
    served = serving_folder(tmp_path, "m")
    pushed = []
    for number in range(5):
        (model / "saved_model.pb").write_bytes(b"graph %d" % number)
        pushed.append(int(push(model, served, keep=2)))
        if number == 1:
            champions.canary(tmp_path, "m", pushed[1])
    assert versions(str(served)) == [str(number) for number in (pushed[0], pushed[1], pushed[3], pushed[4])]
    assert champions.champion(tmp_path, "m") == pushed[0]


def test_a_model_that_is_pushed_for_the_first_time_is_listed_for_servers(model, tmp_path):
    push(model, serving_folder(tmp_path, "m"), keep=2)
    file = models_folder(tmp_path) / models_config.FILE
    assert not file.exists(), "without labels servers look into the folder"
    champions.promote(tmp_path, "m", champions.champion(tmp_path, "m"))
    push(model, serving_folder(tmp_path, "other"), keep=2)
    assert models_config.read(file).keys() == {"m", "other"}


def test_withdrawn_versions_are_neither_counted_nor_pruned(model, tmp_path):
    withdrawn = tmp_path / "served" / champions.WITHDRAWN / "17"
    withdrawn.mkdir(parents=True)
    pushed = push(model, tmp_path / "served", keep=1)
    assert versions(str(tmp_path / "served")) == [pushed]
    assert withdrawn.is_dir()


@pytest.mark.parametrize(
    ("judge", "probe", "trial", "pushed"),
    [
        (True, True, None, True),
        (True, True, True, True),
        (True, True, False, False),
        (True, False, True, False),
        (False, True, True, False),
    ],
)
def test_a_model_needs_every_blessing_there_is(judge, probe, trial, pushed, tmp_path):
    model, output = Model(), PushedModel()
    model.uri, output.uri = str(tmp_path / "model"), str(tmp_path / "pushed")
    export(tmp_path / "model" / "Format-Serving", age=tf.float32)
    verdicts = {"model_blessing": (ModelBlessing(), judge), "infra_blessing": (InfraBlessing(), probe)}
    if trial is not None:
        verdicts["trial_blessing"] = (TrialBlessing(), trial)
    for blessing, blessed in verdicts.values():
        blessing.set_int_custom_property("blessed", int(blessed))
    settings = {"base_directory": str(tmp_path / "served"), "keep": 3, "replace_inputs": 0, "run_id": "run"}
    pusher.AtomicPusher.EXECUTOR_SPEC.executor_class().Do(
        {"model": [model], **{key: [blessing] for key, (blessing, _) in verdicts.items()}},
        {"pushed_model": [output]},
        settings,
    )
    assert output.get_int_custom_property("pushed") == int(pushed)
    assert bool(versions(str(tmp_path / "served"))) == pushed
