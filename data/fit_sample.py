"""Measures the tables behind the synthetic sample from the real `bank-full.csv`: `python -m data.fit_sample FILE`.

The result, `data/sample_tables.json`, holds counts and no rows. It describes a tree-augmented naive Bayes model
(Friedman, Geiger, Goldszmidt 1997, Bayesian Network Classifiers): how often each value of a column occurs given the
label and one parent column. The root is time: the rows are in date order, so a new calendar month begins wherever the
`month` column changes. Each such span keeps its own buy rate; they climb from 3 % to 50 %.

No single customer can be recognised in the tables: a count of one to four is published as `SMALL`, and the range of a
number leaves out its `SMALL_LIMIT` most extreme values.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.csv

from data import contract as contracts
from data import reader
from data.command import DONE, guarded
from data.sample import TABLES

PARENTS = {
    "contact": "span",
    "poutcome": "span",
    "housing": "span",
    "loan": "span",
    "job": "span",
    "duration": "span",
    "campaign": "span",
    "balance": "span",
    "age": "job",
    "education": "job",
    "marital": "age",
    "default": "balance",
    "pdays": "poutcome",
    "previous": "pdays",
}
"""The parent of each column: among those before it, the column with the highest conditional mutual information given
the label. `previous` is an exception: its parent is `pdays`, so that both agree on who was never called before."""

QUANTILES = (0.001, 0.003, 0.01, *(step / 40 for step in range(1, 40)), 0.99, 0.997, 0.999)
"""Quantiles at which a number is cut: forty equal parts, and smaller ones at the ends, where values lie far apart."""
HEAVY = 0.01
"""A value with at least this share of the rows is a bin of its own, such as 0 in balance and -1 in pdays."""
SMALL_LIMIT = 5
SMALL = 2
SHRINKAGE = 100
"""Weight, in rows, with which a date's buy rate is pulled towards that of its span. Many dates have few rows, and their
rates are mostly chance. A model could learn that chance, and would do better on the sample than on real customers."""


def fit(file: Path) -> dict:
    """Counts the tables.

    Args:
      file: bank-full.csv, in the publisher's order.

    Raises:
      BadFileError: the file does not have the columns of bank-full.

    Returns:
      `spans`: the month of each span in order; `dates`: for each date with a call its `span`, `day`, `rows` and
      smoothed `buy_rate`; `columns`: for each column its `parent`, its `values` (categories) or `edges` (whole
      numbers; bin i is edges[i] <= x < edges[i+1]) and its `counts` [label, parent bin, bin].
    """
    contract = contracts.load("bank-full")
    reader.check(file, contract)
    table = pyarrow.csv.read_csv(file, parse_options=pyarrow.csv.ParseOptions(delimiter=contract.source.delimiter))
    raw = {name: table[name].to_numpy() for name in table.column_names}
    label = (raw[contract.required_label.name] == contract.required_label.positive).astype(np.int64)
    month = raw["month"]
    starts = np.flatnonzero(np.concatenate([[True], month[1:] != month[:-1]]))
    codes = {"span": np.searchsorted(starts, np.arange(len(month)), side="right") - 1}
    sizes = {"span": len(starts)}

    columns = {}
    for name, parent in PARENTS.items():
        if name in contract.categorical:
            values = contract.categorical[name].values
            codes[name] = np.searchsorted(values, raw[name], sorter=np.argsort(values))
            codes[name] = np.argsort(values)[codes[name]]
            sizes[name] = len(values)
            support = {"values": list(values)}
        else:
            edges = _edges(raw[name])
            codes[name] = np.clip(np.searchsorted(edges, raw[name], side="right") - 1, 0, len(edges) - 2)
            sizes[name] = len(edges) - 1
            support = {"edges": edges.tolist()}
        counts = _count(label, codes[parent], codes[name], (2, sizes[parent], sizes[name]))
        columns[name] = {"parent": parent, **support, "counts": counts.tolist()}
    return {"spans": month[starts].tolist(), "dates": _dates(label, codes["span"], raw["day"]), "columns": columns}


def _dates(label: np.ndarray, span: np.ndarray, day: np.ndarray) -> dict[str, list]:
    counts = _count(label, span, day, (2, span.max() + 1, 32))
    rows = counts.sum(axis=0)
    span_rate = counts[1].sum(axis=1) / rows.sum(axis=1)
    rate = (counts[1] + SHRINKAGE * span_rate[:, None]) / (rows + SHRINKAGE)
    spans, days = np.nonzero(rows)
    return {
        "span": spans.tolist(),
        "day": days.tolist(),
        "rows": rows[spans, days].tolist(),
        "buy_rate": rate[spans, days].round(4).tolist(),
    }


def _edges(values: np.ndarray) -> np.ndarray:
    """Bin edges of whole numbers [bins + 1]: near-equal counts, common values alone, outliers cut off."""
    ordered = np.sort(values)
    low, high = ordered[SMALL_LIMIT - 1], ordered[-SMALL_LIMIT] + 1
    distinct, counts = np.unique(values, return_counts=True)
    heavy = distinct[counts >= HEAVY * len(values)]
    rest = ordered[~np.isin(ordered, heavy)]
    quantiles = np.quantile(rest, QUANTILES, method="nearest")
    edges = np.unique(np.concatenate([[low, high], heavy, heavy + 1, quantiles]))
    return edges[(edges >= low) & (edges <= high)]


def _count(label: np.ndarray, parent: np.ndarray, code: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    counts = np.zeros(shape, np.int64)
    np.add.at(counts, (label, parent, code), 1)
    counts[(counts > 0) & (counts < SMALL_LIMIT)] = SMALL
    return counts


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m data.fit_sample", description="Measures the tables of the synthetic sample from bank-full.csv."
    )
    parser.add_argument("file", type=Path, help="bank-full.csv as its publisher ships it")
    options = parser.parse_args(arguments)
    return guarded(lambda: _write_tables(options.file))


def _write_tables(file: Path) -> int:
    text = json.dumps(fit(file), separators=(",", ":"))
    TABLES.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{TABLES}: {len(text) / 1024:.0f} KiB\n")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
