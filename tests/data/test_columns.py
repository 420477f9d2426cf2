"""Whole files as columns in memory."""

import numpy as np
import pytest

from data import columns
from data.contract import Contract, Role
from data.errors import UserError

SHOP = Contract.model_validate(
    {
        "name": "shop-visits",
        "title": "Visits of a web shop",
        "identifiers": ["visit"],
        "numeric": {
            "spent": {"unit": "euros", "min": 0, "max": 1000, "blank": True},
            "days": {"unit": "days since the last visit", "min": 0, "max": 99, "integer": True, "missing": -1},
        },
        "categorical": {"colour": {"values": ["rot", "grün"], "blank": True}},
        "label": {"name": "bought", "positive": "ja", "negative": "nein"},
        "after_call": ["spent"],
    }
)
HEADER = "visit,spent,days,colour,bought\n"


def test_blanks_markers_and_texts_stay_what_they_are(tmp_path):
    file = tmp_path / "visits.csv"
    file.write_text(HEADER + "v1,9.5,-1,grün,ja\nv2,,3,,nein\n", encoding="utf-8")
    read = columns.read(file, SHOP)
    assert list(read) == ["spent", "days", "colour", "bought"]
    np.testing.assert_array_equal(read["spent"], np.float32([9.5, np.nan]))
    np.testing.assert_array_equal(read["days"], np.float32([-1, 3]))
    assert read["colour"].tolist() == ["grün".encode(), b""]
    np.testing.assert_array_equal(read["bought"], np.int64([1, 0]))
    assert [read[name].dtype.str for name in read] == ["<f4", "<f4", "|O", "<i8"]


def test_a_folder_is_read_in_the_order_of_its_files_names(tmp_path):
    for number in (2, 1, 3):
        (tmp_path / f"{number}.csv").write_text(HEADER + f"v,{number},0,rot,ja\n")
    assert columns.read(tmp_path, SHOP)["spent"].tolist() == [1, 2, 3]


def test_a_row_that_cannot_be_read_is_named(tmp_path):
    file = tmp_path / "visits.csv"
    file.write_text(HEADER + "v1,9.5,0,rot,ja\nv2,9.5,0,rot,maybe\n")
    with pytest.raises(UserError, match=r"visits\.csv:3: column 'bought': got 'maybe'"):
        columns.read(file, SHOP)


def test_customers_have_only_what_is_known_before_the_call(tmp_path):
    file = tmp_path / "visits.csv"
    file.write_text("days,colour,phone\n3,rot,1\n-1,,2\n")
    read = columns.read(file, SHOP, Role.CUSTOMERS)
    assert {name: column.tolist() for name, column in read.items()} == {"days": [3, -1], "colour": [b"rot", b""]}
