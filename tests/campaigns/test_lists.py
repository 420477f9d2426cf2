"""Uploads are kept safely, and a list has the columns of the served model."""

from __future__ import annotations

import io

import pytest

from campaigns import lists
from data import contract as contracts
from data.contract import Role
from data.errors import BadFileError, BadOptionError
from tests.support.customers import CONTRACT

HEADER = ";".join(CONTRACT.features())
ROW = ";".join("1" if name in CONTRACT.numeric else "no" for name in CONTRACT.features())


def upload(text: str | bytes, folder, name: str | None = "customers.csv"):
    return lists.check_upload(io.BytesIO(text.encode() if isinstance(text, str) else text), name, folder)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\lists\\passwd", "..", "a\0b", "", None])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    folder = tmp_path / "lists"
    file = upload("a,b\n1,2\n", folder, name)
    assert file.parent == folder
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\kunden märz.csv", "kunden märz.csv"),
        ("<b>.csv", "_b_.csv"),
        ("a\r\nb.csv", "a__b.csv"),
        ("..", "list.csv"),
        (None, "list.csv"),
    ],
)
def test_a_files_name_is_what_the_person_sees(name, kept):
    assert lists.file_name(name) == kept


def test_a_list_that_is_too_large_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(lists, "LARGEST_LIST", 3 << 20)
    with pytest.raises(BadFileError, match=r"^customers\.csv: the file is larger than 3 MB"):
        upload(b"a,b\n" + b"1,2\n" * (1 << 20), tmp_path)
    assert not [*tmp_path.iterdir()]


def test_what_is_no_csv_is_refused_under_the_persons_name(tmp_path):
    with pytest.raises(BadFileError, match=r"^customers\.csv: the file is a zip archive or an Excel workbook"):
        upload(b"PK\x03\x04 and more", tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_list_needs_the_models_columns(tmp_path):
    lists.check(upload(f"{HEADER};name\n{ROW};Anna\n", tmp_path), "x.csv", CONTRACT, {})
    with pytest.raises(BadFileError, match=r"^x\.csv:1: the header differs .* missing 'age'"):
        lists.check(upload(f"{HEADER.replace('age', 'years')}\n{ROW}\n", tmp_path), "x.csv", CONTRACT, {})


def test_a_list_may_lack_what_the_plan_gives(tmp_path):
    names = [name for name in CONTRACT.columns(Role.CUSTOMERS) if name not in ("contact", "campaign")]
    file = upload(f"{';'.join(names)}\n{';'.join('1' for _ in names)}\n", tmp_path)
    lists.check(file, "x.csv", CONTRACT, {"contact": "cellular", "campaign": "1"})
    with pytest.raises(BadFileError, match="'campaign'"):
        lists.check(file, "x.csv", CONTRACT, {"contact": "cellular"})
    with pytest.raises(BadOptionError, match="'mail'"):
        lists.check(file, "x.csv", CONTRACT, {"contact": "mail", "campaign": "1"})


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (("age", "id"), "id"),
        (("age", "Customer_ID", "job"), "Customer_ID"),
        (("ID", "customer_id"), "ID"),
        (("id", "number"), "number"),
        (("age", "identity"), None),
    ],
)
def test_the_contracts_identifier_comes_first_then_the_usual_names(names, column):
    contract = contracts.load("cc-general").model_copy(update={"identifiers": ("number",)})
    assert lists.identifier_column(contract, names) == column
