"""From the segments of every row to a Segmentation: shares, silhouettes, cards, rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from analysis.clusters import silhouette, silhouettes, stratified
from analysis.segmentation import Segmentation
from data.contract import Contract
from data.model_folder import SegmentCard
from modules.segments import cards, reading
from modules.segments.measure import space
from modules.segments.methods import Segmenter
from modules.segments.reading import Split
from modules.segments.representation import COLUMNS
from modules.segments.rules import rules

SILHOUETTE_ROWS = 400
"""Test customers of each segment whose silhouettes are measured; the time grows with the square of their number."""


class Assigned(NamedTuple):
    """What a model said about the rows of a split, in file order."""

    segment: np.ndarray
    """int64 [rows]"""
    distance: np.ndarray
    """float32 [rows]"""


def judge(
    card: SegmentCard,
    contract: Contract,
    segmenter: Segmenter,
    splits: Mapping[str, Split],
    assigned: Mapping[str, Assigned],
    different: int,
    agreement: float | None,
    seed: int,
) -> Segmentation:
    """Describes the segments: shares of all rows; cards, rules and silhouettes from samples of train and test.

    Args:
      card: of the model.
      contract: of the rows.
      segmenter: as fitted; its distances give the silhouettes.
      splits: the rows.
      assigned: the model's outputs on them.
      different: rows whose served segment differs from the trained one.
      agreement: with the last blessed model.
      seed: of the samples.
    """
    _, view = contract.view(card.view)
    clusters = len(card.names)
    sizes = {name: np.bincount(outputs.segment, minlength=clusters) for name, outputs in assigned.items()}
    shares = {name: counts / counts.sum() for name, counts in sizes.items()}
    train, test = (reading.sample(splits[name], reading.SAMPLE, seed).batch for name in ("train", "test"))
    of_train, of_test = segmenter.assign(train.rows), segmenter.assign(test.rows)
    measured = stratified(of_test, clusters, SILHOUETTE_ROWS, np.random.default_rng(seed))
    rows, labels = test.rows.take(measured), of_test[measured]
    own = space(segmenter.candidate.method, segmenter.representation, rows).distances
    values = silhouettes(own, labels, clusters)
    own_figures = silhouette(own, labels, clusters, shares["test"])
    return Segmentation(
        view=card.view,
        columns=view.columns,
        describe=view.describe,
        segments=cards.segments(
            train.raw,
            of_train,
            segmenter.distances(train.rows).min(axis=1),
            {number: values[labels == number] for number in range(clusters)},
            card.names,
            card.continues,
            contract,
            view,
            shares,
            sizes["train"],
            card.outlier_distance,
        ),
        silhouette=own_figures.micro,
        macro_silhouette=own_figures.macro,
        macro_error=own_figures.error,
        full_silhouette=silhouette(space("kmeans", COLUMNS, rows).distances, labels, clusters, shares["test"]).micro,
        different=different,
        outlier_distance=card.outlier_distance,
        agreement=agreement,
        rules=rules(train.raw, of_train, test.raw, of_test, card.names, contract, view),
        scatter=cards.scatter(train.rows.features, of_train),
    )
