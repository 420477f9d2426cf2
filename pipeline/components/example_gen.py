"""ExampleGen for the CSV files of a contract: Arrow reads, tfx_bsl's C++ coder encodes, TFRecord shards are written.

The stock CsvExampleGen parses, infers types and shuffles row by row in Python. Here each file is one Beam element
that streams block by block into its own shard of every split: nothing piles up between Beam stages, and memory stays
flat whatever the file's size. Rows keep their file order within a split; shuffling is left to the trainer.

The artifact is laid out as that of the stock component, with two files more:

    Split-{train,eval,test}/data_tfrecord-00000-of-0000N.gz    one of N per input file
    ingest.json       rows read, kept and quarantined, per file and in all; rows and positives per split
    quarantine.csv    the rows set aside, each with its reason; only with quarantine
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import shutil
from contextlib import ExitStack
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from google.protobuf import struct_pb2
from tfx import types
from tfx.components.example_gen import component, driver, input_processor, write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor, executor_spec
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from data import reader
from data.contract import BadInputError, Contract

SPLITS = ("train", "eval", "test")
HELD_OUT_PERCENT = 15
"""Rows in eval, and again in test."""
MOST_QUARANTINED_PERCENT = 1
"""From here on bad rows are no exceptions any more, and the input is refused."""
LISTED = 20
"""Bad rows named in an error message."""
SUMMARY = "ingest.json"
QUARANTINE = "quarantine.csv"


@dataclass(frozen=True)
class _Shard:
    """One input file and what to do with it."""

    file: str
    index: int
    count: int
    folder: str
    """The artifact's."""
    contract: str
    first_held_out: tuple[int, int] | None
    """The rows of this file at which eval and test begin under the time split; None under the random one."""
    quarantine: bool

    @property
    def outcome(self) -> Path:
        return Path(self.folder, f"outcome-{self.index:05d}.json")

    @property
    def set_aside(self) -> Path:
        return Path(self.folder, f"quarantine-{self.index:05d}.csv")

    def examples(self, split: str) -> Path:
        name = f"{write_split.DEFAULT_TF_RECORD_FILE_NAME}-{self.index:05d}-of-{self.count:05d}.gz"
        return Path(self.folder, f"Split-{split}", name)


class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes the splits, one Beam element per file, and accounts for every row."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills the one Examples artifact of `output_dict`.

        Raises:
          BadInputError: a file cannot be read, has bad rows (any without quarantine, 1 % and more with it), or there
            are too few rows for three splits.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        settings = _unpack(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        contract = Contract.model_validate_json(settings["contract"])
        files = reader.files(exec_properties[standard_component_specs.INPUT_BASE_KEY])
        held_out = _time_bounds(files, contract) if settings["split"] == "time" else [None] * len(files)
        shards = [
            _Shard(str(file), index, len(files), artifact.uri, settings["contract"], rows, settings["quarantine"])
            for index, (file, rows) in enumerate(zip(files, held_out, strict=True))
        ]
        for split in SPLITS:
            shards[0].examples(split).parent.mkdir(parents=True, exist_ok=True)
        with self._make_beam_pipeline() as pipeline:
            pipeline | beam.Create(shards) | beam.Map(_ingest)
        _conclude(Path(artifact.uri), shards, settings["quarantine"])

        artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(artifact, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP))


class ContentDriver(driver.FileBasedDriver):
    """Recognises unchanged input by its content, where the stock driver looks at size and modification second."""

    def get_input_processor(self, splits, range_config=None, input_base_uri=None):
        return _ContentProcessor(input_base_uri)


class _ContentProcessor(input_processor.InputProcessor):
    def __init__(self, data: str):
        super().__init__(splits=[])
        self._data = data

    def get_pattern_for_span_version(self, pattern: str, span: int, version: int | None) -> str:
        return pattern

    def get_latest_span(self) -> int:
        return 0

    def get_input_fingerprint(self, span: int, version: int | None) -> str:
        """SHA-256 of the file, or of the names and digests of several."""
        digests = {file.name: _sha256(file) for file in reader.files(self._data)}
        if len(digests) == 1:
            return next(iter(digests.values()))
        return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class ContractExampleGen(component.FileBasedExampleGen):
    """Turns the CSV files of a contract into tf.Examples in the splits train, eval and test, 70 : 15 : 15.

    A number becomes one float (NaN where missing), a text one bytes value, the label int64 0 or 1; identifiers are
    not stored. The result is cached by the content of the files, the contract, the settings and this code.

    Args:
      data: a CSV file, or a folder whose `*.csv` are read in name order.
      contract: the contract as JSON, from `Contract.model_dump_json()`.
      split: `random` by a stable hash of the row, equal rows staying together; or `time` by file order, the last
        15 % of the rows being test and the 15 % before them eval.
      quarantine: whether to set bad rows aside while they are below 1 %, instead of refusing the input.

    Raises:
      BadInputError: here, when the split is `time` and the contract's rows are in no date order; from a run, as it
        is, on any fault of the input.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = ContentDriver

    def __init__(self, data: str, contract: str, split: Literal["random", "time"] = "random", quarantine: bool = False):
        parsed = Contract.model_validate_json(contract)
        if split == "time" and parsed.row_order != "date":
            raise BadInputError(
                f"the rows of contract {parsed.name} are in no date order (row_order: none), so they cannot be split "
                "by time; split them at random"
            )
        settings = struct_pb2.Struct()
        code = hashlib.sha256(Path(reader.__file__).read_bytes() + Path(__file__).read_bytes()).hexdigest()
        settings.update({"contract": contract, "split": split, "quarantine": quarantine, "code": code})
        custom_config = example_gen_pb2.CustomConfig()
        custom_config.custom_config.Pack(settings)
        percents = (100 - 2 * HELD_OUT_PERCENT, HELD_OUT_PERCENT, HELD_OUT_PERCENT)
        splits = [
            example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=percent)
            for name, percent in zip(SPLITS, percents, strict=True)
        ]
        super().__init__(
            input_base=data,
            output_config=example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits)),
            custom_config=custom_config,
        )


def random_splits(batch: pa.RecordBatch) -> np.ndarray:
    """Index into SPLITS for each row, uint8, from the row's values alone.

    Equal rows get the same split, on every machine and whatever the order of columns. Every cell is hashed with its
    column's name, the row's hash is that of the cells' sum, and its remainder by 100 decides. Numbers are mixed by
    the finaliser of SplitMix64 (Steele, Lea, Flood 2014), distinct texts and names by BLAKE2b.
    """
    total = np.zeros(batch.num_rows, np.uint64)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        salt = _blake2b(name)
        if pa.types.is_string(column.type):
            coded = column.dictionary_encode()
            texts = np.array([_blake2b(text) for text in coded.dictionary.to_pylist()], np.uint64)
            cells = texts[coded.indices.to_numpy()] if len(texts) else total
        else:
            values = column.to_numpy().astype(np.float32) + np.float32(0)  # adding turns -0 into 0
            values[np.isnan(values)] = np.nan  # one bit pattern of the many
            cells = values.view(np.uint32).astype(np.uint64)
        total += _mix(cells + salt)
    percent = _mix(total) % np.uint64(100)
    first_test = 100 - HELD_OUT_PERCENT
    return np.searchsorted([first_test - HELD_OUT_PERCENT, first_test], percent, side="right").astype(np.uint8)


def _blake2b(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mix(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _time_bounds(files: list[Path], contract: Contract) -> list[tuple[int, int]]:
    """Per file, the rows at which eval and test begin; a first reading counts the good rows."""
    counts = [sum(block.batch.num_rows for block in reader.read(file, contract)) for file in files]
    total = sum(counts)
    held_out = round(total * HELD_OUT_PERCENT / 100)
    starts = itertools.accumulate(counts, initial=0)
    return [(total - 2 * held_out - start, total - held_out - start) for start in itertools.islice(starts, len(files))]


def _ingest(shard: _Shard) -> None:
    """Writes one file's rows into its shard of each split, and what came of it into `shard.outcome`.

    The reader's errors are part of the outcome: Beam would wrap an exception in a story of its own.
    """
    read, quarantined, listed, error = 0, 0, [], ""
    rows, positives = [0] * len(SPLITS), [0] * len(SPLITS)
    contract = Contract.model_validate_json(shard.contract)
    encoder = RecordBatchToExamplesEncoder()
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    try:
        with ExitStack() as stack:
            writers = [
                stack.enter_context(tf.io.TFRecordWriter(str(shard.examples(split)), options)) for split in SPLITS
            ]
            set_aside = csv.writer(stack.enter_context(shard.set_aside.open("w", encoding="utf-8", newline="")))
            for block in reader.read(shard.file, contract):
                splits = _splits(shard, block.batch, read - quarantined)
                read += block.batch.num_rows + len(block.bad)
                quarantined += len(block.bad)
                listed += map(str, block.bad[: LISTED - len(listed)])
                if shard.quarantine:
                    set_aside.writerows(map(astuple, block.bad))
                elif quarantined:
                    continue  # the input will be refused; only the count is still wanted
                examples = encoder.encode(_as_lists(block.batch))
                positive = block.batch.column(block.batch.schema.get_field_index(contract.label.name)).to_numpy() == 1
                for index, writer in enumerate(writers):
                    chosen = splits == index
                    positives[index] += int((chosen & positive).sum())
                    for example in itertools.compress(examples, chosen.tolist()):
                        writer.write(example)
                        rows[index] += 1
    except BadInputError as problem:
        error = str(problem)
    outcome = {
        "read": read,
        "quarantined": quarantined,
        "listed": listed,
        "error": error,
        "rows": rows,
        "positives": positives,
    }
    shard.outcome.write_text(json.dumps(outcome), encoding="utf-8")


def _splits(shard: _Shard, batch: pa.RecordBatch, first_row: int) -> np.ndarray:
    """Index into SPLITS for each row, [rows]; `first_row` is the batch's place among the file's good rows."""
    if shard.first_held_out is None:
        return random_splits(batch)
    rows = np.arange(first_row, first_row + batch.num_rows)
    return np.searchsorted(shard.first_held_out, rows, side="right")


def _as_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch as tfx_bsl's encoder takes it: each cell a list of one value, texts as bytes."""
    offsets = pa.array(np.arange(batch.num_rows + 1, dtype=np.int64))
    columns = [
        pa.LargeListArray.from_arrays(offsets, column.cast(pa.binary()) if pa.types.is_string(column.type) else column)
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _conclude(folder: Path, shards: list[_Shard], quarantine: bool) -> None:
    """Merges the shards' outcomes into `ingest.json` and `quarantine.csv`, or refuses the input."""
    outcomes = [json.loads(shard.outcome.read_text(encoding="utf-8")) for shard in shards]
    if errors := [outcome["error"] for outcome in outcomes if outcome["error"]]:
        raise BadInputError("\n".join(errors))
    per_file = {
        shard.file: {"read": outcome["read"], "kept": sum(outcome["rows"]), "quarantined": outcome["quarantined"]}
        for shard, outcome in zip(shards, outcomes, strict=True)
    }
    total = {key: sum(counts[key] for counts in per_file.values()) for key in ("read", "kept", "quarantined")}
    bad = total["quarantined"]
    if bad and (not quarantine or bad * 100 >= MOST_QUARANTINED_PERCENT * total["read"]):
        raise BadInputError(_bad_rows_message(outcomes, bad, total["read"], quarantine))
    if total["read"] != total["kept"] + bad:
        raise RuntimeError(f"rows were lost: {total}")
    per_split = {
        split: {key: sum(outcome[key][index] for outcome in outcomes) for key in ("rows", "positives")}
        for index, split in enumerate(SPLITS)
    }
    if empty := [split for split, counts in per_split.items() if not counts["rows"]]:
        raise BadInputError(
            f"{total['kept']} rows are too few to split into {', '.join(SPLITS)}: nothing is left for "
            f"{' and '.join(empty)}; some hundred rows are needed"
        )
    summary = {**total, "files": per_file, "splits": per_split}
    (folder / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if quarantine:
        with (folder / QUARANTINE).open("w", encoding="utf-8", newline="") as merged:
            csv.writer(merged).writerow(field.name for field in fields(reader.BadRow))
            for shard in shards:
                with shard.set_aside.open(encoding="utf-8", newline="") as part:
                    shutil.copyfileobj(part, merged)
    for shard in shards:
        shard.outcome.unlink()
        shard.set_aside.unlink()


def _bad_rows_message(outcomes: list[dict[str, Any]], bad: int, read: int, quarantine: bool) -> str:
    listed = list(itertools.chain.from_iterable(outcome["listed"] for outcome in outcomes))[:LISTED]
    more = [f"... and {bad - len(listed)} more"] if bad > len(listed) else []
    verdict = f"{bad} of {read} rows cannot be read"
    if quarantine:
        verdict += f"; quarantine takes less than {MOST_QUARANTINED_PERCENT} %"
    else:
        verdict += "; correct them, or set them aside with quarantine"
    return "\n".join([verdict, *listed, *more])


def _unpack(custom_config: str) -> dict[str, Any]:
    """The settings that the component packed, from the execution property."""
    config = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(custom_config, config)
    settings = struct_pb2.Struct()
    config.custom_config.Unpack(settings)
    return dict(settings)
