"""ContractExampleGen: what it writes, how it splits, and that every row is accounted for."""

import csv
import functools
import itertools
import json
import os
import random
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.components.example_gen.driver import update_output_artifact
from tfx.components.example_gen.utils import calculate_splits_fingerprint_span_and_version
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import artifact_utils

from data import columns, csv_parts, reader, spans
from data import contract as contracts
from data.contract import Contract
from data.errors import UserError
from modules.examples import SPLITS
from pipeline.components.example_gen import ContentDriver, ContractExampleGen, Executor, repeated_identifiers
from tests.support import dated

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
        shutil.rmtree(artifact.uri, ignore_errors=True)
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


@pytest.mark.parametrize("last_row", [False, True])
@pytest.mark.parametrize("split", ["random", "time"])
def test_a_large_file_is_read_in_parts_to_the_same_rows_and_counts(write, ingest, monkeypatch, split, last_row):
    lines = repeating([row(number) for number in range(1000)])
    lines[500] = "v500;abc;1;rot;ja"
    path = write(lines)
    whole = ingest(path, split=split, quarantine=True, last_row=last_row)
    expected = [examples(whole, name) for name in SPLITS]
    counts, bad = summary(whole), Path(whole.uri, "quarantine.csv").read_text()
    _read_in_small_parts(monkeypatch)
    artifact = ingest(path, split=split, quarantine=True, last_row=last_row)
    assert repr([examples(artifact, name) for name in SPLITS]) == repr(expected)
    assert (summary(artifact), Path(artifact.uri, "quarantine.csv").read_text()) == (counts, bad)
    assert len(list(Path(artifact.uri, "Split-train").iterdir())) > 5


def _read_in_small_parts(monkeypatch):
    monkeypatch.setattr(csv_parts, "CHUNK", 500)
    monkeypatch.setattr(csv_parts, "PART_BYTES", 2_000)


def test_time_needs_rows_in_date_order():
    with pytest.raises(UserError, match="contract shop-visits are in no date order"):
        ContractExampleGen("data.csv", shop(row_order="none").model_dump_json(), split="time")


def test_counts_of_files_and_splits_add_up(write, ingest):
    write([row(number) for number in range(300)], "in/a.csv")
    folder = write([row(number) for number in range(300, 500)], "in/b.csv").parent
    found = summary(ingest(folder))
    assert (found["read"], found["kept"], found["quarantined"]) == (500, 500, 0)
    assert found["files"] == {
        str(folder / "a.csv"): {"read": 300, "kept": 300, "quarantined": 0, "superseded": 0},
        str(folder / "b.csv"): {"read": 200, "kept": 200, "quarantined": 0, "superseded": 0},
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


@pytest.mark.parametrize("split", ["random", "time"])
def test_too_few_rows_for_three_splits_are_refused(write, ingest, split):
    with pytest.raises(UserError, match=r"^2 rows are too few to split into train, eval, test: nothing is left for "):
        ingest(write([row(1), row(2)]), split=split)


def test_many_rows_of_which_few_are_different_are_told_apart_from_few_rows(write, ingest):
    rows = [f"v{number};{number % 2};1;rot;ja" for number in range(3000)]
    with pytest.raises(UserError) as error:
        ingest(write(rows))
    assert str(error.value).startswith(
        "only 2 of the 3,000 rows are different, and equal rows stay in one split: nothing is left for "
    )
    assert summary(ingest(write(rows), split="time"))["kept"] == 3000


def test_a_column_without_any_value_is_named(write, ingest):
    def rows(first, last):
        return [f"v{number};;{number};;ja" for number in range(first, last)]

    file = write(rows(0, 300), "in/a.csv")
    message = "no row of 300 has a value in 'spent' or 'colour'; remove the column from file and contract"
    with pytest.raises(UserError, match=message):
        ingest(file)
    write([*rows(300, 500), "v500;;1;rot;ja"], "in/b.csv")
    with pytest.raises(UserError, match="no row of 501 has a value in 'spent'; "):
        ingest(file.parent)
    write(["v600;1;1;;ja"], "in/c.csv")
    assert summary(ingest(file.parent))["kept"] == 502


def test_a_column_known_only_after_the_call_may_be_blank_throughout(write, ingest):
    path = write([f"v{number};;{number};rot;ja" for number in range(300)])
    assert summary(ingest(path, shop(after_call=["spent"])))["kept"] == 300


def repeating(rows: list[str]) -> list[str]:
    """Rows of which every tenth has the identifier of the row before it."""
    return [line.replace(f"v{n};", f"v{n - 1};", 1) if n % 10 == 9 else line for n, line in enumerate(rows)]


def test_rows_with_the_same_identifiers_are_counted_and_kept(write, ingest):
    artifact = ingest(write(repeating([row(number) for number in range(1000)])))
    found = summary(artifact)
    assert (found["read"], found["kept"], found["superseded"]) == (1000, 1000, 0)
    assert (found["identifiers"], found["distinct"], found["repeated"]) == (["visit"], 900, 100)
    assert repeated_identifiers(found) == (
        "900 different visit in 1,000 rows: 100 rows repeat one; --last-row-counts keeps only the last row of each"
    )


@pytest.mark.parametrize("split", ["random", "time"])
def test_only_the_last_row_of_each_customer_counts_by_choice(write, ingest, split):
    lines = repeating([row(number) for number in range(1000)])
    lines[18] = "v18;abc;1;rot;ja"  # the row before it is another customer's, the row after it has its identifier
    lines[29] = "v28;abc;1;rot;ja"  # a bad row supersedes nothing
    write(lines[:499], "in/a.csv")
    folder = write(lines[499:], "in/b.csv").parent  # begins with the customer of the last row of a.csv
    artifact = ingest(folder, split=split, quarantine=True, last_row=True)
    spent = [example["spent"] for name in SPLITS for example in examples(artifact, name)]
    expected = [number for number in range(1000) if number % 10 != 8 or number == 28]
    assert sorted(spent) == sorted(set(expected) - {29})
    if split == "time":
        assert spent == sorted(spent)
        assert len(examples(artifact, "test")) == len(examples(artifact, "eval")) == round(len(spent) * 0.15)
    found = summary(artifact)
    assert {key: found[key] for key in ("read", "kept", "quarantined", "superseded", "distinct", "repeated")} == {
        "read": 1000,
        "kept": 900,
        "quarantined": 2,
        "superseded": 98,
        "distinct": 900,
        "repeated": 98,
    }
    assert found["files"][str(folder / "a.csv")] == {"read": 499, "kept": 449, "quarantined": 2, "superseded": 48}
    assert repeated_identifiers(found) == (
        "900 different visit in 998 rows: only the last row of each is kept, 98 rows left out"
    )
    names = {path.name for path in Path(artifact.uri).iterdir()}
    assert names == {*(f"Split-{name}" for name in SPLITS), "ingest.json", "quarantine.csv"}


def test_without_identifiers_nothing_is_counted_and_no_row_is_the_last_of_its_customer(write, ingest):
    anonymous = shop(identifiers=[])
    rows = [row(number).split(";", 1)[1] for number in range(300)]
    found = summary(ingest(write(rows, header=HEADER.split(";", 1)[1]), anonymous))
    assert (found["identifiers"], found["distinct"], found["repeated"]) == ([], None, 0)
    assert repeated_identifiers(found) is None
    with pytest.raises(UserError, match="contract shop-visits has no identifiers"):
        ContractExampleGen("data.csv", anonymous.model_dump_json(), last_row=True)


def test_the_sentence_about_one_row_and_about_none(write, ingest):
    rows = [row(number) for number in range(300)]
    assert repeated_identifiers(summary(ingest(write(rows)))) is None
    rows[7] = rows[7].replace("v7;", "v6;", 1)
    assert "299 different visit in 300 rows: 1 row repeats one; " in repeated_identifiers(summary(ingest(write(rows))))
    last = summary(ingest(write(rows), last_row=True))
    assert repeated_identifiers(last) == (
        "299 different visit in 300 rows: only the last row of each is kept, 1 row left out"
    )


def test_the_repeated_customers_of_the_real_file_are_counted(real_data, ingest):
    contract = contracts.load("fundfusion")
    found = summary(ingest(real_data / "fundfusion.csv", contract))
    assert repeated_identifiers(found) == (
        "25,676 different GCIF in 28,129 rows: 2,453 rows repeat one; --last-row-counts keeps only the last row of each"
    )
    last = summary(ingest(real_data / "fundfusion.csv", contract, last_row=True))
    assert (last["kept"], last["superseded"], last["distinct"]) == (25_676, 2_453, 25_676)


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
    assert run(last_row=True) == 4
    write([row(number) for number in range(101)])
    assert run() == 5


@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize("split", ["random", "time"])
def test_examples_have_the_date_of_the_call_and_the_size_of_the_list(tmp_path, ingest, split, parts, monkeypatch):
    if parts:
        _read_in_small_parts(monkeypatch)
    folder = tmp_path / "calls"
    folder.mkdir()
    dates = [(1 + number // 8 % 28, ("jan", "feb", "mar", "dec")[number // 224]) for number in range(600)]
    dated.write(folder / "1.csv", dates[:301])
    dated.write(folder / "2.csv", dates[301:])
    contract = dated.contract()
    artifact = ingest(folder, contract, split=split)
    found = {}
    for name in SPLITS:
        for serialized in tf.data.TFRecordDataset(tf.io.gfile.glob(f"{artifact.uri}/Split-{name}/*"), "GZIP"):
            features = tf.train.Example.FromString(serialized.numpy()).features.feature
            day = features["call_day"].int64_list.value[0]
            sizes = tuple(features[name].float_list.value[0] for name in contract.derived_columns)
            found.setdefault(day, []).append(sizes)
    whole = columns.read(folder, contract)
    for day, sizes in found.items():
        rows = whole["call_day"] == day
        assert len(sizes) == rows.sum()
        assert set(sizes) == {tuple(float(whole[name][rows][0]) for name in contract.derived_columns)}
    assert sum(map(len, found.values())) == 600
    assert not list(Path(artifact.uri).glob("*.npz"))


@pytest.fixture
def folder_of_spans(tmp_path):
    """February 2009, March 2009 with a correction, and January 2011, which is set aside."""
    folder, contract = tmp_path / "spans", dated.contract()
    for name, month in (("feb", "2009-02"), ("mar", "2009-03"), ("jan", "2011-01")):
        dated.write(tmp_path / f"{name}.csv", [(1 + number // 8, name) for number in range(200)])
        spans.add(folder, tmp_path / f"{name}.csv", contract, month=month)
    dated.write(tmp_path / "late.csv", [(3, "mar")])
    spans.add(folder, tmp_path / "late.csv", contract, month="2009-03")
    spans.set_aside(spans.spans(folder)[-1], "outcomes of another list")
    return folder


def test_examples_of_spans_have_the_dates_of_their_months(folder_of_spans, ingest):
    contract = dated.contract()
    artifact = ingest(folder_of_spans, contract)
    days = []
    for name in SPLITS:
        for serialized in tf.data.TFRecordDataset(tf.io.gfile.glob(f"{artifact.uri}/Split-{name}/*"), "GZIP"):
            days.append(
                tf.train.Example.FromString(serialized.numpy()).features.feature["call_day"].int64_list.value[0]
            )
    expected = columns.read(folder_of_spans, contract)["call_day"]
    assert sorted(days) == expected.tolist()
    months = set(expected.astype("datetime64[D]").astype("datetime64[M]").astype(str))
    assert (len(days), months) == (401, {"2009-02", "2009-03"})
    summary = json.loads((Path(artifact.uri) / "ingest.json").read_text())
    assert [counts["read"] for counts in summary["files"].values()] == [200, 201]
    # The calls of the month that is set aside were made too.
    usual = json.loads((Path(artifact.uri) / "list_size.json").read_text())
    assert (usual["month"], usual["calls_today"]) == ("2011-01", 8)


@pytest.mark.parametrize("pattern", [spans.PATTERN, "span-{SPAN}/version-{VERSION}/*"])
def test_tfx_itself_finds_the_newest_span_and_version(folder_of_spans, pattern):
    spans.accept(spans.spans(folder_of_spans)[-1])
    found = []
    for static in (None, 200903):
        splits = [example_gen_pb2.Input.Split(name="all", pattern=pattern)]
        fixed = range_config_pb2.StaticRange(start_span_number=static, end_span_number=static) if static else None
        _, span, version = calculate_splits_fingerprint_span_and_version(
            str(folder_of_spans), splits, range_config_pb2.RangeConfig(static_range=fixed) if static else None
        )
        found.append((span, version))
        assert splits[0].pattern == pattern.replace("{SPAN}", str(span)).replace("{VERSION}", str(version))
    assert found == [(201101, 1), (200903, 2)]


def test_the_driver_notes_the_newest_span_and_knows_corrections_and_months(tmp_path, folder_of_spans):
    def noted(data):
        processor = ContentDriver(None).get_input_processor([], input_base_uri=str(data))
        span, version = processor.resolve_span_and_version()
        artifact = metadata_store_pb2.Artifact()
        fingerprint = processor.get_input_fingerprint(span, version)
        update_output_artifact({"span": span, "version": version, "input_fingerprint": fingerprint}, artifact)
        properties = artifact.custom_properties
        known = properties["version"].int_value if "version" in properties else None
        return properties["span"].int_value, known, fingerprint

    span, version, before = noted(folder_of_spans)
    assert (span, version) == (200903, 2)
    assert noted(tmp_path / "feb.csv")[:2] == (0, None)
    dated.write(tmp_path / "later.csv", [(4, "mar")])
    spans.add(folder_of_spans, tmp_path / "later.csv", dated.contract(), month="2009-03")
    assert noted(folder_of_spans)[:2] == (200903, 3)
    assert noted(folder_of_spans)[2] != before
    contents = []
    for year in ("2008", "2009"):
        spans.add(tmp_path / year, tmp_path / "feb.csv", dated.contract(), month=f"{year}-02")
        contents.append(noted(tmp_path / year)[2])
    assert contents[0] != contents[1]
    spans.set_aside(spans.spans(tmp_path / "2008")[0], "made up")
    with pytest.raises(UserError, match="no span in this folder"):
        noted(tmp_path / "2008")
