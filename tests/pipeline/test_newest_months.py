"""A new model is blessed if it is no worse than the champion on the newest months."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model

from analysis.trial_result import ChampionTrial
from data.contract import CALL_DAY
from modules import artifacts
from pipeline.components.blessings import TrialBlessing
from pipeline.components.newest_months import NewestMonths, TrialFigures
from pipeline.components.scorer import Scores
from tests.support import dated

ROWS = 900
CONTRACT = dated.contract(derived=None)
FIRST_DAY = np.datetime64("2009-01-01", "D").astype(int)


@dataclass(frozen=True)
class Judged:
    """What the component put out."""

    result: ChampionTrial
    blessed: bool
    model: int


@dataclass(frozen=True)
class Calls:
    """Rows of the test split, three months of calls: the older customers buy more often."""

    age: np.ndarray
    label: np.ndarray
    day: np.ndarray


@pytest.fixture(scope="module")
def calls() -> Calls:
    generator = np.random.default_rng(0)
    age = generator.integers(20, 80, ROWS).astype(np.float32)
    label = (generator.random(ROWS) < 0.5 + 0.6 * (age - 50) / 100).astype(np.int64)
    return Calls(age, label, FIRST_DAY + np.arange(ROWS) * 90 // ROWS)


@pytest.fixture(scope="module")
def examples(calls, tmp_path_factory) -> Examples:
    folder = tmp_path_factory.mktemp("examples")
    (folder / "Split-test").mkdir()
    with tf.io.TFRecordWriter(str(folder / "Split-test" / "data_tfrecord-00000-of-00001")) as writer:
        for age, label, day in zip(calls.age, calls.label, calls.day, strict=True):
            features = tf.train.Features(
                feature={
                    "age": tf.train.Feature(float_list=tf.train.FloatList(value=[age])),
                    "bought": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                    CALL_DAY: tf.train.Feature(int64_list=tf.train.Int64List(value=[day])),
                }
            )
            writer.write(tf.train.Example(features=features).SerializeToString())
    made = Examples()
    made.uri, made.split_names = str(folder), artifact_utils.encode_split_names(["test"])
    return made


def export(folder: Path, slope: float, name: str = "age", dtype: tf.DType = tf.float32) -> Path:
    """A model whose probability is 0.5 + slope * (age - 50) / 100."""
    module = tf.Module()

    @tf.function(input_signature=[{name: tf.TensorSpec([None], dtype, name=name)}])
    def predict(columns):
        return {"probability": 0.5 + slope * (tf.cast(columns[name], tf.float32) - 50.0) / 100.0}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": predict})
    return folder


@pytest.fixture
def judge(calls, examples, tmp_path):
    """Judges a model with this slope; `champion` is that of the champion's, or its folder."""

    def judge(slope: float, champion: float | Path | None, champion_split: str = "random") -> Judged:
        model, scores, trial, blessing = Model(), Scores(), TrialFigures(), TrialBlessing()
        model.id, model.uri = 17, str(tmp_path / "model")
        export(tmp_path / "model" / "Format-Serving", slope)
        for made, name in ((scores, "scores"), (trial, "trial"), (blessing, "blessing")):
            (tmp_path / name).mkdir()
            made.uri = str(tmp_path / name)
        columns = {"label": calls.label.astype(np.float32), "probability": 0.5 + slope * (calls.age - 50) / 100}
        artifacts.write_arrays(columns, scores.uri, "test.npz")
        if isinstance(champion, float):
            champion = export(tmp_path / "serving" / "5", champion)
        NewestMonths.EXECUTOR_SPEC.executor_class().Do(
            {"examples": [examples], "model": [model], "scores": [scores]},
            {"trial": [trial], "blessing": [blessing]},
            {
                "contract": CONTRACT.model_dump_json(),
                "split": "random",
                "champion": str(champion or ""),
                "version": 5 if champion else 0,
                "digest": "",
                "champion_split": champion_split,
                "code": "",
            },
        )
        return Judged(
            ChampionTrial.from_dict(artifacts.read_json(trial.uri, artifacts.TRIAL)),
            bool(blessing.get_int_custom_property("blessed")),
            blessing.get_int_custom_property("current_model_id"),
        )

    return judge


def test_a_model_that_ranks_worse_is_refused(judge):
    judged = judge(-0.2, champion=0.2)
    assert (judged.blessed, judged.model) == (False, 17)
    trial = judged.result.trial
    assert trial.ranks_worse
    assert trial.challenger_auc == pytest.approx(1 - trial.champion_auc)
    assert "worse than the champion, version 5" in judged.result.verdict


def test_a_model_that_ranks_as_well_is_blessed(judge):
    judged = judge(0.21, champion=0.2)
    assert judged.blessed
    assert judged.result.trial.challenger_auc == judged.result.trial.champion_auc > 0.6
    assert "as well as the champion, version 5" in judged.result.verdict


def test_a_model_that_ranks_better_is_blessed(judge):
    judged = judge(0.2, champion=-0.2)
    assert judged.blessed
    assert "better than the champion, version 5" in judged.result.verdict


def test_a_model_that_ranks_as_well_but_is_too_sure_is_refused(judge):
    judged = judge(1.6, champion=0.6)
    assert not judged.blessed
    assert not judged.result.trial.ranks_worse
    assert judged.result.trial.predicts_worse
    assert "its log loss is worse" in judged.result.verdict


def test_the_same_model_again_is_a_tie(judge):
    judged = judge(0.2, champion=0.2)
    assert judged.blessed
    assert judged.result.trial.auc_gain.low == judged.result.trial.auc_gain.high == 0


def test_only_the_newest_months_with_enough_calls_count(judge, calls):
    trial = judge(0.2, champion=0.2).result.trial
    newest = calls.day >= np.datetime64("2009-03-01", "D").astype(int)
    assert trial.months == ("2009-03",)
    assert (trial.rows, trial.positives) == (newest.sum(), calls.label[newest].sum())
    assert trial.period == "2009-03"


def test_without_a_champion_a_model_is_blessed_and_the_trial_says_so(judge):
    judged = judge(-0.2, champion=None)
    assert judged.blessed
    assert judged.result == ChampionTrial(None, None, "there is none yet")
    assert judged.result.verdict == "It was not compared with a champion on the newest months: there is none yet."


@pytest.mark.parametrize(("name", "dtype"), [("income", tf.float32), ("age", tf.int64)])
def test_a_champion_with_other_inputs_is_no_measure(judge, tmp_path, name, dtype):
    judged = judge(-0.2, champion=export(tmp_path / "other", 0.2, name, dtype))
    assert judged.blessed
    assert judged.result.reason == f"version 5 reads {name}, which this model does not"


def test_a_champion_that_may_have_learned_from_these_rows_is_no_measure(judge):
    judged = judge(-0.2, champion=0.2, champion_split="time")
    assert judged.blessed
    assert "version 5 learned from rows that are held out now" in judged.result.reason


def test_a_champion_of_an_unknown_run_is_a_measure(judge):
    assert not judge(-0.2, champion=0.2, champion_split="").blessed
