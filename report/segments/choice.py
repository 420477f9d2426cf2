"""For judging the choice: the numbers of clusters, the methods and the representations that were tried."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.segmentation import Candidate, CandidateFigures, SearchResult
from modules.segments.rule import best_by_space
from pages.blocks import Block, Figure, Paragraph, Section, Table
from pages.charts import Axis, Row, Series, around, curves, rows
from pages.formatting import number, percent
from report.segments import words
from report.segments.gather import SegmentReport

CRITERIA = (
    "k",
    "Loss",
    "Silhouette",
    "Macro, own space",
    "Error",
    "Macro, full space",
    "Null reference",
    "Gap",
    "Davies-Bouldin",
    "Calinski-Harabasz",
    "Stability",
    "Seeds",
    "Smallest",
    "Largest",
    "Verdict",
)
"""Columns of the table of numbers of clusters."""

Combination = tuple[str, str]
"""Method and representation."""


def choice(report: SegmentReport) -> Section:
    """Elbow, silhouettes and all criteria for the chosen method and representation."""
    search = report.search
    chosen = _of(search, _combination(search.chosen))
    text = (
        f"{search.reason} All figures of this and the next section are measured on {number(search.rows)} training "
        "customers. Stability is the mean adjusted Rand index between fits on half-samples, seeds that between "
        "fits with other random numbers. The null reference is the macro silhouette where each column is shuffled on "
        "its own."
    )
    marked = chosen.index(search.best)
    table = _criteria("clusters", search, chosen, marked)
    silhouettes = _silhouettes(search, chosen, _macro_silhouettes(chosen, marked))
    blocks: list[Block] = [Paragraph("reason", text), _elbow(search, chosen), silhouettes, table]
    return Section("choice", "How the number of segments was chosen", blocks)


def methods(report: SegmentReport) -> Section:
    """The best candidate of each method and representation, and every number of clusters of the others."""
    search = report.search
    combinations = list(dict.fromkeys(_combination(figures.candidate) for figures in search.figures))
    if len(combinations) == 1:
        text = f"Only {words.way(search.chosen)} was tried."
        return Section("methods", "Methods and representations", [Paragraph("one-method", text)])
    best = sorted((_best(search, combination) for combination in combinations), key=lambda f: -f.full_macro_silhouette)
    text = (
        "A silhouette is higher in a space of fewer dimensions, whatever the segments. Compare methods by the "
        "silhouette of their segments in the same, full space, by the distance to the null reference, and by stability."
    )
    blocks: list[Block] = [Paragraph("compare", text), _side_by_side(search, best)]
    for combination in combinations:
        if combination != _combination(search.chosen):
            tried = _of(search, combination)
            name = "-".join(("clusters", *combination))
            table = _criteria(name, search, tried, tried.index(_best(search, combination)))
            blocks.append(_silhouettes(search, tried, table))
    return Section("methods", "Methods and representations", blocks)


def _combination(candidate: Candidate) -> Combination:
    return candidate.method, candidate.representation


def _of(search: SearchResult, combination: Combination) -> list[CandidateFigures]:
    """The figures of a method and representation, by number of clusters."""
    found = [figures for figures in search.figures if _combination(figures.candidate) == combination]
    return sorted(found, key=lambda figures: figures.candidate.clusters)


def _best(search: SearchResult, combination: Combination) -> CandidateFigures:
    """The acceptable candidate with the best macro silhouette, or the best one of all."""
    if combination == _combination(search.chosen):
        return search.best
    tried = _of(search, combination)
    (best,) = best_by_space([figures for figures in tried if figures.acceptable] or tried)
    return best


def _elbow(search: SearchResult, tried: Sequence[CandidateFigures]) -> Figure:
    method, representation = _combination(tried[0].candidate)
    knee = next((k.clusters for k in search.knees if (k.method, k.representation) == (method, representation)), None)
    clusters = [figures.candidate.clusters for figures in tried]
    losses = [figures.loss for figures in tried]
    point = [
        Series("knee", [k], [value], style=1, points=True)
        for k, value in zip(clusters, losses, strict=True)
        if k == knee
    ]
    says = (
        "The curve has no knee."
        if knee is None
        else f"The knee is at {knee}, from where on the loss falls more slowly."
    )
    loss = "mean squared distance to the centre" if method == "kmeans" else "mean distance to the medoid"
    chart = curves(
        f"elbow-{method}-{representation}",
        f"Elbow: {words.way(tried[0].candidate)}",
        says,
        _clusters_axis(clusters),
        around(loss, [*losses, 0.0], lambda v: f"{v:g}"),
        [
            Series("loss", clusters, losses),
            *point,
        ],
    )
    cells = [(str(k), number(value, 4), "knee" if k == knee else "") for k, value in zip(clusters, losses, strict=True)]
    return Figure(chart, says, Table(chart.name, loss.capitalize(), ("k", "Loss", "Knee"), cells, frozenset({0, 2})))


def _silhouettes(search: SearchResult, tried: Sequence[CandidateFigures], table: Table) -> Figure:
    """Macro silhouettes in the own and in the full space and those of the null reference, by number of clusters."""
    best = _best(search, _combination(tried[0].candidate))
    method, representation = _combination(best.candidate)
    clusters = [figures.candidate.clusters for figures in tried]
    own = [figures.macro_silhouette for figures in tried]
    full = [figures.full_macro_silhouette for figures in tried]
    null = [figures.null_silhouette for figures in tried]
    limits = [(f.null_silhouette - 2 * f.null_deviation, f.null_silhouette + 2 * f.null_deviation) for f in tried]
    where = words.space(best.candidate, search)
    says = (
        f"{best.candidate.clusters} segments: macro silhouette {number(best.macro_silhouette, 2)} in {where}"
        f"{words.in_full_space(', {}', best.full_macro_silhouette, best.candidate, search)}, "
        f"{number(best.null_silhouette, 2)} for shuffled columns; stability {number(best.stability, 2)}."
    )
    chart = curves(
        f"silhouette-{method}-{representation}",
        f"Silhouette by number of segments: {words.way(best.candidate)}",
        says,
        _clusters_axis(clusters),
        around("macro silhouette", [*own, *full, *(end for pair in limits for end in pair), 0.0], lambda v: f"{v:.2g}"),
        [
            Series("shuffled columns, ± 2 standard deviations", clusters, null, style=3, dashed=True, bars=limits),
            *([] if where == words.FULL else [Series("full space", clusters, full, style=2, dashed=True)]),
            Series("own space", clusters, own),
            Series("best", [best.candidate.clusters], [best.macro_silhouette], style=1, points=True),
        ],
    )
    return Figure(chart, says, table)


def _macro_silhouettes(tried: Sequence[CandidateFigures], marked: int) -> Table:
    cells = [
        (
            str(figures.candidate.clusters),
            number(figures.macro_silhouette, 3),
            number(figures.full_macro_silhouette, 3),
            number(figures.null_silhouette, 3),
            number(figures.null_deviation, 4),
        )
        for figures in tried
    ]
    head = ("k", "Own space", "Full space", "Null reference", "Deviation")
    return Table("macro-silhouettes", "Macro silhouettes", head, cells, marked=marked)


def _criteria(name: str, search: SearchResult, tried: Sequence[CandidateFigures], marked: int) -> Table:
    cells = [(str(figures.candidate.clusters), *_figures(figures)) for figures in tried]
    candidate = tried[0].candidate
    caption = f"{words.way(candidate)}; its own space is {words.space(candidate, search)}"
    return Table(name, caption, CRITERIA, cells, frozenset({0, len(CRITERIA) - 1}), marked=marked)


def _figures(figures: CandidateFigures) -> tuple[str, ...]:
    """In the order of CRITERIA, without k."""
    return (
        number(figures.loss, 3),
        number(figures.silhouette, 3),
        number(figures.macro_silhouette, 3),
        number(figures.macro_error, 3),
        number(figures.full_macro_silhouette, 3),
        number(figures.null_silhouette, 3),
        number(figures.gap, 3),
        number(figures.davies_bouldin, 2),
        number(figures.calinski_harabasz),
        number(figures.stability, 2),
        number(figures.seed_stability, 2),
        percent(figures.smallest, 1),
        percent(figures.largest, 1),
        words.verdict(figures),
    )


def _side_by_side(search: SearchResult, best: Sequence[CandidateFigures]) -> Figure:
    entries = [
        Row(
            words.short_way(figures.candidate),
            figures.full_macro_silhouette,
            style=0 if figures.candidate == search.chosen else 3,
        )
        for figures in best
    ]
    says = (
        f"{words.way(search.chosen)} with {search.chosen.clusters} segments was chosen. Its segments have a macro "
        f"silhouette of {number(search.best.full_macro_silhouette, 2)} in {words.FULL}."
    )
    axis = around("macro silhouette in the full space", [e.value for e in entries], lambda v: f"{v:.2g}", zero=True)
    chart = rows("methods", "The best segments of each method and representation", says, axis, entries, dots=True)
    cells = [
        (
            words.way(figures.candidate),
            words.space(figures.candidate, search),
            str(figures.candidate.clusters),
            *_figures(figures),
        )
        for figures in best
    ]
    head = ("Method", "Own space", *CRITERIA)
    marked = [figures.candidate for figures in best].index(search.chosen)
    caption = "The best acceptable candidate of each, or the best one of all"
    return Figure(chart, says, Table("methods", caption, head, cells, frozenset({0, 1, len(head) - 1}), marked=marked))


def _clusters_axis(clusters: Sequence[int]) -> Axis:
    low, high = min(clusters), max(clusters)
    return Axis(
        "number of segments", float(low), float(max(high, low + 1)), lambda v: f"{v:g}" if float(v).is_integer() else ""
    )
