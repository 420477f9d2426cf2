"""ExampleGen for the CSV files of a contract, many times as fast as the stock CsvExampleGen.

The stock component parses, infers types and shuffles row by row in Python. Here a file, or a part of a large one, is
one Beam element, which is streamed into its own shard of every split, so that nothing is kept between Beam stages. A
Beam runner with several workers reads parts in parallel; the in-memory runner reads them one after the other. Rows keep
their file order within a split. The trainer shuffles them.

The artifact has the layout of the stock component's, and further files:

    Split-{train,eval,test}/data_tfrecord-00000-of-0000N.gz    one of N parts of the input
    ingest.json       rows read, kept, quarantined and superseded, per file and in all; rows and positives per split;
                      how many customers are different by their identifiers, and how many rows repeat one
    list_size.json    how many calls were usual in the newest month; only where the contract has the size of the list
    quarantine.csv    the rows set aside, each with its reason; only with quarantine
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
import numpy as np
import pandas as pd
from google.protobuf import struct_pb2
from tfx import types
from tfx.components.example_gen import component, driver, input_processor, write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from data import list_size, reader
from data.call_dates import Place
from data.contract import Contract, Role
from data.csv_parts import FilePart, divide_all
from data.csv_rows import BAD_COLUMNS
from data.errors import BadFileError, BadOptionError
from data.files import sha256
from data.span_folder import believed, is_folder_of_spans, month_of
from modules.artifacts import LIST_SIZE, join, read_bytes, read_json, write_arrays, write_json
from modules.examples import SPLITS, read_raw
from modules.ingest import (
    HELD_OUT_PERCENT,
    MOST_MESSAGES,
    REPEATED,
    Outcome,
    Shard,
    good_rows,
    ingest,
    time_bounds,
)
from modules.repeats import repeated_rows

MOST_QUARANTINED_PERCENT = 1
"""The input is refused from this share of bad rows on."""
SUMMARY = "ingest.json"
QUARANTINE = "quarantine.csv"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes the splits, one Beam element per part of a file, and accounts for every row."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills the one Examples artifact of `output_dict`.

        Raises:
          BadFileError: a file cannot be read, has bad rows (any without quarantine, 1 % and more with it), has a
            column without any value, or there are too few rows for three splits.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        settings = _unpack(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        files = reader.files(exec_properties[standard_component_specs.INPUT_BASE_KEY])
        contract = Contract.model_validate_json(settings["contract"])
        for file in files:
            reader.check(file, contract)
        parts = divide_all(files, contract, Role.TRAINING)
        repeated = repeated_rows(parts, contract) if contract.identifiers else []
        for split in SPLITS:
            fileio.makedirs(join(artifact.uri, f"Split-{split}"))
        shards = _shards(parts, artifact.uri, settings, contract, repeated)
        with self._make_beam_pipeline() as pipeline:
            pipeline | beam.Create(shards) | beam.Map(ingest)
        _conclude(artifact.uri, shards, contract, sum(map(np.count_nonzero, repeated)))

        artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(artifact, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP))


def repeated_identifiers(summary: Mapping[str, Any]) -> str | None:
    """A sentence about rows with the same identifiers; None where no two rows have the same or there are none.

    Args:
      summary: the content of `ingest.json`.
    """
    if not summary["repeated"]:
        return None
    different = f"{summary['distinct']:,} different {' and '.join(summary['identifiers'])}"
    rows = f"{summary['kept'] + summary['superseded']:,} rows"
    repeated = f"{summary['repeated']:,} row{'s' if summary['repeated'] > 1 else ''}"
    if summary["superseded"]:
        return f"{different} in {rows}: only the last row of each is kept, {repeated} left out"
    verb = "repeat" if summary["repeated"] > 1 else "repeats"
    return f"{different} in {rows}: {repeated} {verb} one; --last-row-counts keeps only the last row of each"


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
        return self.resolve_span_and_version()[0]

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        """The newest span that is read, such as 200903, and its version; (0, None) where the input is no spans."""
        data = Path(self._data)
        found = believed(data) if data.is_dir() and is_folder_of_spans(data) else ()
        return (found[-1].number, found[-1].version) if found else (0, None)

    def get_input_fingerprint(self, span: int, version: int | None) -> str:
        """SHA-256 of the file, or of the names and digests of several. The name of a span's file says its month."""
        files = reader.files(self._data)
        if len(files) == 1 and month_of(files[0]) is None:
            return sha256(files[0])
        digests = {str(file.relative_to(self._data)): sha256(file) for file in files}
        return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


class ContractExampleGen(component.FileBasedExampleGen):
    """Turns the CSV files of a contract into tf.Examples in the splits train, eval and test, 70 : 15 : 15.

    A number becomes one float (NaN where missing), a text one bytes value, the label int64 0 or 1; identifiers are
    not stored. The result is cached by the content of the files, the contract, the settings and this code.

    Args:
      data: a CSV file, a folder whose `*.csv` are read in name order, or a folder of spans (see `data.spans`). With
        spans the artifact has TFX's custom properties `span` and `version` of the newest one.
      contract: the contract as JSON, from `Contract.model_dump_json()`.
      split: `random` by a stable hash of the row, equal rows staying together; or `time` by file order, the last
        15 % of the rows being test and the 15 % before them eval.
      quarantine: whether to set bad rows aside while they are below 1 %, instead of refusing the input.
      last_row: whether of rows with the same identifiers only the last one is kept, in the order of the files.
      code: fingerprint of the code behind it.

    Raises:
      BadFileError: here, when the split is `time` and the contract's rows are in no date order; from a run, as it
        is, on any fault of the input.
      BadOptionError: `last_row` with a contract that has no identifiers.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = ContentDriver

    def __init__(
        self,
        data: str,
        contract: str,
        split: Literal["random", "time"] = "random",
        quarantine: bool = False,
        last_row: bool = False,
        code: str = "",
    ):
        parsed = Contract.model_validate_json(contract)
        if split == "time" and parsed.row_order != "date":
            raise BadFileError(
                f"the rows of contract {parsed.name} are in no date order (row_order: none), so they cannot be split "
                "by time; split them at random"
            )
        if last_row and not parsed.identifiers:
            raise BadOptionError(
                f"contract {parsed.name} has no identifiers, so it cannot be said which row is the last one of a "
                "customer; --last-row-counts needs them"
            )
        settings = struct_pb2.Struct()
        settings.update(
            {"contract": contract, "split": split, "quarantine": quarantine, "last_row": last_row, "code": code}
        )
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


def _shards(
    parts: list[FilePart], folder: str, settings: dict[str, Any], contract: Contract, repeated: list[np.ndarray]
) -> list[Shard]:
    """One shard for each part of a file. Writes what they leave out into the folder of the Examples."""
    last_row = settings["last_row"]
    dated = list_size.scan(parts, contract) if contract.call_date else None
    held_out: Sequence[tuple[int, int] | None] = [None] * len(parts)
    if settings["split"] == "time":
        if last_row:
            rows: Sequence[int] = [np.count_nonzero(~marked) for marked in repeated]
        elif repeated:
            rows = [len(marked) for marked in repeated]
        else:
            rows = dated.rows if dated else [good_rows(part, contract) for part in parts]
        held_out = time_bounds(rows)
    places: Sequence[Place | None] = dated.places if dated else [None] * len(parts)
    json_text, quarantine = settings["contract"], settings["quarantine"]
    shards = [
        Shard(part, index, len(parts), folder, json_text, bounds, quarantine, last_row, place)
        for index, (part, bounds, place) in enumerate(zip(parts, held_out, places, strict=True))
    ]
    if dated:
        write_arrays({"days": dated.volume.days, "calls": dated.volume.calls}, shards[0].volume)
        if contract.derived and len(dated.volume.days):
            write_json(asdict(list_size.usual(dated.volume)), folder, LIST_SIZE)
    if last_row:
        for shard, marked in zip(shards, repeated, strict=True):
            write_arrays({REPEATED: marked}, shard.repeated)
    return shards


def _conclude(folder: str, shards: list[Shard], contract: Contract, repeated: int) -> None:
    """Merges the shards' outcomes into `ingest.json` and `quarantine.csv`, or refuses the input.

    Args:
      folder: of the Examples artifact.
      shards: of all files.
      contract: what the columns mean.
      repeated: rows whose identifiers occur again in a later row.
    """
    outcomes = [Outcome(**read_json(shard.outcome)) for shard in shards]
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        raise BadFileError("\n".join(errors))
    per_file: dict[str, Counter[str]] = {}
    for shard, outcome in zip(shards, outcomes, strict=True):
        per_file.setdefault(str(shard.source.file), Counter()).update(
            read=outcome.read,
            kept=sum(outcome.rows),
            quarantined=outcome.quarantined,
            superseded=outcome.superseded,
        )
    total = {key: sum(counts[key] for counts in per_file.values()) for key in next(iter(per_file.values()))}
    quarantine = shards[0].quarantine
    _refuse_bad_rows(total, outcomes, quarantine)
    if total["read"] != total["kept"] + total["quarantined"] + total["superseded"]:
        raise RuntimeError(f"rows were lost: {total}")
    per_split = {
        split: {
            "rows": sum(outcome.rows[index] for outcome in outcomes),
            "positives": sum(outcome.positives[index] for outcome in outcomes),
        }
        for index, split in enumerate(SPLITS)
    }
    empty = [split for split, counts in per_split.items() if not counts["rows"]]
    _refuse_empty_splits(empty, total["kept"], shards, contract)
    _refuse_blank_columns(outcomes, total["kept"])
    distinct = total["read"] - total["quarantined"] - repeated if contract.identifiers else None
    customers = {"identifiers": contract.identifiers, "distinct": distinct, "repeated": repeated}
    write_json({**total, **customers, "files": per_file, "splits": per_split}, folder, SUMMARY)
    if quarantine:
        with fileio.open(join(folder, QUARANTINE), "w") as merged:
            csv.writer(merged).writerow(BAD_COLUMNS)
            for shard in shards:
                merged.write(read_bytes(shard.set_aside).decode())
    for shard in shards:
        for file in (shard.outcome, shard.set_aside, *([shard.repeated] if shard.last_row else [])):
            fileio.remove(file)
    if shards[0].place is not None:
        fileio.remove(shards[0].volume)


def _refuse_empty_splits(empty: list[str], kept: int, shards: list[Shard], contract: Contract) -> None:
    if not empty:
        return
    nothing = f"nothing is left for {' and '.join(empty)}"
    if shards[0].first_held_out is None:
        written = [shard.examples(split) for shard in shards for split in SPLITS]
        columns = read_raw(written, contract, contract.columns(Role.TRAINING))
        different = np.count_nonzero(~pd.DataFrame(columns.cells).duplicated())
        if different < kept:
            raise BadFileError(
                f"only {different} of the {kept:,} rows are different, and equal rows stay in one split: {nothing}; "
                "some hundred different rows are needed"
            )
    raise BadFileError(
        f"{kept} rows are too few to split into {', '.join(SPLITS)}: {nothing}; some hundred rows are needed"
    )


def _refuse_blank_columns(outcomes: list[Outcome], kept: int) -> None:
    blank = [name for name in outcomes[0].blank if all(name in outcome.blank for outcome in outcomes)]
    if blank:
        raise BadFileError(
            f"no row of {kept:,} has a value in {' or '.join(map(repr, blank))}; remove the column from file and "
            "contract, or list it in the contract under identifiers, which are not learned from"
        )


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
