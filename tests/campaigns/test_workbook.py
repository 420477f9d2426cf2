"""Workbooks of our own writing are read by others as they were meant."""

from __future__ import annotations

import zipfile
from xml.etree import ElementTree

import openpyxl
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter
from openpyxl.utils.escape import unescape

from campaigns.workbook import Workbook, letters

cells = st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300)


@given(st.lists(st.lists(cells, max_size=5), max_size=5), st.text("a<&\"'", min_size=1, max_size=5))
def test_any_cells_come_back(tmp_path_factory, rows, name):
    file = tmp_path_factory.mktemp("book") / "book.xlsx"
    with Workbook(file) as book:
        book.add(name, rows)
    (sheet,) = openpyxl.load_workbook(file)
    assert sheet.title == name
    for line, row in enumerate(rows, 1):
        for place, cell in enumerate(row, 1):
            found = sheet.cell(line, place)
            if isinstance(cell, str):
                assert (unescape(found.value or ""), found.data_type) == (cell, "s" if cell else "n")
            else:
                assert (found.value, found.data_type) == (cell, "n")


def test_the_first_line_is_bold_and_stays_in_sight(tmp_path):
    with Workbook(tmp_path / "book.xlsx") as book:
        book.add("Calls", [("a", "b"), ("c", 1)])
        book.add("Parameters", [("x",)])
    calls, _ = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert [cell.font.b for row in calls.iter_rows() for cell in row] == [True, True, False, False]
    assert calls.freeze_panes == "B2"


def test_every_part_is_xml_and_is_named(tmp_path):
    with Workbook(tmp_path / "book.xlsx") as book:
        book.add("Calls", [("a",)])
    with zipfile.ZipFile(tmp_path / "book.xlsx") as parts:
        names = parts.namelist()
        for name in names:
            ElementTree.fromstring(parts.read(name))
        types = parts.read("[Content_Types].xml").decode()
    assert all(f'PartName="/{name}"' in types for name in names if not name.endswith((".rels", "Types].xml")))


def test_columns_are_named_as_spreadsheets_name_them():
    assert [letters(column) for column in range(16_384)] == [get_column_letter(column + 1) for column in range(16_384)]
