"""Parquet files: the same rows, the same faults as the CSV file of their values."""

from __future__ import annotations

import datetime
import decimal
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import csv_parts, reader
from data.contract import Contract, Role
from data.errors import BadFileError
from tests.data.test_reader import in_parts, rows_of, shop

per_example_file = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

GOOD: dict[str, list[Any]] = {
    "visit": [7, 8],
    "spent": [9.5, None],
    "items": [3, 4],
    "colour": ["rot", None],
    "city": ["Köln", "Köln"],
    "bought": ["ja", "nein"],
}


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pyarrow.parquet.write_table(pa.table(columns), path, **options)
    return path


def test_values_of_many_types_are_read(tmp_path):
    rows, bad = rows_of(write(tmp_path / "a.parquet", GOOD), shop())
    assert not bad
    assert rows[0] == (9.5, 3.0, "rot", "Köln", 1)
    assert math.isnan(rows[1][0])
    assert rows[1][1:] == (4.0, "", "Köln", 0)
    typed = {
        **GOOD,
        "visit": pa.array([datetime.date(2026, 1, 2), None]),
        "spent": pa.array([decimal.Decimal("9.50"), None], pa.decimal128(5, 2)),
        "items": pa.array([3.0, 4.0], pa.float32()),
        "colour": pa.array(["rot", None]).dictionary_encode(),
        "city": pa.array(["Köln", "Köln"], pa.large_string()),
    }
    assert repr(rows_of(write(tmp_path / "b.parquet", typed), shop())[0]) == repr(rows)


def test_not_a_number_is_a_missing_value(tmp_path):
    rows, bad = rows_of(write(tmp_path / "a.parquet", {**GOOD, "spent": [math.nan, 1.0]}), shop())
    assert not bad
    assert math.isnan(rows[0][0])


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("items", [3.5, 4.0], "a.parquet:1: column 'items': got '3.5', expected a whole number"),
        ("items", [3, None], "a.parquet:2: column 'items': got '', expected a whole number"),
        ("spent", [1.0, math.inf], "a.parquet:2: column 'spent': got 'inf', expected a number or a blank cell"),
        ("spent", [1e300, 1.0], "a.parquet:1: column 'spent': got '1e+300', expected a number or a blank cell"),
        ("spent", ["1", "much"], "a.parquet:2: column 'spent': got 'much', expected a number or a blank cell"),
        ("bought", ["ja", "yes"], "a.parquet:2: column 'bought': got 'yes', expected 'ja' or 'nein'"),
        ("bought", [True, False], "a.parquet:1: column 'bought': got 'true', expected 'ja' or 'nein'"),
    ],
)
def test_a_bad_value_is_named_by_row_and_column(tmp_path, column, values, message):
    rows, bad = rows_of(write(tmp_path / "a.parquet", {**GOOD, column: values}), shop())
    assert message in str(bad[0])
    assert len(rows) == 2 - len(bad)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {**GOOD, "city": [["Köln"], ["Bonn"]]},
            "column 'city' holds list<item: string>; expected numbers, texts or dates",
        ),
        ({**GOOD, "city": [b"K", b"B"]}, "column 'city' holds binary"),
        ({name: column for name, column in GOOD.items() if name != "city"}, "missing 'city'"),
        ({name: column[:0] for name, column in GOOD.items()}, "a header but no rows"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, columns, message):
    path = write(tmp_path / "a.parquet", columns)
    with pytest.raises(BadFileError, match=message) as error:
        reader.check(path, shop())
    assert str(error.value).startswith(f"{path}: ")


def test_a_damaged_file_is_refused(tmp_path):
    path = write(tmp_path / "a.parquet", GOOD)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadFileError, match="the Parquet file cannot be read"):
        reader.check(path, shop())
    whole = write(tmp_path / "b.parquet", {name: column * 500 for name, column in GOOD.items()}, compression="zstd")
    damaged = bytearray(whole.read_bytes())
    damaged[20:60] = bytes(40)
    whole.write_bytes(damaged)
    with pytest.raises(BadFileError, match="row group after row 0"):
        rows_of(whole, shop())


def test_row_groups_are_parts_and_rows_are_counted_on(tmp_path, monkeypatch):
    columns = {name: column * 50 for name, column in GOOD.items()}
    columns["items"] = [*columns["items"][:-1], 0.5]
    path = write(tmp_path / "a.parquet", columns, row_group_size=30)
    (whole,) = csv_parts.divide(path, shop(), Role.TRAINING)
    assert (whole.start, whole.end, whole.line) == (0, 4, 1)
    monkeypatch.setattr(csv_parts, "PART_ROWS", 50)
    parts = csv_parts.divide(path, shop(), Role.TRAINING)
    assert [(part.start, part.end, part.line) for part in parts] == [(0, 2, 1), (2, 4, 61)]
    monkeypatch.setattr(csv_parts, "PART_ROWS", 1)
    parts = csv_parts.divide(path, shop(), Role.TRAINING)
    assert [(part.start, part.end, part.line) for part in parts] == [(0, 1, 1), (1, 2, 31), (2, 3, 61), (3, 4, 91)]
    rows, bad = rows_of(path, shop())
    assert [one.line for one in bad] == [100]
    assert in_parts(path, shop(), 1) == (repr(rows), bad)


def test_a_folder_may_have_both_formats(tmp_path):
    write(tmp_path / "b.parquet", GOOD)
    (tmp_path / "a.csv").write_text("visit,spent,items,colour,city,bought\n1,1,1,rot,Köln,ja\n")
    assert [path.name for path in reader.files(tmp_path)] == ["a.csv", "b.parquet"]
    assert sum(len(rows_of(path, shop())[0]) for path in reader.files(tmp_path)) == 3


CELL = st.text(st.sampled_from("abä,;\"'\n 0.5-"), max_size=5)


@per_example_file
@given(
    rows=st.lists(
        st.tuples(
            CELL,
            st.none() | st.floats(width=32, allow_nan=False) | st.integers(-9, 9),
            st.integers(-5, 5) | st.sampled_from([0.5, 1e10]),
            st.none() | CELL,
            CELL,
            st.sampled_from(["ja", "nein", "ja "]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_parquet_file_gives_the_rows_and_faults_of_a_csv_file_with_the_same_values(tmp_path, rows):
    texts = [[("" if cell is None else str(cell)) for cell in row] for row in rows]
    contract: Contract = shop()
    path = tmp_path / "a.parquet"
    kinds = [pa.string(), pa.float64(), pa.float64(), pa.string(), pa.string(), pa.string()]
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    pyarrow.parquet.write_table(pa.table(columns, names=list(GOOD)), path)
    lines = [",".join(f'"{cell}"'.replace('"', '""')[1:-1] for cell in row) for row in texts]
    file = tmp_path / "a.csv"
    file.write_text("\n".join([",".join(GOOD), *lines]) + "\n", newline="")
    found, bad = rows_of(path, contract)
    expected, faults = rows_of(file, contract)
    assert repr(found) == repr(expected)
    assert [(one.index, one.column, one.expected) for one in bad] == [
        (one.index, one.column, one.expected) for one in faults
    ]
