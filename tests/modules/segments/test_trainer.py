"""From rows to an exported segment model, without a pipeline."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from analysis.profile import Profile
from analysis.segmentation import Candidate
from data import contract as contracts
from data.model_folder import CARD, EXTRAS, ModelFolder, SegmentCard
from data.model_spec import EXAMPLE_INPUT, EXAMPLE_SIGNATURE, RAW_SIGNATURE, SEGMENT_MODEL
from modules import tf_serving_probe
from modules.segments import fitted, judging, reading, trainer, transform
from modules.segments.config import SegmentConfig
from modules.segments.judging import Assigned
from tests.support.training import examples, train_and_export, write_examples

CONTRACT = contracts.parse(
    """
name: shop
title: customers of a shop
numeric:
  spent: {unit: euros, min: 0, max: 100000}
  age: {unit: years, min: 16, max: 110, integer: true, blank: true}
categorical:
  city: {values: [Köln, Bonn, Ulm]}
  card: {values: ["0", "1"]}
label: {name: bought, positive: "yes", negative: "no"}
views:
  people: {columns: [spent, age, city], describe: [card]}
""",
    "shop.yaml",
)
VIEW = CONTRACT.views["people"]


def customers(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Three kinds of customers: the young of Köln, the old of Bonn who spend much, and those of Ulm without an age."""
    random = np.random.default_rng(seed)
    kind = random.integers(3, size=rows)
    age = np.where(kind == 0, 25, 65) + random.integers(-5, 6, rows)
    return {
        "spent": (np.array([10, 900, 100])[kind] * random.lognormal(0, 0.3, rows)).astype(np.float32),
        "age": np.where(kind == 2, np.nan, age).astype(np.float32),
        "city": np.array(["Köln".encode(), b"Bonn", b"Ulm"], object)[kind],
        "card": np.array([b"0", b"1"], object)[(random.random(rows) < np.array([0.1, 0.8, 0.4])[kind]).astype(int)],
        "bought": (random.random(rows) < np.array([0.05, 0.4, 0.1])[kind]).astype(np.int64),
    }


def export(folder: Path, candidate: Candidate, names: str = "", base_model: Path | None = None) -> Path:
    config = SegmentConfig(CONTRACT, "people", seed=3, names=names).to_config()
    return train_and_export(
        folder,
        CONTRACT,
        transform.preprocessing_fn,
        trainer.run_fn,
        config,
        customers(300, 1),
        customers(80, 2),
        hyperparameters=asdict(candidate),
        base_model=base_model and str(base_model),
    )


def outputs(model: Path, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    serve = tf.saved_model.load(str(model)).signatures[RAW_SIGNATURE]
    return {name: value.numpy() for name, value in serve(**{n: tf.constant(rows[n]) for n in VIEW.columns}).items()}


@pytest.fixture(
    scope="module",
    params=[
        Candidate("kmeans", "columns", 3),
        Candidate("kmeans", "pca", 3),
        Candidate("kmedoids", "autoencoder", 3),
        Candidate("kmedoids", "columns", 3),
    ],
    ids=lambda candidate: f"{candidate.method}-{candidate.representation}",
)
def model(request, tmp_path_factory) -> Path:
    return export(tmp_path_factory.mktemp("model"), request.param)


def test_the_exported_model_assigns_every_row_as_the_fitted_segmenter_does(model):
    for name in ("train", "eval"):
        trained = np.load(model.parent / "logs" / trainer.TRAINED.format(name))["segment"]
        rows = customers(300, 1) if name == "train" else customers(80, 2)
        np.testing.assert_array_equal(outputs(model, rows)["segment"], trained)


def test_tf_serving_gives_the_same_segments_through_both_signatures(model):
    rows = customers(80, 2)
    expected = outputs(model, rows)["segment"]
    raw = {name: rows[name] for name in VIEW.columns}
    arguments = (str(model), raw, examples(rows), "segment", expected)
    assert tf_serving_probe.differences(*arguments) == {RAW_SIGNATURE: 0.0, EXAMPLE_SIGNATURE: 0.0}


def test_the_outputs_agree_with_each_other(model):
    result = outputs(model, customers(200, 4))
    card = SegmentCard.from_json((model / EXTRAS / CARD).read_bytes())
    assert set(result) == set(SEGMENT_MODEL.outputs)
    assert result["membership"].shape == (200, 3)
    np.testing.assert_allclose(result["membership"].sum(axis=1), 1.0, atol=1e-5)
    assert [name.decode() for name in result["name"]] == [card.names[segment] for segment in result["segment"]]
    np.testing.assert_array_equal(result["outlier"], result["distance"] > np.float32(card.outlier_distance))
    assert (result["membership"].argmax(axis=1) == result["segment"]).mean() > 0.99


def test_the_card_has_a_customer_that_the_model_puts_into_each_segment(model):
    card = SegmentCard.from_json((model / EXTRAS / CARD).read_bytes())
    assert [{*cells} for cells in card.typical] == [{"spent", "age", "city", "card"}] * 3
    spent = np.float32([cells["spent"] for cells in card.typical])
    age = np.float32([cells["age"] or "nan" for cells in card.typical])
    city = np.array([cells["city"].encode() for cells in card.typical], object)
    assert outputs(model, {"spent": spent, "age": age, "city": city})["segment"].tolist() == [0, 1, 2]
    assert "Köln" in {cells["city"] for cells in card.typical}
    assert "" in {cells["age"] for cells in card.typical}


def test_about_one_customer_of_a_hundred_is_an_outlier_and_strange_ones_are(model):
    assert 0 <= outputs(model, customers(300, 1))["outlier"].mean() <= 0.02


def test_whatever_a_customer_is_the_answer_is_defined(model):
    strange = {
        "spent": np.float32([np.nan, np.inf, -np.inf, 3e38, -5.0]),
        "age": np.float32([np.nan, np.inf, -np.inf, 3e38, -5.0]),
        "city": np.array([b"", b"Rom", "größer".encode(), b"\xff\x00", b"Ulm"], object),
    }
    result = outputs(model, strange)
    assert ((result["segment"] >= 0) & (result["segment"] < 3)).all()
    assert np.isfinite(result["distance"]).all()
    assert np.isfinite(result["membership"]).all()


def test_a_model_has_the_files_that_servers_and_monitors_need(model):
    folder = ModelFolder(model)
    golden = folder.golden_request()
    (prediction,) = golden.predictions
    (instance,) = golden.instances
    assert instance.keys() == {*VIEW.columns}
    assert prediction.keys() == {*SEGMENT_MODEL.outputs}
    assert isinstance(prediction["outlier"], bool)
    profile = Profile.of_version(folder)
    names = SegmentCard.from_json(folder.extra(CARD).read_bytes()).names
    assert profile.output == "name"
    assert profile.score.values == names
    assert profile.reference.rows == profile.reference.score.sum() == 300


def test_the_segments_are_described_with_the_columns_that_the_model_does_not_see(model):
    card = SegmentCard.from_json((model / EXTRAS / CARD).read_bytes())
    graph = tft.TFTransformOutput(str(model.parent / "transform"))
    write_examples(model.parent / "test", customers(120, 5))
    splits = {
        name: reading.Split([str(model.parent / name)], CONTRACT, VIEW, graph) for name in ("train", "eval", "test")
    }
    serve = tf.saved_model.load(str(model)).signatures[EXAMPLE_SIGNATURE]
    assigned = {}
    for name, split in splits.items():
        (answer,) = (serve(**{EXAMPLE_INPUT: batch}) for batch in split.examples())
        assigned[name] = Assigned(answer["segment"].numpy(), answer["distance"].numpy())
    segmenter = fitted.read(str(model.parent / "logs"))
    result = judging.judge(card, CONTRACT, segmenter, splits, assigned, different=0, agreement=None, seed=1)
    assert sum(segment.rows for segment in result.segments) == 300
    for split in splits:
        assert sum(segment.shares[split] for segment in result.segments) == pytest.approx(1.0)
    of_bonn = next(segment for segment in result.segments if segment.typical["city"] == "Bonn")
    assert of_bonn.label_rate > 0.25
    assert any(value.column == "card" and value.value == "1" and value.index > 1.3 for value in of_bonn.described)
    assert result.rules.accuracy > 0.95
    assert result.silhouette > 0.5


def test_segments_keep_their_names_when_the_model_is_trained_again(tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    candidate = Candidate("kmeans", "columns", 3)
    first = export(tmp_path / "first", candidate, names=json.dumps({}))
    card = SegmentCard.from_json((first / EXTRAS / CARD).read_bytes())
    given = {card.names[1]: "our best customers"}
    renamed = export(tmp_path / "second", candidate, names=json.dumps(given), base_model=first)
    again = SegmentCard.from_json((renamed / EXTRAS / CARD).read_bytes())
    assert again.names == (card.names[0], "our best customers", card.names[2])
    assert again.continues == card.names
    assert json.loads((tmp_path / "second" / "logs" / trainer.AGREEMENT).read_text()) == {"agreement": 1.0}
