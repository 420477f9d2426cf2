"""What a model is told of the size of a list where nobody says it."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from data import spans
from data.assumed_size import assumed
from data.contract import LIST_SIZE
from data.list_size import Volume, usual
from data.model_folder import CARD, ListSize, PurchaseCard
from tests.support import dated, purchase_cards
from tests.support.purchase_cards import USUAL


def days(*texts):
    return np.array(texts, "datetime64[D]").astype(np.int64)


def test_usual_are_the_medians_over_the_days_of_the_newest_month():
    dates = np.repeat(days("2010-10-30", "2010-11-02", "2010-11-03", "2010-11-09"), [500, 4, 10, 90])
    assert usual(Volume.of(dates)) == ListSize(10, 500, 504, "2010-11")


def test_the_card_says_what_is_usual_and_those_of_earlier_models_do_not(tmp_path):
    path = purchase_cards.write(tmp_path, "calls").extra(CARD)
    card = PurchaseCard.from_json(path.read_bytes())
    assert card.list_size == USUAL
    assert PurchaseCard.from_json(card.to_json()) == card
    document = json.loads(card.to_json())
    del document["list_size"]
    assert PurchaseCard.from_json(json.dumps(document)).list_size is None
    document["list_size"] = {"calls_today": 3}
    with pytest.raises(ValueError, match="not a model card"):
        PurchaseCard.from_json(json.dumps(document))


def test_without_spans_the_usual_size_counts(tmp_path):
    found = assumed(purchase_cards.write(tmp_path, "dated-calls"), tmp_path)
    assert found.values(LIST_SIZE) == {"calls_today": 12, "calls_7d": 70, "calls_30d": 280}
    assert found.values({"calls_30d", "calls_7d"}) == {"calls_7d": 70, "calls_30d": 280}
    assert (found.past, found.until) == ({}, None)


@pytest.mark.parametrize(
    ("today", "until", "past"),
    [
        (date(2009, 3, 6), date(2009, 3, 6), {"calls_7d": 5, "calls_30d": 8}),
        (date(2009, 3, 5), date(2009, 3, 5), {"calls_7d": 3, "calls_30d": 6}),
        (date(2030, 1, 1), date(2009, 3, 6), {"calls_7d": 5, "calls_30d": 8}),
    ],
    ids=["the day after the newest call", "calls of today do not count", "calls are not reported yet"],
)
def test_the_calls_of_the_past_are_those_of_the_spans(tmp_path, today, until, past):
    contract = dated.contract()
    folder = spans.folder(tmp_path, contract.name)
    spans.add(folder, dated.write(tmp_path / "a.csv", [(10, "feb")] * 3), contract, month="2009-02")
    calls = [(2, "mar"), (4, "mar"), (4, "mar"), (5, "mar"), (5, "mar")]
    spans.add(folder, dated.write(tmp_path / "b.csv", calls), contract, month="2009-03")
    found = assumed(purchase_cards.write(tmp_path, contract.name), tmp_path, today)
    assert (found.until, found.past) == (until, past)
    assert found.values(LIST_SIZE) == {"calls_today": 12, **past}


def test_nothing_is_assumed_for_a_model_that_does_not_say_what_is_usual(tmp_path):
    folder = purchase_cards.write(tmp_path, "calls", None)
    assert assumed(folder, tmp_path) is None
    folder.extra(CARD).write_text("{}")
    assert assumed(folder, tmp_path) is None
    folder.extra(CARD).unlink()
    assert assumed(folder, tmp_path) is None
