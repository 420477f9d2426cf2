"""Workbooks hold the cells as they were meant."""

from __future__ import annotations

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from campaigns.workbook import Workbook

texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="_"))
cells = texts | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300)


@settings(deadline=None)
@given(st.lists(st.lists(cells, max_size=5), max_size=5))
def test_any_cells_come_back(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("book") / "book.xlsx"
    with Workbook(file) as book:
        book.add("Calls", rows)
    (sheet,) = openpyxl.load_workbook(file)
    for line, row in enumerate(rows, 1):
        for place, cell in enumerate(row, 1):
            found = sheet.cell(line, place)
            if isinstance(cell, str):
                assert (unescape(found.value or ""), found.data_type) == (cell, "s" if cell else "n")
            else:
                assert (found.value, found.data_type) == (pytest.approx(cell, rel=1e-15), "n")


def test_the_first_line_is_bold_and_stays_in_sight(tmp_path):
    with Workbook(tmp_path / "book.xlsx") as book:
        book.add("Calls", [("a", "b"), ("c", 1)])
        book.add("Parameters", [("x",)])
    calls, _ = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert [cell.font.b for row in calls.iter_rows() for cell in row] == [True, True, False, False]
    assert calls.freeze_panes == "B2"
