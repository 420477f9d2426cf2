"""For judging the spaces: principal components and the autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from analysis.segmentation import AutoencoderFit
from pages.blocks import Block, Figure, Paragraph, Section, Table
from pages.charts import Axis, Group, Row, Series, around, curves, rows, scatter
from pages.formatting import UNKNOWN, number, percent
from report.segments import words
from report.segments.gather import SegmentReport


def spaces(report: SegmentReport) -> Section:
    """Customers on two principal components, the components' variance, and how well the autoencoder restores rows."""
    blocks: list[Block] = [_scatter(report)]
    if report.search.explained_variance:
        blocks.append(_components(report))
    if report.search.autoencoder is None:
        blocks.append(Paragraph("no-autoencoder", "The autoencoder was not tried."))
    else:
        blocks += _autoencoder(report.search.autoencoder)
    return Section("spaces", "The spaces of the segments", blocks)


def _scatter(report: SegmentReport) -> Figure:
    drawn, found = report.segmentation.scatter, report.by_share
    x, y, numbers = (np.array(values) for values in (drawn.x, drawn.y, drawn.segment))
    first, second = drawn.explained_variance
    says = (
        f"{number(len(x))} training customers. The two axes show {percent(first + second)} of the variance of the "
        "transformed columns, so segments that overlap here may be apart in other directions. The numbers are at the "
        "means of the segments."
    )
    groups = [Group(s.name, s.number, x[numbers == s.number].tolist(), y[numbers == s.number].tolist()) for s in found]
    chart = scatter(
        "scatter",
        "Customers on the first two principal components",
        says,
        around(f"first component, {percent(first)} of the variance", [*drawn.x], lambda v: f"{v:g}"),
        around(f"second component, {percent(second)} of the variance", [*drawn.y], lambda v: f"{v:g}"),
        groups,
    )
    cells = [(f"{g.number}: {g.name}", number(len(g.xs)), *_place(g.xs), *_place(g.ys)) for g in groups]
    head = ("Segment", "Customers drawn", "First, mean", "First, deviation", "Second, mean", "Second, deviation")
    return Figure(chart, says, Table("scatter", "Places of the segments on both components", head, cells))


def _place(values: Sequence[float]) -> tuple[str, str]:
    """Mean and standard deviation."""
    return (number(float(np.mean(values)), 2), number(float(np.std(values)), 2)) if len(values) else (UNKNOWN, UNKNOWN)


def _components(report: SegmentReport) -> Figure:
    shares, kept = report.search.explained_variance, report.search.components
    total = list(accumulate(shares))
    says = f"{words.counted(kept).capitalize()} components are kept, with {percent(total[kept - 1])} of the variance."
    chart = rows(
        "components",
        "Variance that each principal component explains",
        says,
        around("share of the variance", shares, percent, zero=True),
        [Row(f"component {i}", share, style=0 if i <= kept else 3) for i, share in enumerate(shares, 1)],
    )
    cells = [
        (str(i), percent(share, 1), percent(so_far, 1), "yes" if i <= kept else "no")
        for i, (share, so_far) in enumerate(zip(shares, total, strict=True), 1)
    ]
    head = ("Component", "Variance", "With those before", "Kept")
    return Figure(chart, says, Table("components", "Principal components", head, cells, frozenset({0, 3})))


def _autoencoder(fit: AutoencoderFit) -> list[Block]:
    epochs = list(range(1, len(fit.loss) + 1))
    says = (
        f"After {len(epochs)} epochs the mean squared error is {number(fit.loss[-1], 3)} on the customers that it "
        f"learned from and {number(fit.held_out_loss[-1], 3)} on others. Segments on the codes of autoencoders with "
        f"different seeds agree by {number(fit.seed_agreement, 2)} (adjusted Rand index)."
    )
    curve = curves(
        "autoencoder",
        f"Autoencoder with a code of {fit.code} units: error by epoch",
        says,
        Axis("epoch", 1.0, float(max(len(epochs), 2)), lambda v: f"{v:g}" if float(v).is_integer() else ""),
        around("mean squared error", [*fit.loss, *fit.held_out_loss, 0.0], lambda v: f"{v:.3g}"),
        [
            Series("customers that it learned from", epochs, fit.loss, style=2, dashed=True),
            Series("other customers", epochs, fit.held_out_loss),
        ],
    )
    cells = [(str(e), number(a, 4), number(b, 4)) for e, a, b in zip(epochs, fit.loss, fit.held_out_loss, strict=True)]
    errors = sorted(fit.errors.items(), key=lambda item: -item[1])
    lost = f"{words.column(errors[0][0])} is restored worst: {percent(errors[0][1])} of its variance is lost."
    chart = rows(
        "reconstruction",
        "Share of the variance of each column that the autoencoder loses",
        lost,
        around("variance lost", [error for _, error in errors], percent, zero=True),
        [Row(words.column(name), error) for name, error in errors],
    )
    table = Table("reconstruction", "Variance lost", ("Column", "Lost"), [(n, percent(e, 1)) for n, e in errors])
    return [
        Figure(curve, says, Table("autoencoder", "Mean squared error", ("Epoch", "Learned from", "Others"), cells)),
        Figure(chart, lost, table),
    ]
