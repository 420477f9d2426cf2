"""Columns, values and medians as the page says them."""

from __future__ import annotations

import math

import pytest

from analysis.segmentation import Candidate, Median
from report.segments import words
from tests.support import segmentations


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("CASH_ADVANCE", "cash advance"),
        ("Produk_Kredit_Rumah", "Produk Kredit Rumah"),
        ("age", "age"),
        ("GCIF", "GCIF"),
    ],
)
def test_columns_are_told_without_underscores_and_shouting(name, told):
    assert words.column(name) == told


@pytest.mark.parametrize(
    ("median", "told"),
    [
        (Median("age", "years", 58.0, 41.0, 0.9), "58"),
        (Median("balance", "rupiah", 237_000_000.0, 1.0, 0.9), "237 million"),
        (Median("frequency", "share of months", 0.583, 0.5, 0.6), "58\u00a0%"),
        (Median("age", "years", math.nan, 41.0, math.nan), "–"),
    ],
)
def test_medians_are_told_in_few_digits(median, told):
    assert words.bare(median) == told


def test_a_median_that_is_that_of_all_customers_is_in_the_middle_however_many_have_it():
    assert words.position(Median("advance", "dollars", 0.0, 0.0, 0.0)) == 0.5
    assert words.position(Median("advance", "dollars", 9.0, 0.0, 0.8)) == 0.8


def test_flags_are_columns_of_yes_and_no_only():
    found = segmentations.segmentation()
    assert "Produk_Deposito" in words.flags(found)
    assert not {"Usia", "Area"} & words.flags(found)


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        (Candidate("kmeans", "pca", 3), "principal components"),
        (Candidate("kmedoids", "autoencoder", 3), "autoencoder"),
        (Candidate("kmedoids", "columns", 3), "Gower"),
    ],
)
def test_the_full_space_is_told_only_beside_another_one(candidate, told):
    search = segmentations.search()
    assert told in words.space(candidate, search)
    assert "0.12 in the space of all transformed" in words.in_full_space("{}", 0.123, candidate, search)
    assert words.in_full_space("{}", 0.123, Candidate("kmeans", "columns", 3), search) == ""
