"""Customers of a small contract, drawn and by hypothesis, for tests of what is told about segments."""

import numpy as np
from hypothesis import strategies as st

from data import contract as contracts

CONTRACT = contracts.parse(
    """
name: shop
title: customers of a shop
numeric:
  age: {unit: years, min: 0, max: 120, integer: true, blank: true}
  income: {unit: euros, min: -1000000, max: 1000000}
  visits: {unit: visits, min: 0, max: 1000, integer: true, missing: 999}
  active: {unit: share of months, min: 0, max: 1}
categorical:
  job: {values: [retired, "Ärztin, Köln", worker, unknown], blank: true}
  'no': {values: [high, low, retired]}
  level: {values: [basic, middle, top], ordered: true, blank: true}
  loan: {values: [no, yes]}
  card: {values: [0, 1]}
label: {name: bought, positive: yes, negative: no}
views:
  all: {columns: [age, income, visits, active, job, 'no', level, loan], describe: [card]}
  bare: {columns: [age, loan]}
""",
    "shop",
)
VIEW = CONTRACT.views["all"]
NUMBERS = {
    "age": (None, 0, 20, 40, 70),
    "income": (-50.5, 0.0, 1e6),
    "visits": (0, 1, 2, 999),
    "active": (0.0, 0.1, 1.0),
}


def columns(**given):
    """Raw columns as `modules.examples.read_raw` returns them; columns that are not given are constant or blank."""
    rows = len(next(iter(given.values())))
    raw = {}
    for name in CONTRACT.features():
        values = given.get(name, [None] * rows)
        if name in CONTRACT.numeric:
            raw[name] = np.array([np.nan if value is None else value for value in values], np.float32)
        else:
            raw[name] = np.empty(rows, object)
            raw[name][:] = [(value or "").encode() for value in values]
    raw["bought"] = np.array(given.get("bought", [0] * rows), np.int64)
    return raw


def take(raw, rows):
    """The same columns with some rows, or with all in another order."""
    return {name: column[rows] for name, column in raw.items()}


def drawn(rows=600, seed=0):
    """Three kinds of customers: old and retired, rich workers, and young ones with a loan. Raw columns and segments."""
    generator = np.random.default_rng(seed)
    segments = np.arange(rows) % 3
    pick = lambda *options: np.choose(segments, options)  # noqa: E731
    raw = columns(
        age=pick(*(generator.integers(low, low + 15, rows) for low in (60, 40, 20))),
        income=pick(*(generator.uniform(low, low + 1000, rows) for low in (0, 9000, 1000))),
        visits=generator.integers(0, 30, rows),
        active=generator.uniform(0, 1, rows),
        job=["retired" if segment == 0 else "worker" for segment in segments],
        no=generator.choice(["high", "low"], rows),
        level=generator.choice(["basic", "middle", "top"], rows),
        loan=["yes" if segment == 2 else "no" for segment in segments],
        card=["1" if segment == 1 else "0" for segment in segments],
        bought=generator.integers(0, 2, rows),
    )
    return raw, segments


@st.composite
def customers(draw, most=30, clusters=4):
    """Raw columns of 1 to `most` customers, blanks included, and their segments, some of which may be empty."""
    rows = draw(st.integers(1, most))
    of = lambda options: st.lists(st.sampled_from(options), min_size=rows, max_size=rows)  # noqa: E731
    texts = {name: draw(of((*rules.domain, "never seen"))) for name, rules in CONTRACT.categorical.items()}
    numbers = {name: draw(of(options)) for name, options in NUMBERS.items()}
    raw = columns(**numbers, **texts, bought=draw(of((0, 1))))
    return raw, np.array(draw(of(range(clusters)))), draw(st.permutations(range(rows)))
