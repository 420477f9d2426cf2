"""A file of outcomes is read as people write it, and what is wrong with it is named with its place."""

from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import outcome_file
from campaigns.outcome_file import read_outcomes
from campaigns.records import Outcome
from data.contract import Label
from data.errors import BadFileError

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
ONE_TWO = Label(name="y", positive="Subscribed", negative="2")


def read(folder, text, label=None):
    path = folder / "outcomes.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_outcomes(path, NOW, label)


def said(found):
    return {outcome.identifier: (outcome.called, outcome.bought) for outcome in found.outcomes}


def test_words_in_any_case_and_blanks(tmp_path):
    found = read(tmp_path, "identifier,called,bought\na,yes,NO\nb,1,TRUE\nc, True ,0\nd,no,\ne,FALSE,1\n")
    assert said(found) == {
        "a": (True, False),
        "b": (True, True),
        "c": (True, False),
        "d": (False, None),
        "e": (False, True),
    }
    assert found.outcomes[0] == Outcome("a", True, False, NOW)


def test_the_words_of_the_contract_say_who_bought(tmp_path):
    found = read(tmp_path, "identifier,called,bought\na,yes,subscribed\nb,yes,2\nc,yes,1\n", ONE_TWO)
    assert said(found) == {"a": (True, True), "b": (True, False), "c": (True, True)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_other_columns_their_order_and_the_delimiter_do_not_matter(tmp_path, delimiter):
    text = '\ufeffbought,note,identifier,called\r\nyes,"so, so",a,yes\r\n'.replace(",", delimiter)
    assert said(read(tmp_path, text)) == {"a": (True, True)}


def test_of_repeated_identifiers_the_last_row_counts_and_they_are_reported(tmp_path):
    found = read(tmp_path, "identifier,called,bought\na,yes,no\nb,yes,no\na,yes,yes\na,no,no\n")
    assert said(found) == {"a": (False, False), "b": (True, False)}
    assert found.repeated == ("a",)


def test_rows_that_say_nothing_are_left_out_and_counted(tmp_path):
    found = read(tmp_path, "identifier,called,bought\na,,\nb,yes,no\n,,\n\n")
    assert said(found) == {"b": (True, False)}
    assert found.open == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "a,perhaps,no",
            "outcomes.csv:3: column 'called': got 'perhaps', expected yes, 1, true, no, 0, false or a blank",
        ),
        ("a,yes,ja", "outcomes.csv:3: column 'bought': got 'ja', expected yes, 1, true, no, 0, false or a blank cell"),
        ("a,,yes", "outcomes.csv:3: column 'called': got '', expected yes, 1, true, no, 0, false; `bought` is known"),
        (",yes,yes", "outcomes.csv:3: column 'identifier': got '', expected the customer's identifier"),
        ("a,yes", "outcomes.csv:3: got 'a,yes', expected 3 cells separated by ',', not 2"),
        ('"a,yes,no', "outcomes.csv:3: column 'identifier': got '\"a', expected a closing quote"),
        (b"caf\xe9,yes,no", "outcomes.csv:3: column 'identifier': got 'café', expected UTF-8 text"),
    ],
)
def test_faults_are_named_with_line_column_value_and_what_was_expected(tmp_path, row, message):
    row = row if isinstance(row, bytes) else row.encode()
    with pytest.raises(BadFileError) as refused:
        read(tmp_path, b"identifier,called,bought\nz,yes,no\n" + row + b"\nb,yes,no\n")
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_of_many_faults_the_first_20_are_named(tmp_path):
    with pytest.raises(BadFileError) as refused:
        read(tmp_path, "identifier,called,bought\n" + "a,x,y\n" * 1_234)
    lines = str(refused.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 1,214 more"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("identifier,Called,bought\na,yes,no\n", "no column 'called' (did you mean 'Called'?); expected identifier"),
        ("id,called\n1,yes\n", "no column 'identifier'"),
        ("identifier,called,bought\n", "a header but no rows"),
        ("", "the file is empty"),
        (b"PK\x03\x04xx", "Excel workbook; save the sheet as CSV"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    with pytest.raises(BadFileError, match=r"outcomes\.csv") as refused:
        read(tmp_path, text)
    assert message in str(refused.value)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 200))
def test_the_size_of_a_block_changes_nothing(tmp_path_factory, rows, block):
    """Rows, line numbers and quoted line ends across blocks."""
    folder = tmp_path_factory.mktemp("outcomes")
    good = "".join(f'"c\n{row}",yes,no\n' for row in range(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcome_file, "_BLOCK_BYTES", block)
        assert list(said(read(folder, "identifier,called,bought\n" + good))) == [f"c\n{row}" for row in range(rows)]
        with pytest.raises(BadFileError, match=rf"outcomes.csv:{2 * rows + 2}: column 'called'"):
            read(folder, "identifier,called,bought\n" + good + "x,perhaps,\n")
