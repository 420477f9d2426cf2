"""Files of customers beside files of past calls, and blanks around cells."""

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import contract as contracts
from data import csv_arrow, reader
from data.contract import Contract, Role
from data.csv_rows import RowParser
from data.errors import BadContractError, BadFileError

per_example_file = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def shop(label=True, **source):
    return Contract.model_validate(
        {
            "name": "shop-visits",
            "title": "Visits of a web shop",
            "source": source,
            "identifiers": ["visit"],
            "numeric": {
                "spent": {"unit": "euros", "min": 0, "max": 1000, "blank": True},
                "items": {"unit": "pieces", "min": 0, "max": 50, "integer": True},
                "minutes": {"unit": "minutes after the visit", "min": 0, "max": 50},
            },
            "categorical": {"colour": {"values": ["rot", "blau"], "blank": True}, "city": {"values": ["Köln"]}},
            "label": {"name": "bought", "positive": "ja", "negative": "nein"} if label else None,
            "after_call": ["minutes"],
        }
    )


HEADER = "visit,spent,items,minutes,colour,city,bought"
GOOD = "v1,9.5,3,7,rot,Köln,ja"
TRIM = "`source: {trim: true}` in the contract"


def read(path, contract, role=Role.CUSTOMERS, block_bytes=reader.BLOCK_BYTES):
    """Values by row, cells by row and bad rows of a whole file."""
    values, cells, bad = [], [], []
    for block in reader.read(path, contract, role, block_bytes):
        assert block.batch.schema == reader.schema(contract, role)
        values += zip(*block.batch.to_pydict().values(), strict=True)
        if block.cells is not None:
            assert block.cells.num_rows == block.batch.num_rows
            cells += block.cells.to_pylist()
        bad += block.bad
    return values, cells, bad


def refused(path, contract, role=Role.CUSTOMERS) -> str:
    with pytest.raises(BadFileError) as error:
        read(path, contract, role)
    return str(error.value)


def test_customers_need_only_what_is_known_before_the_call(write):
    path = write("city,items,spent,colour\nKöln,3,,rot\n")
    (row,), cells, bad = read(path, shop())
    assert math.isnan(row[0])
    assert row[1:] == (3, "rot", "Köln")
    assert cells == [{"city": "Köln", "items": "3", "spent": "", "colour": "rot"}]
    assert bad == []


def test_all_cells_of_customers_stay_as_they_stand_in_the_file_in_its_order(write):
    path = write('note,bought,spent,items,minutes,colour,city,visit\n"a, ""b""",perhaps,9.50,+3,long,,Köln, v1\n')
    values, cells, bad = read(path, shop())
    assert values == [(9.5, 3, "", "Köln")]
    expected = ('a, "b"', "perhaps", "9.50", "+3", "long", "", "Köln", " v1")
    assert cells == [
        dict(zip(("note", "bought", "spent", "items", "minutes", "colour", "city", "visit"), expected, strict=True))
    ]
    assert bad == []


def test_a_bad_row_of_customers_is_left_out_of_values_and_cells(write):
    path = write("visit,spent,items,colour,city\nv1,1,3,rot,Köln\nv2,x,3,rot,Köln\nv3,2,3,rot,Köln\nv4,2,3,rot\n")
    values, cells, bad = read(path, shop())
    assert [row[0] for row in values] == [1, 2]
    assert [row["visit"] for row in cells] == ["v1", "v3"]
    assert str(bad[0]) == f"{path}:3: column 'spent': got 'x', expected a number or a blank cell"
    assert "5 cells separated by ',', not 4" in str(bad[1])


def test_a_missing_column_of_customers_is_named_with_the_most_similar_one(write):
    message = refused(write("visit,spend,items,colour,city\nv1,1,3,rot,Köln\n"), shop())
    assert ":1: " in message
    assert "missing 'spent' (did you mean 'spend'?)" in message
    assert "'visit'" not in message
    assert "missing 'city' (did you mean 'CITY'?)" in refused(write("spent,items,colour,CITY\n1,1,,x\n"), shop())


def test_text_that_is_not_utf_8_makes_a_bad_row_also_in_a_column_that_is_only_kept(write):
    path = write("spent,items,colour,city,note\n1,3,rot,Köln,".encode() + "ü\n".encode("latin-1"))
    (bad,) = read(path, shop())[2]
    assert (bad.column, bad.value) == ("note", "ü")


@pytest.mark.parametrize("block_bytes", [70, reader.BLOCK_BYTES])
def test_of_training_rows_the_identifiers_stay_available_in_the_order_of_the_contract(write, block_bytes):
    contract = shop().model_copy(update={"identifiers": ("visit", "place")})
    rows = ['north,"v,1",9.5,3,7,rot,Köln,ja', "south, v2 ,9.5,3,7,rot,Köln,perhaps", ",,9.5,3,7,rot,Köln,nein"]
    path = write("\n".join([f"place,{HEADER}", *rows]) + "\n")
    _, cells, bad = read(path, contract, Role.TRAINING, block_bytes)
    assert len(bad) == 1
    assert [list(row.items()) for row in cells] == [
        [("visit", "v,1"), ("place", "north")],
        [("visit", ""), ("place", "")],
    ]
    (block,) = reader.read(
        write("spent,items,minutes,colour,city,bought\n9.5,3,7,rot,Köln,ja\n"),
        contract.model_copy(update={"identifiers": ()}),
    )
    assert block.cells is None


def test_a_contract_without_label_reads_training_rows(write):
    contract = shop(label=False)
    path = write("visit,spent,items,minutes,colour,city\nv1,9.5,3,7,rot,Köln\n")
    values, _, bad = read(path, contract, Role.TRAINING)
    assert (values, bad) == ([(9.5, 3, 7, "rot", "Köln")], [])
    with pytest.raises(BadFileError, match="not in the contract 'bought'"):
        read(write(f"{HEADER}\n{GOOD}\n"), contract, Role.TRAINING)


def test_the_inputs_of_a_model_make_a_contract_for_its_customers(write):
    contract = contracts.from_inputs("purchase-model", {"spent": False, "colour": True})
    path = write("visit,spent,colour\nv1,-1e9,\nv2,,grün\nv3,inf,rot\nv4,two,rot\n")
    values, cells, bad = read(path, contract)
    assert values[0] == (-1e9, "")
    assert math.isnan(values[1][0])
    assert values[1][1] == "grün"
    assert [row["visit"] for row in cells] == ["v1", "v2"]
    assert [row.line for row in bad] == [4, 5]
    message = refused(write("spent,color\n1,rot\n"), contract)
    assert "contract purchase-model: missing 'colour' (did you mean 'color'?)" in message


def test_a_contract_is_found_by_what_customers_have():
    bank = contracts.load("bank-full")
    names = {*bank.columns(Role.CUSTOMERS), "customer_number", "phone"}
    assert contracts.find(names, role=Role.CUSTOMERS) == bank
    with pytest.raises(
        BadContractError, match=r"list.csv: no contract .* bank-full: missing 'age' \(did you mean 'agee'"
    ):
        contracts.find({*names, "agee"} - {"age"}, "list.csv", Role.CUSTOMERS)
    with pytest.raises(BadContractError, match="not in the contract"):
        contracts.find(names)


PADDED = ' visit ,\tspent, items ,minutes ,"colour" , "city" ,bought \n v1 , 9.5 ,\t3, 7,  , "Köln, ""Süd"" " , ja \n'


@pytest.mark.parametrize("role", list(Role))
def test_trim_drops_blanks_around_names_and_cells_quoted_or_not(write, role):
    values, cells, bad = read(write(PADDED), shop(trim=True), role)
    assert bad == []
    assert values == [
        {Role.TRAINING: (9.5, 3, 7, "", 'Köln, "Süd"', 1), Role.CUSTOMERS: (9.5, 3, "", 'Köln, "Süd"')}[role]
    ]
    assert [row["visit"] for row in cells] == ["v1"]


@pytest.mark.parametrize("role", list(Role))
def test_a_header_that_only_blanks_keep_from_fitting_is_told_how_to_fit(write, role):
    assert TRIM in refused(write(PADDED), shop(), role)
    bank = contracts.load("bank-full")
    with pytest.raises(
        BadContractError, match=r"nearest is bank-full: blanks stand around a column name; .*trim: true"
    ):
        contracts.find([f" {name}" for name in bank.header(role)], role=role)


@pytest.mark.parametrize(
    "row", ["v1,9.5,3,7,rot,Köln, ja", 'v1,9.5,3,7,"rot" ,Köln,ja', 'v1,9.5,3,7, "rot,rot",Köln,ja']
)
def test_a_row_that_only_blanks_keep_from_fitting_is_told_how_to_fit(write, row):
    path = write(f"{HEADER}\n{row}\n")
    (bad,) = read(path, shop(), Role.TRAINING)[2]
    assert TRIM in str(bad)
    assert read(path, shop(trim=True), Role.TRAINING)[2] == []


def test_a_row_that_trimming_would_not_mend_is_not_told_of_it(write):
    (bad,) = read(write(f"{HEADER}\nv1,9.5,3,7,rot, Köln,perhaps \n"), shop(), Role.TRAINING)[2]
    assert TRIM not in str(bad)


def test_a_blank_cell_is_blank_after_trimming(write):
    (bad,) = read(write(f"{HEADER}\nv1,9.5,3,7,rot,  ,ja\n"), shop(trim=True), Role.TRAINING)[2]
    assert (bad.column, bad.expected) == ("city", "a value; the contract has no `blank: true` here")


NUMBER = st.one_of(
    st.integers(-9, 99).map(str),
    st.floats(-1e6, 1e6, width=32).map(repr),
    st.sampled_from(["", " ", "1e3", ".5", "5.", "+7", "nan", "inf", "1_0", "1e39", "x", "0x1"]),
)
TEXT = st.text(st.sampled_from("aß😀 \t,;\"'\n.0\v\u2028"), max_size=5)
PAD = st.sampled_from(["", "", " ", "\t", "  "])
CELL = st.tuples(PAD, st.one_of(NUMBER, TEXT, st.sampled_from(["ja", "nein"])), PAD, st.booleans())
ROW = st.tuples(
    *(st.tuples(PAD, content, PAD, st.booleans()) for content in (TEXT, NUMBER, NUMBER, NUMBER, TEXT, TEXT)),
    st.tuples(PAD, st.sampled_from(["ja", "nein"]), PAD, st.booleans()),
)
TABLE = st.lists(ROW, min_size=1, max_size=10)


def rendered(rows, delimiter, outside):
    """CSV text; the blanks of a cell stand outside its quotes or inside them."""

    def cell(before, content, after, always):
        bare = not (always or any(c in content for c in ('"', "\n", delimiter)))
        if not outside:
            before, content, after = "", before + content + after, ""
            bare = bare and delimiter not in content
        if bare:
            return (before + content + after).replace("\t" if delimiter == "\t" else "\0", "")
        blanks = "\t" if delimiter == "\t" else "\0"
        quoted = '"' + content.replace('"', '""') + '"'
        return before.replace(blanks, "") + quoted + after.replace(blanks, "")

    return "".join(delimiter.join(cell(*c) for c in row) + "\n" for row in rows)


@per_example_file
@given(
    rows=TABLE,
    delimiter=st.sampled_from(",;\t|"),
    outside=st.booleans(),
    trim=st.booleans(),
    block_bytes=st.integers(20, 400),
)
def test_both_roles_both_parsers_and_all_block_sizes_read_the_same(
    write, monkeypatch, rows, delimiter, outside, trim, block_bytes
):
    path = write(HEADER.replace(",", delimiter) + "\n" + rendered(rows, delimiter, outside))
    contract = shop(delimiter=delimiter, trim=trim)
    names = reader.schema(contract, Role.CUSTOMERS).names

    def outcome(role, size):
        values, cells, bad = read(path, contract, role, size)
        columns = reader.schema(contract, role).names
        return [repr([row[columns.index(name)] for name in names]) for row in values], values, cells, bad

    whole = outcome(Role.CUSTOMERS, 1 << 20)
    assert repr(outcome(Role.CUSTOMERS, block_bytes)) == repr(whole)
    training = outcome(Role.TRAINING, 1 << 20)
    assert repr(outcome(Role.TRAINING, block_bytes)) == repr(training)
    with monkeypatch.context() as patched:
        patched.setattr(csv_arrow.ArrowParser, "parse", lambda *_: None)
        assert repr(outcome(Role.CUSTOMERS, 1 << 20)) == repr(whole)
        assert repr(outcome(Role.TRAINING, 1 << 20)) == repr(training)
    at_fault = {bad.line for bad in whole[3]}
    training_only = [bad for bad in training[3] if bad.line not in at_fault]
    assert {bad.column for bad in training_only} <= {"minutes", "bought"}
    assert at_fault <= {bad.line for bad in training[3]}
    if not training_only:
        assert training[0] == whole[0]


@per_example_file
@given(rows=TABLE, delimiter=st.sampled_from(",;|"), block_bytes=st.integers(20, 400))
def test_trimmed_cells_are_those_of_python_without_their_blanks(write, rows, delimiter, block_bytes):
    contract = contracts.from_inputs("texts", dict.fromkeys(HEADER.split(","), True))
    contract = contract.model_copy(update={"source": contracts.Source(delimiter=delimiter, trim=True)})
    tidy = [[(("", c[1].strip(" \t"), "", c[3])) for c in row] for row in rows]
    path = write(HEADER.replace(",", delimiter) + "\n" + rendered(rows, delimiter, outside=True))
    plain = rendered(tidy, delimiter, outside=True)
    expected = list(csv.reader(io.StringIO(plain, newline=""), delimiter=delimiter, strict=True))
    values, cells, bad = read(path, contract, block_bytes=block_bytes)
    assert bad == []
    assert [[*row.values()] for row in cells] == expected
    assert sorted(values[0]) == sorted(expected[0])


FRAGMENT = st.sampled_from(
    [",", ",", '"', '"', ' "', '" ', "\n", "\n", "\r\n", "\r", "v1", "1", "ja", "rot", " ", "\t", "\0", f"{GOOD}\n"]
).map(str.encode) | st.binary(min_size=1, max_size=2)


@per_example_file
@given(
    garbage=st.lists(FRAGMENT, max_size=40).map(b"".join),
    quoting=st.sampled_from(["minimal", "none"]),
    role=st.sampled_from(list(Role)),
    block_bytes=st.integers(5, 200),
)
def test_any_bytes_are_read_alike_with_trim(write, monkeypatch, garbage, quoting, role, block_bytes):
    path, contract = write(f"{HEADER}\n{GOOD}\n".encode() + garbage), shop(quoting=quoting, trim=True)
    whole = repr(read(path, contract, role))
    assert repr(read(path, contract, role, block_bytes)) == whole
    with monkeypatch.context() as patched:
        patched.setattr(csv_arrow.ArrowParser, "parse", lambda *_: None)
        assert repr(read(path, contract, role)) == whole


def test_blocks_of_customers_that_arrow_reads_are_not_read_again(write, monkeypatch):
    """The fast path is taken for blanks, padded numbers and the texts of other columns."""
    exact = RowParser.parse

    def only_what_is_empty(self, buffer, *rest):
        assert buffer == b""
        return exact(self, buffer, *rest)

    monkeypatch.setattr(RowParser, "parse", only_what_is_empty)
    path = write(f"{HEADER}\n" + "v1, 9.5,3,-,,Köln,?\nv2,,3,x,blau,Bonn,\n" * 50)
    for contract in (shop(), shop(trim=True)):
        values, cells, _ = read(path, contract, block_bytes=200)
        assert len(values) == len(cells) == 100
    np.testing.assert_array_equal([row[0] for row in values[:2]], [9.5, np.nan])
