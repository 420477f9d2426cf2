"""A month's labels are judged by two rankings: that of the model of before, and one learned inside the month."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from analysis.trial import ENOUGH
from modules.purchase.month_evidence import above_chance, evidence
from schedule.policy import ABOVE_CHANCE, LEARNABLE, doubt
from tests.support import dated


def month(rows: int = 600, seed: int = 0) -> dict[str, np.ndarray]:
    """Old customers buy more often."""
    generator = np.random.default_rng(seed)
    age = generator.integers(18, 80, rows).astype(np.float32)
    sizes = dict.fromkeys(("calls_today", "calls_7d", "calls_30d"), np.full(rows, 30, np.float32))
    return {"age": age, "bought": (generator.random(rows) < age / 100).astype(np.int64), **sizes}


def test_standard_errors_are_those_of_the_rank_sum_test():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 300)
    scores = generator.random(300) + 0.1 * labels
    test = mannwhitneyu(scores[labels == 1], scores[labels == 0], use_continuity=False, alternative="greater")
    assert norm.sf(above_chance(labels, scores)) == pytest.approx(test.pvalue, rel=1e-3)


def test_labels_that_can_be_learned_are_not_doubted():
    columns = month()
    found = evidence(columns, columns["age"] / 100, dated.contract())
    assert found.champion > ABOVE_CHANCE
    assert found.inside > LEARNABLE
    assert doubt("2009-03", found.champion, found.inside) is None


def test_labels_of_other_customers_are_mostly_doubted():
    """Each bound lets a few through by chance."""
    columns = month()
    doubted = 0
    for seed in range(8):
        shuffled = {**columns, "bought": np.random.default_rng(seed).permutation(columns["bought"])}
        found = evidence(shuffled, columns["age"] / 100, dated.contract())
        doubted += doubt("2009-03", found.champion, found.inside) is not None
    assert doubted >= 6


def test_without_a_model_only_the_month_itself_speaks():
    assert evidence(month(), None, dated.contract()).champion is None
    assert evidence(month(), None, dated.contract()).inside > LEARNABLE


def test_a_month_with_few_rows_of_a_label_has_no_evidence():
    columns = month()
    columns["bought"] = (np.arange(600) < ENOUGH - 1).astype(np.int64)
    found = evidence(columns, columns["age"], dated.contract())
    assert (found.champion, found.inside) == (None, None)


def test_a_missing_number_and_an_unknown_category_are_allowed():
    columns = month()
    columns["age"][:50] = np.nan
    assert evidence(columns, None, dated.contract()).inside > 0
