"""ContractExampleGen: what it writes, how it splits, and that every row is accounted for."""

import csv
import functools
import itertools
import json
import os
import random
from pathlib import Path

import pytest
import tensorflow as tf
from tfx import v1 as tfx
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from data import reader
from data.contract import Contract
from data.errors import UserError
from modules.examples import SPLITS
from pipeline.components.example_gen import ContentDriver, ContractExampleGen, Executor

HEADER = "visit;spent;items;colour;bought"


def shop(**changes):
    return Contract.model_validate(
        {
            "name": "shop-visits",
            "title": "Visits of a web shop",
            "source": {"delimiter": ";"},
            "row_order": "date",
            "identifiers": ["visit"],
            "numeric": {
                "spent": {"unit": "euros", "min": 0, "max": 1000, "blank": True},
                "items": {"unit": "pieces", "min": 0, "max": 50, "integer": True},
            },
            "categorical": {"colour": {"values": ["rot", "grün"], "blank": True}},
            "label": {"name": "bought", "positive": "ja", "negative": "nein"},
            **changes,
        }
    )


def row(number: int) -> str:
    """A row unlike all others; every fifth is a purchase."""
    return f"v{number};{number};{number % 7};{('rot', 'grün', '')[number % 3]};{'nein' if number % 5 else 'ja'}"


@pytest.fixture
def write(tmp_path):
    def write(rows: list[str], name: str = "in/visits.csv", header: str = HEADER) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def ingest(tmp_path):
    """Runs the executor on a file or folder; returns the artifact."""

    def ingest(data: Path, contract: Contract | None = None, **settings):
        component = ContractExampleGen(str(data), (contract or shop()).model_dump_json(), **settings)
        artifact = tfx.types.standard_artifacts.Examples()
        artifact.uri = str(tmp_path / "out")
        Executor().Do({}, {"examples": [artifact]}, dict(component.exec_properties))
        return artifact

    return ingest


def examples(artifact, split):
    """The rows of a split as {feature: value}, in the order written."""
    files = sorted(Path(artifact_utils.get_split_uri([artifact], split)).iterdir())
    rows = []
    for record in tf.data.TFRecordDataset([str(file) for file in files], compression_type="GZIP"):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        rows.append({name: value for name in sorted(features) for value in feature_values(features[name])})
    return rows


def feature_values(feature):
    values = getattr(feature, feature.WhichOneof("kind")).value
    assert len(values) == 1
    return values


def summary(artifact):
    return json.loads(Path(artifact.uri, "ingest.json").read_text(encoding="utf-8"))


def test_each_row_becomes_one_example_of_typed_scalars(write, ingest):
    rows = [row(number) for number in range(200)]
    rows[0] = "v0;;1;;ja"
    artifact = ingest(write(rows))
    found = [example for split in SPLITS for example in examples(artifact, split)]
    assert len(found) == 200
    assert all(sorted(example) == ["bought", "colour", "items", "spent"] for example in found)
    by_spent = {example["spent"]: example for example in found if example["spent"] == example["spent"]}
    assert by_spent[7.0] == {"spent": 7.0, "items": 0.0, "colour": "grün".encode(), "bought": 0}
    (missing,) = (example for example in found if example["spent"] != example["spent"])
    assert (missing["colour"], missing["bought"]) == (b"", 1)


def test_the_artifact_looks_like_that_of_the_stock_component(write, ingest):
    artifact = ingest(write([row(number) for number in range(200)]))
    assert artifact_utils.decode_split_names(artifact.split_names) == list(SPLITS)
    assert examples_utils.get_payload_format(artifact) == example_gen_pb2.FORMAT_TF_EXAMPLE
    assert examples_utils.get_file_format(artifact) == "tfrecords_gzip"
    written = sorted(str(path.relative_to(artifact.uri)) for path in Path(artifact.uri).rglob("*") if path.is_file())
    assert written == [
        "Split-eval/data_tfrecord-00000-of-00001.gz",
        "Split-test/data_tfrecord-00000-of-00001.gz",
        "Split-train/data_tfrecord-00000-of-00001.gz",
        "ingest.json",
    ]


def test_random_splits_are_70_15_15_and_hold_every_row_once(write, ingest):
    artifact = ingest(write([row(number) for number in range(5000)]))
    spent = {split: [example["spent"] for example in examples(artifact, split)] for split in SPLITS}
    assert sorted(itertools.chain(*spent.values())) == list(range(5000))
    assert len(spent["train"]) == pytest.approx(3500, abs=100)
    assert len(spent["eval"]) == pytest.approx(750, abs=80)
    assert len(spent["test"]) == pytest.approx(750, abs=80)


def test_random_splits_follow_the_row_and_nothing_else(write, ingest):
    rows = [row(number) for number in range(400)]
    first = ingest(write(rows))
    members = {split: {example["spent"] for example in examples(first, split)} for split in SPLITS}
    turned = [";".join(reversed(line.split(";"))) for line in rows + rows]
    random.Random(0).shuffle(turned)
    second = ingest(write(turned, header=";".join(reversed(HEADER.split(";")))))
    for split in SPLITS:
        assert {example["spent"] for example in examples(second, split)} == members[split]
        assert len(examples(second, split)) == 2 * len(members[split])


def test_time_splits_follow_the_order_of_the_file(write, ingest):
    artifact = ingest(write([row(number) for number in range(1000)]), split="time")
    spent = {split: [example["spent"] for example in examples(artifact, split)] for split in SPLITS}
    assert spent == {"train": list(range(700)), "eval": list(range(700, 850)), "test": list(range(850, 1000))}


def test_time_splits_run_through_the_files_of_a_folder_and_count_good_rows(write, ingest):
    numbers = [*range(150), *range(150, 160), *range(160, 1000)]
    write(["bad", *map(row, numbers[:150])], "in/2008.csv")
    write([row(number) for number in numbers[150:160]], "in/2009.csv")
    folder = write([row(number) for number in numbers[160:]], "in/2010.csv").parent
    artifact = ingest(folder, split="time", quarantine=True)
    assert [example["spent"] for example in examples(artifact, "eval")] == list(range(700, 850))
    assert [example["spent"] for example in examples(artifact, "test")] == list(range(850, 1000))
    shards = sorted(path.name for path in Path(artifact.uri, "Split-test").iterdir())
    assert shards == [f"data_tfrecord-0000{index}-of-00003.gz" for index in range(3)]


@pytest.mark.parametrize("split", ["random", "time"])
def test_a_file_of_many_blocks_is_written_as_one_of_a_single_block(write, ingest, monkeypatch, split):
    path = write([row(number) for number in range(1000)])
    whole = ingest(path, split=split)
    expected = [examples(whole, name) for name in SPLITS]
    monkeypatch.setattr(reader, "read", functools.partial(reader.read, block_bytes=5000))
    assert repr([examples(ingest(path, split=split), name) for name in SPLITS]) == repr(expected)


def test_time_needs_rows_in_date_order():
    with pytest.raises(UserError, match="contract shop-visits are in no date order"):
        ContractExampleGen("data.csv", shop(row_order="none").model_dump_json(), split="time")


def test_counts_of_files_and_splits_add_up(write, ingest):
    write([row(number) for number in range(300)], "in/a.csv")
    folder = write([row(number) for number in range(300, 500)], "in/b.csv").parent
    found = summary(ingest(folder))
    assert (found["read"], found["kept"], found["quarantined"]) == (500, 500, 0)
    assert found["files"] == {
        str(folder / "a.csv"): {"read": 300, "kept": 300, "quarantined": 0},
        str(folder / "b.csv"): {"read": 200, "kept": 200, "quarantined": 0},
    }
    assert sum(split["rows"] for split in found["splits"].values()) == 500
    assert sum(split["positives"] for split in found["splits"].values()) == 100


def test_bad_rows_are_listed_with_their_number_and_nothing_is_kept_quiet(write, ingest):
    rows = [row(number) for number in range(100)]
    rows[10:60] = [f"v{number};abc;1;rot;ja" for number in range(50)]
    path = write(rows)
    with pytest.raises(UserError) as error:
        ingest(path)
    first, *listed, last = str(error.value).splitlines()
    assert first.startswith("50 of 100 rows cannot be read")
    assert listed[0] == f"{path}:12: column 'spent': got 'abc', expected a number or a blank cell"
    assert len(listed) == 20
    assert last == "... and 30 more"


def test_quarantine_sets_bad_rows_aside_with_their_reason(write, ingest):
    write([row(number) for number in range(300)], "in/a.csv")
    rows = [row(number) for number in range(300)]
    rows[7], rows[9] = "v7;abc;1;rot;ja", 'v9;1;1;"rot'
    path = write(rows, "in/b.csv")
    artifact = ingest(path.parent, quarantine=True)
    with Path(artifact.uri, "quarantine.csv").open(encoding="utf-8", newline="") as file:
        set_aside = list(csv.DictReader(file))
    assert [list(bad.values())[:4] for bad in set_aside] == [
        [str(path), "9", "spent", "abc"],
        [str(path), "11", "colour", '"rot'],
    ]
    assert [bad["row"] for bad in set_aside] == [rows[7], rows[9]]
    found = summary(artifact)
    assert (found["read"], found["kept"], found["quarantined"]) == (600, 598, 2)
    assert sum(len(examples(artifact, split)) for split in SPLITS) == 598


def test_quarantine_is_for_less_than_one_percent(write, ingest):
    rows = [row(number) for number in range(1000)]
    rows[:9] = ["x"] * 9
    assert summary(ingest(write(rows), quarantine=True))["quarantined"] == 9
    rows[:10] = ["x"] * 10
    with pytest.raises(UserError, match="10 of 1000 rows cannot be read; --quarantine takes less than 1 %"):
        ingest(write(rows), quarantine=True)


def test_too_few_rows_for_three_splits_are_refused(write, ingest):
    with pytest.raises(UserError, match="2 rows are too few to split into train, eval, test"):
        ingest(write([row(1), row(2)]))


@pytest.mark.parametrize("split", ["random", "time"])
def test_any_file_of_a_folder_may_be_the_wrong_one(write, ingest, split):
    write([row(number) for number in range(300)], "in/a.csv")
    path = write([row(1)], "in/b.csv", header=HEADER.replace("items", "item"))
    with pytest.raises(UserError) as error:
        ingest(path.parent, split=split)
    assert f"{path}:1: the header differs from contract shop-visits: missing 'items'" in str(error.value)
    assert "running" not in str(error.value)


def fingerprint(data: Path) -> str:
    component = ContractExampleGen(str(data), shop().model_dump_json())
    return ContentDriver(None).resolve_exec_properties(dict(component.exec_properties), None, None)["input_fingerprint"]


def test_the_input_is_recognised_by_its_content(write):
    path = write([row(1), row(2)])
    before, folder_before = fingerprint(path), fingerprint(path.parent)
    os.utime(path, (1, 1))
    assert fingerprint(path) == before
    write([row(1)], "in/neighbour.csv")
    assert fingerprint(path) == before
    assert fingerprint(path.parent) != folder_before
    stat = path.stat()
    write([row(1), row(3)])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint(path) != before


def test_a_run_passes_the_message_on_cleans_up_and_caches_by_data_contract_and_settings(write, tmp_path):
    root = tmp_path / "root"
    path = write(["bad", *(row(number) for number in range(100))])

    def run(contract=None, **settings):
        """Number of artifacts there are after a run."""
        component = ContractExampleGen(str(path), (contract or shop()).model_dump_json(), **settings)
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline(
                pipeline_name="test",
                pipeline_root=str(root),
                components=[component],
                enable_cache=True,
                metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
                    str(tmp_path / "metadata.sqlite")
                ),
            )
        )
        return made()

    def made():
        return len(list(root.glob("ContractExampleGen/examples/*")))

    with pytest.raises(UserError, match="1 of 101 rows cannot be read"):
        run()
    assert made() == 0

    write([row(number) for number in range(100)])
    assert run() == 1
    assert run() == 1
    assert run(split="time") == 2
    assert run(shop(title="Other words")) == 3
    write([row(number) for number in range(101)])
    assert run() == 4
