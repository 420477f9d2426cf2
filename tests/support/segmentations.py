"""Builds the result of a segmentation: a usual one, in the way of fundfusion by demography."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.segmentation import (
    METHODS,
    REPRESENTATIONS,
    AutoencoderFit,
    Candidate,
    CandidateFigures,
    Knee,
    Median,
    Method,
    PublishedResult,
    Representation,
    Rules,
    Scatter,
    SearchResult,
    Segment,
    Segmentation,
    ValueShare,
)
from runs.summary import (
    Check,
    Dataset,
    GateResult,
    PushedVersion,
    SegmentRunSettings,
    SegmentShare,
    SegmentSummary,
    Split,
    Stage,
)
from tests.support.summaries import changed

NAMES = (
    "over 53, two or more children",
    "under 31, not married",
    "31 to 53, married",
    "digital opening, under 40",
    "widowed or divorced",
    "telemarketing, Surabaya",
    "master or doctor",
    "four children and more",
    "new customers of Jogja",
    "no formal school",
)
SHARES = (0.31, 0.26, 0.21, 0.13, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04)
ROWS = 17_962
"""Of the training split."""
COLUMNS = ("Usia", "Jumlah_Anak", "Jenis_Kelamin", "Status_Perkawinan", "Pendidikan", "Area")
PRODUCTS = (
    ("Produk_Deposito", 0.19),
    ("Produk_Kartu_Kredit", 0.27),
    ("Produk_Kredit_Rumah", 0.11),
    ("Produk_Kredit_Kendaraan", 0.08),
    ("Produk_Tabungan", 0.93),
)


def figures(candidate: Candidate, **changes: Any) -> CandidateFigures:
    """The figures of a candidate: clearest at five segments, steadier with K-Means, clearer in fewer dimensions."""
    k = candidate.clusters
    boost = {"columns": 0.0, "pca": 0.11, "autoencoder": 0.19}[candidate.representation]
    own = 0.34 - 0.022 * abs(k - 5) + boost - 0.02 * (candidate.method == "kmedoids")
    stability = max(0.35, 0.94 - 0.05 * abs(k - 4.5) - 0.2 * (candidate.representation == "autoencoder"))
    smallest = 0.42 / k
    refusals = []
    if stability < 0.8:
        refusals.append("segments change from sample to sample")
    usual = CandidateFigures(
        candidate=candidate,
        loss=14.0 / k**0.6 + 0.6 * max(0, 5 - k),
        silhouette=own + 0.01,
        macro_silhouette=own,
        macro_error=0.004,
        full_silhouette=own - boost - 0.01,
        full_macro_silhouette=own - boost - 0.02,
        null_silhouette=0.12 + boost / 2,
        null_deviation=0.006,
        gap=0.31 - 0.03 * abs(k - 5),
        gap_error=0.008,
        davies_bouldin=math.nan
        if candidate.method == "kmedoids" and candidate.representation == "columns"
        else 1.1 + 0.04 * k,
        calinski_harabasz=2_900.0 - 120 * k,
        stability=stability,
        seed_stability=min(1.0, stability + 0.03),
        smallest=smallest,
        largest=min(0.9, 1.55 / k),
        refusals=tuple(refusals),
    )
    return changed(usual, **changes)


def search(
    methods: Sequence[Method] = METHODS,
    representations: Sequence[Representation] = REPRESENTATIONS,
    clusters: Sequence[int] = range(2, 11),
    **changes: Any,
) -> SearchResult:
    """What a search tried; changes as for `tests.support.summaries.changed`."""
    combinations = list(itertools.product(methods, representations))
    chosen = Candidate(methods[0], representations[0], 5)
    usual = SearchResult(
        view="demography",
        rows=10_000,
        figures=tuple(figures(Candidate(m, r, k)) for m, r in combinations for k in clusters),
        chosen=chosen,
        reason="K-Means on transformed columns, 5 segments: the best of 21 acceptable candidates among 54; macro "
        "silhouette 0.340 against 0.120 in shuffled data, stability 0.91.",
        knees=tuple(Knee(m, r, 5 if r == "columns" else None) for m, r in combinations),
        explained_variance=(0.21, 0.16, 0.12, 0.1, 0.09, 0.07, 0.06, 0.05),
        components=6,
        autoencoder=AutoencoderFit(
            code=6,
            loss=tuple(0.9 * 0.82**epoch + 0.12 for epoch in range(25)),
            held_out_loss=tuple(0.92 * 0.83**epoch + 0.13 for epoch in range(25)),
            errors={name: 0.05 + 0.11 * i for i, name in enumerate(COLUMNS)},
            seed_agreement=0.61,
        )
        if "autoencoder" in representations
        else None,
        stability_matrix=tuple(
            tuple(1.0 if i == j else 0.9 + 0.01 * ((i * j) % 7) for j in range(10)) for i in range(10)
        ),
        published=(
            PublishedResult(
                title="FundFusion, by age and children",
                columns=("Usia", "Jumlah_Anak"),
                representation="columns",
                clusters=3,
                published_silhouette=0.5,
                silhouette=0.512,
                macro_silhouette=0.498,
                full_silhouette=0.071,
                null_silhouette=0.441,
                stability=0.97,
                knee=4,
                shares=(0.41, 0.35, 0.24),
                ranges=(
                    "Usia 22 to 38 years; Jumlah Anak 0 to 1 child",
                    "Usia 36 to 54 years; Jumlah Anak 1 to 3 children",
                    "Usia 53 to 74 years; Jumlah Anak 2 children",
                ),
            ),
        ),
    )
    return changed(usual, **changes)


def segment(number: int, share: float, name: str, label: bool) -> Segment:
    """One kind of customers: older, the higher its number is."""
    spread = np.linspace(-0.08, 0.55, 21) + 0.02 * number
    factor = 0.6 + 0.35 * number
    rate = 0.05 + 0.05 * number
    return Segment(
        number=number,
        name=name,
        continues=None if number == 1 else name.replace("over 53", "over 51"),
        shares={"train": share, "eval": share + 0.004, "test": share - 0.003},
        rows=round(share * ROWS),
        silhouette=float(spread.mean()),
        silhouettes=tuple(spread.tolist()),
        over_represented=(
            frequency("Usia", "over 53" if number % 2 else "up to 30", 0.78 - 0.1 * number, 0.31),
            frequency("Status_Perkawinan", "Belum Menikah" if number % 3 else "Menikah", 0.61, 0.34),
            frequency("Area", ("Jakarta", "Solo", "Bandung", "Bogor", "Surabaya")[number % 5], 0.29, 0.19),
            frequency("Pendidikan", "Doktor", 0.21, 0.17),
        ),
        medians=(
            Median("Usia", "years", 25.0 + 8 * number, 41.0, min(0.95, 0.12 + 0.2 * number)),
            Median("Jumlah_Anak", "children", float(number % 3), 1.0, (0.1, 0.5, 0.85)[number % 3]),
        ),
        typical={
            "Usia": f"{25 + 8 * number} years",
            "Jumlah_Anak": f"{number % 3} children",
            "Jenis_Kelamin": "Perempuan",
            "Status_Perkawinan": "Menikah",
            "Pendidikan": "Sarjana",
            "Area": "Jakarta",
        },
        described=tuple(
            sorted(
                (
                    frequency(
                        name, value, min(0.97, own if value == "1" else 1 - own), every if value == "1" else 1 - every
                    )
                    for i, (name, every) in enumerate(PRODUCTS)
                    for own in [min(0.97, every * (factor if i % 2 else 2.0 - factor / 2))]
                    for value in ("1", "0")
                ),
                key=lambda value: -value.index,
            )
        ),
        described_medians=(
            Median("Pendapatan_Tahunan", "million rupiah a year", 310.0 + 60 * number, 420.0, 0.3 + 0.1 * number),
            Median(
                "Total_Relationship_Balance", "rupiah", 1_250_000.0 * (number + 1), 3_400_000.0, 0.2 + 0.15 * number
            ),
        ),
        label_rate=rate if label else None,
        label_low=rate - 0.012 if label else None,
        label_high=rate + 0.013 if label else None,
        outliers=0.01,
    )


def segmentation(segments: int = 5, label: bool = False, **changes: Any) -> Segmentation:
    """The segments of a model, at most ten; changes as for `tests.support.summaries.changed`."""
    shares = [share / sum(SHARES[:segments]) for share in SHARES[:segments]]
    generator = np.random.default_rng(0)
    drawn = generator.choice(segments, 1_000, p=shares)
    angles = 2 * math.pi * drawn / segments
    usual = Segmentation(
        view="demography",
        columns=COLUMNS,
        describe=tuple(name for name, _ in PRODUCTS),
        segments=tuple(segment(i, share, NAMES[i], label) for i, share in enumerate(shares)),
        silhouette=0.352,
        macro_silhouette=0.341,
        macro_error=0.004,
        full_silhouette=0.333,
        different=0,
        outlier_distance=4.71,
        agreement=0.91,
        rules=Rules(
            lines=tuple(
                f"Usia above {20 + 9 * i} and Area is Jakarta: {NAMES[i]} ({98 - i} %)" for i in range(segments)
            ),
            accuracy=0.957,
            depth=3,
        ),
        scatter=Scatter(
            x=tuple((2.2 * np.cos(angles) + generator.normal(0, 0.7, 1_000)).tolist()),
            y=tuple((1.6 * np.sin(angles) + generator.normal(0, 0.6, 1_000)).tolist()),
            segment=tuple(drawn.tolist()),
            explained_variance=(0.21, 0.16),
        ),
    )
    return changed(usual, **changes)


def summary(
    found: Segmentation, tried: SearchResult, run_id: str = "20270101-000000", **changes: Any
) -> SegmentSummary:
    """The summary of a run with these results whose model was pushed; changes as for :func:`summaries.changed`."""
    label_rate = None if found.segments[0].label_rate is None else 0.117
    usual = SegmentSummary(
        run_id=run_id,
        dataset=Dataset(
            contract="fundfusion",
            source="/data/fundfusion.csv",
            read=28_129,
            rows=25_676,
            quarantined=0,
            synthetic=False,
            label_rate=label_rate,
            split="random",
            distinct=25_676,
        ),
        features=found.columns,
        splits={
            "train": Split(ROWS, label_rate),
            "eval": Split(3_857, label_rate),
            "test": Split(3_857, label_rate),
        },
        stages=(Stage("SegmentSearch", 48.2, cached=False), Stage("Trainer", 9.3, cached=False)),
        seconds=84.0,
        gate=GateResult(
            blessed=True,
            checks=(
                Check("stability", tried.best.stability, 0.8, True),
                Check("silhouette_above_shuffled", 0.22, 0.012, True),
                Check("smallest_segment", min(s.shares["test"] for s in found.segments), 0.02, True),
                Check("served_as_trained", True, True, True),
            ),
            probe="TF Serving's SavedModel loader in a fresh process",
        ),
        pushed=PushedVersion("1795239191", "artifacts/serving/segment-model/1795239191"),
        chosen=tried.best,
        segments=tuple(SegmentShare(s.name, s.shares) for s in found.segments),
        silhouette=found.silhouette,
        macro_silhouette=found.macro_silhouette,
        agreement=found.agreement,
        settings=SegmentRunSettings(
            view="demography", method="auto", fewest=2, most=10, seed=42, data_sha256="a" * 64, commit="b" * 40
        ),
    )
    return changed(usual, **changes)


def frequency(column: str, value: str, share: float, overall: float) -> ValueShare:
    return ValueShare(column, value, share, max(0.0, share - 0.012), min(1.0, share + 0.012), overall)
