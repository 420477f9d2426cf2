"""The result of a segmentation, typed: which segmentations were tried, which one was chosen, and what its segments are.

    SearchResult     what the search tried and chose: the content of `search.json`
    Segmentation     the segments of the exported model on every split: the content of `segmentation.json`

This module imports nothing heavy, so that every page and command may read them.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Method = Literal["kmeans", "kmedoids"]
Representation = Literal["columns", "pca", "autoencoder"]
METHODS: tuple[Method, ...] = ("kmeans", "kmedoids")
REPRESENTATIONS: tuple[Representation, ...] = ("columns", "pca", "autoencoder")
METHOD_NAMES: dict[Method, str] = {"kmeans": "K-Means", "kmedoids": "K-Medoids"}
REPRESENTATION_NAMES: dict[Representation, str] = {
    "columns": "transformed columns",
    "pca": "principal components",
    "autoencoder": "autoencoder code",
}


@dataclass(frozen=True)
class Candidate:
    """One way to divide customers into segments.

    Attributes:
      method: K-Means (squared Euclidean distance), or K-Medoids (Gower distance on `columns`, Euclidean elsewhere).
      representation: the transformed columns themselves, their principal components, or an autoencoder's code.
      clusters: number of segments.
    """

    method: Method
    representation: Representation
    clusters: int


@dataclass(frozen=True)
class CandidateFigures:
    """How good a candidate is, on a sample of the training split.

    Attributes:
      candidate: what was measured.
      loss: mean over rows of the squared distance (K-Means) or the distance (K-Medoids) to the own centre.
      silhouette: mean silhouette of the rows in the candidate's own space.
      macro_silhouette: mean over segments of the mean silhouette in the candidate's own space.
      macro_error: standard error of `macro_silhouette`, which comes from sampling.
      full_silhouette, full_macro_silhouette: of the same segments in the space of all transformed columns.
      null_silhouette, null_deviation: mean and standard deviation of the macro silhouette where each column is
        shuffled on its own, which leaves no relation between columns.
      gap, gap_error: gap statistic against the same shuffled columns (Tibshirani, Walther, Hastie 2001).
      davies_bouldin, calinski_harabasz: as in scikit-learn, in the candidate's own space; NaN for Gower distances.
      stability: mean adjusted Rand index between fits on half-samples.
      seed_stability: mean adjusted Rand index between fits with different seeds on all rows of the sample.
      smallest, largest: share of customers in the smallest and in the largest segment.
      refusals: why the candidate is not acceptable; empty where it is.
    """

    candidate: Candidate
    loss: float
    silhouette: float
    macro_silhouette: float
    macro_error: float
    full_silhouette: float
    full_macro_silhouette: float
    null_silhouette: float
    null_deviation: float
    gap: float
    gap_error: float
    davies_bouldin: float
    calinski_harabasz: float
    stability: float
    seed_stability: float
    smallest: float
    largest: float
    refusals: tuple[str, ...] = ()

    @property
    def acceptable(self) -> bool:
        return not self.refusals

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> CandidateFigures:
        """Reads `dataclasses.asdict` of figures; raises KeyError or TypeError where the document is something else."""
        return cls(**{**_known(_tuples(document)), "candidate": Candidate(**document["candidate"])})


@dataclass(frozen=True)
class Knee:
    """The elbow: the number of clusters from which on the loss falls more slowly; None where the curve has no knee."""

    method: Method
    representation: Representation
    clusters: int | None


@dataclass(frozen=True)
class AutoencoderFit:
    """How well the autoencoder restores the transformed columns.

    Attributes:
      code: number of units of the bottleneck.
      loss, held_out_loss: mean squared error by epoch, on the rows it learned from and on others.
      errors: for each raw column the share of its variance that is lost, 0 to 1 or more.
      seed_agreement: adjusted Rand index between segmentations on codes of autoencoders with different seeds.
    """

    code: int
    loss: tuple[float, ...]
    held_out_loss: tuple[float, ...]
    errors: dict[str, float]
    seed_agreement: float


@dataclass(frozen=True)
class PublishedResult:
    """A published segmentation, repeated on these rows; see `data.contract_columns.Published`.

    Attributes:
      title: whose result.
      columns: that formed the segments.
      representation: in which K-Means was fitted.
      clusters: as published.
      published_silhouette: None where none was published.
      silhouette, macro_silhouette: measured here, in the candidate's own space.
      full_silhouette: of the same segments in the space of the view's transformed columns.
      null_silhouette: macro silhouette with each column shuffled on its own.
      stability: mean adjusted Rand index between fits on half-samples.
      knee: of the loss over the numbers of clusters that were tried.
      shares: of the segments, the largest first.
      ranges: for each segment, in the order of `shares`, the 5 % and 95 % quantiles of each number, with
        its unit: `Usia 20 to 38 years; Jumlah Anak 0 to 1 child`.
    """

    title: str
    columns: tuple[str, ...]
    representation: Representation
    clusters: int
    published_silhouette: float | None
    silhouette: float
    macro_silhouette: float
    full_silhouette: float
    null_silhouette: float
    stability: float
    knee: int | None
    shares: tuple[float, ...]
    ranges: tuple[str, ...]


@dataclass(frozen=True)
class SearchResult:
    """What the search tried and chose.

    Attributes:
      view: name of the contract's view.
      rows: training rows in the sample on which everything is measured.
      figures: of every candidate, in the order tried.
      chosen: the candidate that the rule chooses; where none is acceptable, the best one of all, for the report.
      reason: the choice in one sentence.
      knees: for each method and representation.
      explained_variance: share of the variance of each principal component, the largest first.
      components: principal components that are kept.
      autoencoder: None where it was not tried.
      stability_matrix: adjusted Rand index between each two half-sample fits of the chosen candidate.
      published: published segmentations, repeated.
    """

    view: str
    rows: int
    figures: tuple[CandidateFigures, ...]
    chosen: Candidate
    reason: str
    knees: tuple[Knee, ...]
    explained_variance: tuple[float, ...]
    components: int
    autoencoder: AutoencoderFit | None
    stability_matrix: tuple[tuple[float, ...], ...]
    published: tuple[PublishedResult, ...] = ()

    @property
    def best(self) -> CandidateFigures:
        """The figures of the chosen candidate."""
        return next(figures for figures in self.figures if figures.candidate == self.chosen)

    def to_json(self) -> str:
        return strict_json(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> SearchResult:
        """Reads `dataclasses.asdict` of a result; raises ValueError where the document is something else."""
        try:
            autoencoder = document["autoencoder"]
            return cls(
                **{
                    **document,
                    "figures": tuple(CandidateFigures.from_dict(figures) for figures in document["figures"]),
                    "chosen": Candidate(**document["chosen"]),
                    "knees": tuple(Knee(**knee) for knee in document["knees"]),
                    "explained_variance": tuple(document["explained_variance"]),
                    "autoencoder": autoencoder and AutoencoderFit(**_tuples(autoencoder)),
                    "stability_matrix": tuple(map(tuple, document["stability_matrix"])),
                    "published": tuple(PublishedResult(**_tuples(result)) for result in document["published"]),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the result of a search: {error}") from error


@dataclass(frozen=True)
class ValueShare:
    """How frequent a value is in a segment.

    Attributes:
      column, value: such as `job` and `retired`; for a number the value is a range in words.
      share, low, high: in the segment, with its 95 % interval (Wilson).
      overall: among all customers.
    """

    column: str
    value: str
    share: float
    low: float
    high: float
    overall: float

    @property
    def index(self) -> float:
        """Share in the segment over the share among all customers; 1 is average."""
        return self.share / self.overall if self.overall else float("nan")


@dataclass(frozen=True)
class Median:
    """The middle value of a number in a segment; NaN where more than half of its values are missing.

    Attributes:
      column, unit: of the contract.
      median: in the segment.
      overall: among all customers.
      position: share of all customers with a lower value than `median`, plus half of those with the same, 0 to 1; 0.5
        is average.
    """

    column: str
    unit: str
    median: float
    overall: float
    position: float


@dataclass(frozen=True)
class Segment:
    """One kind of customers; shares and values are of the training split, unless said otherwise.

    Attributes:
      number: the model's output `segment`, from 0.
      name: the model's output `name`.
      continues: name of the segment of the last blessed model that this one continues; None where it is new.
      shares: share of the customers by split.
      rows: customers of the training split.
      silhouette: mean silhouette of its customers in the model's own space.
      silhouettes: quantiles of the silhouette of its customers, rising, for the plot.
      over_represented: values of the view's columns that set it apart, the most first.
      medians: of the view's numbers.
      typical: a real customer, the one nearest to the centre, by column; numbers as text with their unit.
      described: values of the describing columns, by lift.
      described_medians: of the numbers among the describing columns.
      label_rate, label_low, label_high: share of positive rows with its 95 % interval (Wilson); None without a label.
      outliers: share of customers beyond the model's outlier distance.
    """

    number: int
    name: str
    continues: str | None
    shares: dict[str, float]
    rows: int
    silhouette: float
    silhouettes: tuple[float, ...]
    over_represented: tuple[ValueShare, ...]
    medians: tuple[Median, ...]
    typical: dict[str, str]
    described: tuple[ValueShare, ...]
    described_medians: tuple[Median, ...]
    label_rate: float | None
    label_low: float | None
    label_high: float | None
    outliers: float


@dataclass(frozen=True)
class Rules:
    """A small decision tree that reproduces the segments.

    Attributes:
      lines: one rule for each leaf: `age above 53 and housing is no: over 53, no housing (96 %)`.
      accuracy: share of test customers that the tree puts into their segment.
      depth: of the tree.
    """

    lines: tuple[str, ...]
    accuracy: float
    depth: int


@dataclass(frozen=True)
class Scatter:
    """A sample of training customers on the first two principal components of the transformed columns.

    Attributes:
      x, y: coordinates.
      segment: number of the segment.
      explained_variance: share of the variance on each axis.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    segment: tuple[int, ...]
    explained_variance: tuple[float, float]


@dataclass(frozen=True)
class Segmentation:
    """The segments of the exported model.

    Attributes:
      view: name of the contract's view.
      columns, describe: of the view.
      segments: by number.
      silhouette, macro_silhouette, macro_error: in the model's own space, on a stratified sample of the test split.
      full_silhouette: of the same segments in the space of all transformed columns.
      different: rows, of all splits, whose served segment differs from the trained one.
      outlier_distance: beyond it a customer is an outlier: the 99 % quantile of training.
      agreement: adjusted Rand index with the last blessed model on the test split; None where there is none.
      rules: a small tree instead of the model.
      scatter: for a picture.
    """

    view: str
    columns: tuple[str, ...]
    describe: tuple[str, ...]
    segments: tuple[Segment, ...]
    silhouette: float
    macro_silhouette: float
    macro_error: float
    full_silhouette: float
    different: int
    outlier_distance: float
    agreement: float | None
    rules: Rules
    scatter: Scatter

    def to_json(self) -> str:
        return strict_json(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Segmentation:
        """Reads `dataclasses.asdict` of one; raises ValueError where the document is something else."""
        try:
            return cls(
                **{
                    **_tuples(document),
                    "segments": tuple(_segment(segment) for segment in document["segments"]),
                    "rules": Rules(**_known(_tuples(document["rules"]))),
                    "scatter": Scatter(**_tuples(document["scatter"])),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a segmentation: {error}") from error


def _segment(document: Mapping[str, Any]) -> Segment:
    shares = {key: tuple(ValueShare(**value) for value in document[key]) for key in ("over_represented", "described")}
    medians = {
        key: tuple(Median(**_known(value)) for value in document[key]) for key in ("medians", "described_medians")
    }
    return Segment(**{**_tuples(document), "silhouette": _number(document["silhouette"]), **shares, **medians})


def _tuples(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def strict_json(document: Any) -> str:
    """JSON in which an unknown number is null, where Python would write NaN, which is no JSON."""
    return json.dumps(_without_nan(document), indent=1, allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _known(document: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`_without_nan`, for values that are all known or NaN."""
    return {key: _number(value) for key, value in document.items()}
