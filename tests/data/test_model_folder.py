"""Which folders are versions, and what can be read from them."""

import dataclasses
import json

import pytest

from data import model_folder
from data.model_folder import GoldenRequest, ModelFolder, SegmentCard


@pytest.mark.parametrize("name", ["1", "0", "007", "1700000000", str(2**63 - 1)])
def test_whole_numbers_within_64_bits_are_versions(name):
    assert model_folder.is_version(name)


@pytest.mark.parametrize("name", ["", "-1", "+1", "1.0", "v1", "1a", "latest", "²", "٣", str(2**63), "9" * 5000])
def test_other_names_are_not(name):
    assert not model_folder.is_version(name)


def test_versions_are_folders_in_numerical_order(tmp_path):
    for name in ("9", "10", "007", "latest", ".incoming-11"):
        (tmp_path / name).mkdir()
    (tmp_path / "12").write_text("a file")
    assert [folder.version for folder in model_folder.versions(tmp_path)] == [7, 9, 10]
    assert model_folder.newest(tmp_path) == ModelFolder(tmp_path / "10")


def test_a_number_written_twice_is_one_version(tmp_path):
    for name in ("7", "007", "07"):
        (tmp_path / name).mkdir()
    assert model_folder.versions(tmp_path) == [ModelFolder(tmp_path / "7")]


def test_a_folder_that_is_not_there_is_empty_unless_it_has_to_be_there(tmp_path):
    assert model_folder.versions(tmp_path / "absent") == []
    assert model_folder.newest(tmp_path / "absent") is None
    with pytest.raises(FileNotFoundError):
        model_folder.versions(tmp_path / "absent", missing_ok=False)


def test_a_golden_request_that_cannot_be_read_counts_as_none(tmp_path):
    folder = ModelFolder(tmp_path)
    assert folder.golden_request() is None
    path = folder.extra(model_folder.GOLDEN_REQUEST)
    path.parent.mkdir()
    stored = GoldenRequest([{"age": 41}], [{"probability": 0.5}])
    path.write_text(stored.to_json())
    assert folder.golden_request() == stored
    path.write_text(stored.to_json()[:-10])
    assert folder.golden_request() is None


def test_a_card_from_before_typical_customers_can_be_read():
    card = SegmentCard(
        contract="bank", synthetic=False, features=("age",), view="all", method="kmeans", representation="columns",
        names=("young", "old"), continues=(None, None), means=([0.1], [0.9]), temperature=1.0, outlier_distance=2.0,
        typical=({"age": "25"}, {"age": "70"}),
    )  # fmt: skip
    assert SegmentCard.from_json(card.to_json()) == card
    document = json.loads(card.to_json())
    del document["typical"]
    assert SegmentCard.from_json(json.dumps(document)) == dataclasses.replace(card, typical=())
    del document["names"]
    with pytest.raises(ValueError, match="names"):
        SegmentCard.from_json(json.dumps(document))
