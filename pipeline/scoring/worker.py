"""Scores the parts of a job; runs in the workers of Beam."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import BinaryIO

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf

from data import reader
from data.contract import Contract, Role
from data.csv_rows import BAD_COLUMNS, BadRow
from data.errors import BadFileError, UserError
from data.model_spec import RAW_SIGNATURE
from pipeline.scoring.job import Job, Outcome, Task, new_file
from pipeline.scoring.output import TableWriter

BATCH = 4096
"""Rows scored at once; larger batches take no less time."""
MOST_MESSAGES = 20
"""Bad rows of a part that are named."""


class ScoreParts(beam.DoFn):
    """Scores tasks; the model is loaded once in each worker."""

    def __init__(self, job: Job):
        self._job = job

    def setup(self) -> None:
        self._loaded = tf.saved_model.load(self._job.model)

    def process(self, task: Task) -> None:
        job = self._job
        if job.outcome(task.number) or job.failed:
            return
        try:
            with new_file(job.result(task.number)) as output:
                outcome = self._score(task, output)
        except UserError as error:
            outcome = Outcome(error=str(error))
        job.conclude(task.number, outcome)

    def _score(self, task: Task, output: BinaryIO) -> Outcome:
        """Writes the rows of a part; stops at the first bad one, unless they are set aside."""
        job, rows = self._job, 0
        bad: list[BadRow] = []
        contract = Contract.model_validate_json(job.contract)
        with TableWriter(output, job.format, job.delimiter) as writer:
            for block in reader.read(task.file, contract, Role.CUSTOMERS, plan=job.plan, part=task.part):
                bad += block.bad
                if bad and not job.quarantine:
                    break
                writer.write(self._table(task.file, block))
                rows += block.batch.num_rows
        if bad and job.quarantine:
            with new_file(job.set_aside(task.number)) as set_aside:
                set_aside.write(_as_csv(bad))
        return Outcome(rows, len(bad), tuple(map(str, bad[:MOST_MESSAGES])))

    def _table(self, file: str, block: reader.Block) -> pa.Table:
        """The cells of a block and the model's outputs for its rows."""
        assert block.cells is not None
        scores: dict[str, list[np.ndarray]] = {name: [] for name in self._job.outputs}
        columns = {name: block.batch[name].to_numpy(zero_copy_only=False) for name in block.batch.schema.names}
        for start in range(0, max(1, block.batch.num_rows), BATCH):
            inputs = {name: tf.constant(column[start : start + BATCH]) for name, column in columns.items()}
            answers = self._loaded.signatures[RAW_SIGNATURE](**inputs)
            for name, parts in scores.items():
                parts.append(answers[name].numpy())
        outputs = {name: _array(np.concatenate(parts)) for name, parts in scores.items()}
        return pa.table({**_without_outputs(file, block.cells, self._job.outputs), **outputs})


def _without_outputs(file: str, cells: pa.RecordBatch, outputs: Sequence[str]) -> dict[str, pa.Array]:
    """The columns of a file; those of an earlier scoring are left out, so that a result can be scored again.

    Raises:
      BadFileError: only some of the outputs are columns of the file, where they then mean something else.
    """
    names = cells.schema.names
    taken = [name for name in names if name in outputs]
    if taken and len(taken) < len(outputs):
        raise BadFileError(f"{file}: column {taken[0]!r} has the name of an output of the model; rename the column")
    return {name: cells[name] for name in names if name not in outputs}


def _array(values: np.ndarray) -> pa.Array:
    """An output as Arrow has it; texts, which TensorFlow gives as bytes, become text."""
    return pa.array(values, pa.string()) if values.dtype == object else pa.array(values)


def _as_csv(bad: Sequence[BadRow]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([getattr(row, name) for name in BAD_COLUMNS] for row in bad)
    return text.getvalue().encode()
