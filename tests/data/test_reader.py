"""CSV reading: the same rows as Python's csv module, and a message for every fault."""

import csv
import io
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import contract as contracts
from data import csv_arrow, csv_parts, reader
from data.contract import Contract, Role
from data.errors import UserError

per_example_file = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def shop(delimiter=",", quoting="minimal"):
    """A contract the code has never seen."""
    return Contract.model_validate(
        {
            "name": "shop-visits",
            "title": "Visits of a web shop",
            "source": {"delimiter": delimiter, "quoting": quoting},
            "identifiers": ["visit"],
            "numeric": {
                "spent": {"unit": "euros", "min": 0, "max": 1000, "blank": True},
                "items": {"unit": "pieces", "min": 0, "max": 50, "integer": True},
            },
            "categorical": {"colour": {"values": ["rot", "blau"], "blank": True}, "city": {"values": ["Köln"]}},
            "label": {"name": "bought", "positive": "ja", "negative": "nein"},
        }
    )


HEADER = "visit,spent,items,colour,city,bought"
GOOD = "v1,9.5,3,rot,Köln,ja"


def rows_of(path, contract, block_bytes=reader.BLOCK_BYTES):
    """All good rows as tuples in the order of the schema, and all bad rows."""
    rows, bad = [], []
    for block in reader.read(path, contract, block_bytes=block_bytes):
        assert block.batch.schema == reader.schema(contract)
        rows += zip(*block.batch.to_pydict().values(), strict=True)
        bad += block.bad
    return rows, bad


def in_parts(path, contract, part_bytes):
    """All good and bad rows, read part by part; or the message of the error."""
    rows, bad = [], []
    try:
        for part in csv_parts.divide(path, contract, Role.TRAINING, part_bytes):
            for block in reader.read(path, contract, part=part):
                rows += zip(*block.batch.to_pydict().values(), strict=True)
                bad += block.bad
    except UserError as error:
        return str(error)
    return repr(rows), bad


def only_bad_row(path, contract):
    rows, bad = rows_of(path, contract)
    assert len(bad) == 1
    return rows, bad[0]


def test_values_have_their_types_and_blanks_become_missing(write):
    path = write(f"{HEADER}\n{GOOD}\nv2,,0,,Köln,nein\n")
    (first, second), bad = rows_of(path, shop())
    assert first == (9.5, 3, "rot", "Köln", 1)
    assert math.isnan(second[0])
    assert second[1:] == (0, "", "Köln", 0)
    assert bad == []


def test_identifiers_are_read_past():
    assert reader.schema(shop()).names == ["spent", "items", "colour", "city", "bought"]


def test_column_order_is_free(write):
    path = write("bought,city,colour,items,spent,visit\nja,Köln,rot,3,9.5,v1\n")
    assert rows_of(path, shop()) == ([(9.5, 3, "rot", "Köln", 1)], [])


def test_unknown_categories_and_numbers_out_of_range_are_no_fault_of_the_file(write):
    path = write(f"{HEADER}\nv1,-99999,3,violett,Bonn,ja\n")
    assert rows_of(path, shop()) == ([(-99999, 3, "violett", "Bonn", 1)], [])


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("quoting", ["nonnumeric", "minimal", "none"])
def test_any_usual_delimiter_is_found_whatever_the_contract_says(write, delimiter, quoting):
    path = write(f"{HEADER}\n{GOOD}\n".replace(",", delimiter))
    assert reader.header(path) == (tuple(HEADER.split(",")), delimiter)
    assert len(rows_of(path, shop(",", quoting))[0]) == 1


def test_quotes_are_ordinary_characters_under_quoting_none(write):
    path = write(f'{HEADER}\nv1,1,3,"rot,Köln 3" Rohr,ja\n')
    assert rows_of(path, shop(quoting="none")) == ([(1, 3, '"rot', 'Köln 3" Rohr', 1)], [])


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_byte_order_mark_line_ends_and_blank_lines_are_accepted(write, start, end, last):
    text = start + end.join([HEADER, GOOD, "", GOOD]) + (end if last else "")
    assert rows_of(write(text), shop()) == ([(9.5, 3, "rot", "Köln", 1)] * 2, [])


@pytest.mark.parametrize("number", ["7", "+7", "-7", " 7 ", ".5", "5.", "1.5e3", "1E-3", "007"])
def test_decimal_numbers(write, number):
    rows, bad = rows_of(write(f"{HEADER}\nv1,{number},3,rot,Köln,ja\n"), shop())
    assert bad == []
    assert rows[0][0] == np.float32(float(number))


@pytest.mark.parametrize(
    "text", ["abc", "nan", "inf", "-Infinity", "1e999", "1e39", "0x10", "1_000", "3,5", "1.2.3", "-", "٣", "NA", "--1"]
)
def test_what_is_no_number_is_named_with_its_place(write, text):
    path = write(f'{HEADER}\n{GOOD}\nv2,"{text}",3,rot,Köln,ja\n{GOOD}\n')
    rows, bad = only_bad_row(path, shop())
    assert len(rows) == 2
    assert (bad.line, bad.column, bad.value) == (3, "spent", text)
    assert str(bad) == f"{path}:3: column 'spent': got {text!r}, expected a number or a blank cell"


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [
        ("v2,1,3.5,rot,Köln,ja", "items", "3.5", "a whole number"),
        ("v2,1,,rot,Köln,ja", "items", "", "a whole number"),
        ("v2,1,3,rot,,ja", "city", "", "no `blank: true`"),
        ("v2,1,3,rot,Köln,yes", "bought", "yes", "'ja' or 'nein'"),
        ("v2,1,3,rot,Köln,", "bought", "", "'ja' or 'nein'"),
        ("v2,1,3,rot,Köln", "", "v2,1,3,rot,Köln", "6 cells separated by ',', not 5"),
        ("v2,1,3,rot,Köln,ja,", "", "v2,1,3,rot,Köln,ja,", "6 cells separated by ',', not 7"),
        ('v2,1,3,"rot"x,Köln,ja', "colour", '"rot"x', "closing quote"),
        ('v2,1,3,rot,"Köln,ja', "city", '"Köln', "closing quote"),
        ("v2,1,3,rot,K\0ln,ja", "city", "K\0ln", "NUL"),
        ("v2,1,3,rot,K\rln,ja", "city", "K\rln", "carriage return"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_fault_is_named_with_its_place_and_the_other_rows_are_kept(write, row, column, value, expected, end):
    path = write(end.join([HEADER, GOOD, row, GOOD]) + end)
    rows, bad = only_bad_row(path, shop())
    assert len(rows) == 2
    assert (bad.file, bad.line, bad.column, bad.value, bad.row) == (str(path), 3, column, value, row)
    assert expected in bad.expected


def test_the_first_of_two_faults_in_a_row_is_named(write):
    _, bad = only_bad_row(write(f"{HEADER}\nv1,x,y,rot,Köln,ja\n"), shop())
    assert bad.column == "spent"


def test_latin_1_is_named_with_the_value_as_it_was_meant(write):
    path = write(f"{HEADER}\n{GOOD}\n".encode() + "v2,1,3,rot,Köln,ja\n".encode("latin-1"))
    _, bad = only_bad_row(path, shop())
    assert (bad.line, bad.column, bad.value, bad.row) == (3, "city", "Köln", "v2,1,3,rot,Köln,ja")
    assert "save the file as UTF-8" in str(bad)


def test_latin_1_in_an_identifier_is_named_too(write):
    path = write(f"{HEADER}\n".encode() + "ü,1,3,rot,blau,ja\n".encode("latin-1"))
    assert only_bad_row(path, shop())[1].column == "visit"


def test_line_numbers_count_the_breaks_inside_quotes(write):
    path = write(f'{HEADER}\nv1,1,3,rot,"K\nö\nln",ja\nv2,x,3,rot,Köln,ja\n')
    rows, bad = only_bad_row(path, shop())
    assert rows[0][3] == "K\nö\nln"
    assert bad.line == 5


def test_a_quote_left_open_costs_one_row_however_long_the_file(write):
    path = write(f'{HEADER}\nv0,1,3,rot,"Köln,ja\n' + f"{GOOD}\n" * 20_000)
    rows, bad = only_bad_row(path, shop())
    assert len(rows) == 20_000
    assert (bad.line, bad.column) == (2, "city")
    assert "quote left open" in bad.expected


def test_a_long_message_is_shortened_but_the_row_kept_whole(write):
    _, bad = only_bad_row(write(f"{HEADER}\nv1,{'x' * 500},3,rot,Köln,ja\n"), shop())
    assert len(str(bad).removeprefix(bad.file)) < 150
    assert len(bad.row) > 500


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\r\n\n", "the file is empty"),
        (HEADER.encode(), "a header but no rows"),
        (f"{HEADER}\n\n".encode(), "a header but no rows"),
        (b"visit,spend,items,colour,city,bought\n", "missing 'spent' (did you mean 'spend'?)"),
        (b"visit,spent,items,colour,city,bought,extra\n", "not in the contract 'extra'"),
        (b"visit,spent,items,colour,city,bought,city\n", "named twice: 'city'"),
        (b"visit:spent:items:colour:city:bought\n", "a single column"),
        ("visit,spent,items,colour,stät,bought\n".encode("latin-1"), "got 'stät', expected UTF-8"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest", "Excel"),
        (b"\x1f\x8brest", "gzip"),
        (b"\x7fELF\0\0\0", "binary"),
        (f"{HEADER}\r{GOOD}\r".encode(), "carriage return"),
        (b'"visit,spent\n', "header cannot be read"),
        (b"x" * (2 << 20), "is this a CSV file?"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_by_name(write, content, message):
    path = write(content)
    with pytest.raises(UserError) as error:
        rows_of(path, shop())
    assert str(path) in str(error.value)
    assert message in str(error.value)
    with pytest.raises(UserError) as checked:
        reader.check(path, shop())
    assert str(checked.value) == str(error.value)


def test_a_check_looks_at_the_header_and_for_rows_only(write):
    reader.check(write(f"{HEADER}\n\n\nx"), shop())


def test_a_line_without_end_is_refused_before_it_fills_the_memory(write, monkeypatch):
    monkeypatch.setattr(reader, "_LONGEST_LINE", 10_000)
    with pytest.raises(UserError, match="no line end in"):
        rows_of(write(f"{HEADER}\n" + "x" * 100_000), shop(), 1000)


def test_missing_files_and_folders(tmp_path, write):
    write("", "bank.csv")
    with pytest.raises(UserError, match=r"bnak.csv: no such file \(did you mean 'bank.csv'\?\)"):
        reader.files(tmp_path / "bnak.csv")
    with pytest.raises(UserError, match="no such file"):
        reader.header(tmp_path / "none" / "bank.csv")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        reader.header(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no \.csv or \.parquet file"):
        reader.files(tmp_path / "empty")


def test_a_folder_stands_for_its_csv_files_in_name_order(tmp_path, write):
    paths = [write("", name) for name in ("b.csv", "a.CSV", "c.txt")]
    assert reader.files(tmp_path) == [paths[1], paths[0]]
    assert reader.files(paths[2]) == [paths[2]]


def test_a_file_is_divided_where_rows_end_and_lines_are_counted_on(write, monkeypatch):
    monkeypatch.setattr(csv_parts, "CHUNK", 64)
    path = write(f"{HEADER}\n" + f'"a\n{"b" * 30}",1,1,rot,Köln,ja\n' * 20 + "v,x,1,rot,Köln,ja\n")
    parts = csv_parts.divide(path, shop(), Role.TRAINING, part_bytes=100)
    assert len(parts) > 5
    assert [(one.end, after.start) for one, after in pairwise(parts)] == [(one.end,) * 2 for one in parts[:-1]]
    (block,) = reader.read(path, shop(), part=parts[-1])
    assert block.bad[0].line == 42


def test_a_stray_quote_ends_the_division_since_the_rows_after_it_are_in_doubt(write, monkeypatch):
    monkeypatch.setattr(csv_parts, "CHUNK", 64)
    path = write(f"{HEADER}\n" + f"{GOOD}\n" * 20 + 'v"1,1,1,rot,Köln,ja\n' + f"{GOOD}\n" * 20)
    parts = csv_parts.divide(path, shop(), Role.TRAINING, part_bytes=64)
    assert len(parts) > 3
    assert parts[-1].end - parts[-1].start > 20 * len(GOOD)


TEXT = st.text(st.sampled_from("abcäß😀 \t,;|\"'\n\r.0\v\u2028"), min_size=1, max_size=6)
TABLE = st.lists(
    st.tuples(TEXT, st.integers(-9, 9), st.integers(0, 9), st.just("") | TEXT, TEXT, st.sampled_from(["ja", "nein"])),
    min_size=1,
    max_size=12,
)


@per_example_file
@given(
    table=TABLE,
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    always=st.booleans(),
    ended=st.booleans(),
    mark=st.booleans(),
    block_bytes=st.integers(20, 400),
)
def test_reads_what_python_reads_wherever_the_blocks_are_cut(
    write, table, delimiter, end, always, ended, mark, block_bytes
):
    def cell(value):
        text = str(value)
        quoted = always or any(c in text for c in ("\n", "\r", '"', delimiter))
        return '"' + text.replace('"', '""') + '"' if quoted else text

    lines = [delimiter.join(HEADER.split(",")), *(delimiter.join(map(cell, row)) for row in table)]
    text = end.join(lines) + (end if ended else "")
    path = write("\ufeff" * mark + text)

    expected = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))[1:]
    rows, bad = rows_of(path, shop(delimiter), block_bytes)
    assert bad == []
    assert [
        (int(spent), int(items), colour, city, ("nein", "ja")[label]) for spent, items, colour, city, label in rows
    ] == [(int(spent), int(items), colour, city, label) for _, spent, items, colour, city, label in expected]


FRAGMENT = st.sampled_from(
    [
        ",",
        ",",
        '"',
        '"',
        "\n",
        "\r\n",
        "\r",
        "v1",
        "1",
        "2.5",
        "nan",
        "ja",
        "nein",
        "rot",
        "Köln",
        " ",
        "\0",
        f"{GOOD}\n",
    ]
).map(str.encode) | st.binary(min_size=1, max_size=2)


@per_example_file
@given(
    garbage=st.lists(FRAGMENT, max_size=40).map(b"".join),
    quoting=st.sampled_from(["minimal", "none"]),
    block_bytes=st.integers(5, 200),
    part_bytes=st.integers(1, 100),
    chunk=st.integers(1, 100),
)
def test_any_bytes_give_rows_or_named_faults_and_the_same_in_blocks_and_parts_of_any_size(
    write, monkeypatch, garbage, quoting, block_bytes, part_bytes, chunk
):
    def outcome(block_bytes):
        try:
            rows, bad = rows_of(path, contract, block_bytes)
        except UserError as error:
            return str(error)
        return repr(rows), bad

    path, contract = write(f"{HEADER}\n{GOOD}\n".encode() + garbage), shop(quoting=quoting)
    whole = outcome(1 << 20)
    assert outcome(block_bytes) == whole
    monkeypatch.setattr(csv_parts, "CHUNK", chunk)
    assert in_parts(path, contract, part_bytes) == whole
    with monkeypatch.context() as patched:
        patched.setattr(csv_arrow.ArrowParser, "parse", lambda *_: None)
        assert outcome(1 << 20) == whole


@per_example_file
@given(content=st.binary(max_size=200))
def test_any_bytes_as_a_file_end_in_a_message(write, content):
    with pytest.raises(UserError):
        rows_of(write(content), shop())


@pytest.mark.parametrize(
    ("name", "file", "count"),
    [
        ("bank-full", "bank-full.csv", 45_211),
        ("bank-additional", "bank-additional-full.csv", 41_188),
        ("hackerearth", "hackerearth-train.csv", 31_647),
        ("fundfusion", "fundfusion.csv", 28_129),
        ("cc-general", "cc-general.csv", 8_950),
    ],
)
def test_real_files_are_found_and_read_whole(real_data, name, file, count):
    path = real_data / file
    names, delimiter = reader.header(path)
    contract = contracts.find(names)
    assert contract.name == name
    with path.open(encoding="utf-8", newline="") as opened:
        expected = list(csv.DictReader(opened, delimiter=delimiter))
    rows, bad = rows_of(path, contract, 1 << 20)
    assert (len(rows), len(bad)) == (count, 0)
    if label := contract.label:
        assert [row[-1] for row in rows] == [int(row[label.name] == label.positive) for row in expected]
    numbers = [name for name in contract.columns(Role.TRAINING) if name in contract.numeric]
    for index, column in enumerate(contract.categorical, len(numbers)):
        assert [row[index] for row in rows] == [row[column] for row in expected]
    for index, column in enumerate(numbers):
        wanted = np.array([float(row[column] or "nan") for row in expected], np.float32)
        np.testing.assert_array_equal(np.array([row[index] for row in rows], np.float32), wanted)
