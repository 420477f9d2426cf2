"""ExampleGen for the CSV files of a contract, many times as fast as the stock CsvExampleGen.

The stock component parses, infers types and shuffles row by row in Python. Here each file is one Beam element, which
is streamed into its own shard of every split, so that nothing is kept between Beam stages. A Beam runner with several
workers reads files in parallel; the in-memory runner reads them one after the other. Rows keep their file order
within a split. The trainer shuffles them.

The artifact has the layout of the stock component's, and two more files:

    Split-{train,eval,test}/data_tfrecord-00000-of-0000N.gz    one of N per input file
    ingest.json       rows read, kept and quarantined, per file and in all; rows and positives per split
    quarantine.csv    the rows set aside, each with its reason; only with quarantine
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
from google.protobuf import struct_pb2
from tfx import types
from tfx.components.example_gen import component, driver, input_processor, write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from data import reader
from data.contract import Contract
from data.errors import BadFileError
from modules.artifacts import join, read_bytes, read_json, write_json
from modules.examples import SPLITS
from modules.ingest import HELD_OUT_PERCENT, MOST_MESSAGES, Outcome, Shard, ingest, time_bounds

MOST_QUARANTINED_PERCENT = 1
"""The input is refused from this share of bad rows on."""
SUMMARY = "ingest.json"
QUARANTINE = "quarantine.csv"


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
          BadFileError: a file cannot be read, has bad rows (any without quarantine, 1 % and more with it), or there
            are too few rows for three splits.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        settings = _unpack(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        files = reader.files(exec_properties[standard_component_specs.INPUT_BASE_KEY])
        held_out: Sequence[tuple[int, int] | None] = [None] * len(files)
        if settings["split"] == "time":
            held_out = time_bounds(files, Contract.model_validate_json(settings["contract"]))
        shards = [
            Shard(str(file), index, len(files), artifact.uri, settings["contract"], rows, settings["quarantine"])
            for index, (file, rows) in enumerate(zip(files, held_out, strict=True))
        ]
        for split in SPLITS:
            fileio.makedirs(join(artifact.uri, f"Split-{split}"))
        with self._make_beam_pipeline() as pipeline:
            pipeline | beam.Create(shards) | beam.Map(ingest)
        _conclude(artifact.uri, shards, settings["quarantine"])

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
      code: fingerprint of the code behind it.

    Raises:
      BadFileError: here, when the split is `time` and the contract's rows are in no date order; from a run, as it
        is, on any fault of the input.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = ContentDriver

    def __init__(
        self,
        data: str,
        contract: str,
        split: Literal["random", "time"] = "random",
        quarantine: bool = False,
        code: str = "",
    ):
        parsed = Contract.model_validate_json(contract)
        if split == "time" and parsed.row_order != "date":
            raise BadFileError(
                f"the rows of contract {parsed.name} are in no date order (row_order: none), so they cannot be split "
                "by time; split them at random"
            )
        settings = struct_pb2.Struct()
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


def _unpack(custom_config: str) -> dict[str, Any]:
    """The settings that the component packed, from the execution property."""
    config = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(custom_config, config)
    settings = struct_pb2.Struct()
    config.custom_config.Unpack(settings)
    return dict(settings)


def _conclude(folder: str, shards: list[Shard], quarantine: bool) -> None:
    """Merges the shards' outcomes into `ingest.json` and `quarantine.csv`, or refuses the input."""
    outcomes = [Outcome(**read_json(shard.outcome)) for shard in shards]
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        raise BadFileError("\n".join(errors))
    per_file = {
        shard.file: {"read": outcome.read, "kept": sum(outcome.rows), "quarantined": outcome.quarantined}
        for shard, outcome in zip(shards, outcomes, strict=True)
    }
    total = {key: sum(counts[key] for counts in per_file.values()) for key in ("read", "kept", "quarantined")}
    _refuse_bad_rows(total, outcomes, quarantine)
    if total["read"] != total["kept"] + total["quarantined"]:
        raise RuntimeError(f"rows were lost: {total}")
    per_split = {
        split: {
            "rows": sum(outcome.rows[index] for outcome in outcomes),
            "positives": sum(outcome.positives[index] for outcome in outcomes),
        }
        for index, split in enumerate(SPLITS)
    }
    if empty := [split for split, counts in per_split.items() if not counts["rows"]]:
        raise BadFileError(
            f"{total['kept']} rows are too few to split into {', '.join(SPLITS)}: nothing is left for "
            f"{' and '.join(empty)}; some hundred rows are needed"
        )
    summary = {**total, "files": per_file, "splits": per_split}
    write_json(summary, folder, SUMMARY)
    if quarantine:
        with fileio.open(join(folder, QUARANTINE), "w") as merged:
            csv.writer(merged).writerow(field.name for field in fields(reader.BadRow))
            for shard in shards:
                merged.write(read_bytes(shard.set_aside).decode())
    for shard in shards:
        fileio.remove(shard.outcome)
        fileio.remove(shard.set_aside)


def _refuse_bad_rows(total: dict[str, int], outcomes: list[Outcome], quarantine: bool) -> None:
    bad, read = total["quarantined"], total["read"]
    if not bad or (quarantine and bad * 100 < MOST_QUARANTINED_PERCENT * read):
        return
    if quarantine:
        advice = f"--quarantine takes less than {MOST_QUARANTINED_PERCENT} %"
    else:
        advice = "correct them, or set them aside with --quarantine"
    messages = [message for outcome in outcomes for message in outcome.messages][:MOST_MESSAGES]
    more = [f"... and {bad - len(messages)} more"] if bad > len(messages) else []
    raise BadFileError("\n".join([f"{bad} of {read} rows cannot be read; {advice}", *messages, *more]))
