"""Segments from a file of real customers to a served answer for each of them."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from data.command import NOT_BLESSED
from data.model_folder import SegmentCard
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import serving_folder
from runs.summary import SegmentSummary
from serving.client.__main__ import main as client
from tests.e2e.conftest import latest, run, summary
from tests.support.server import ServerProcess

pytestmark = pytest.mark.e2e

FEW = ("--clusters", "4..5", "--method", "kmeans")
"""Enough candidates to choose from, and a fraction of the time."""


@dataclass(frozen=True)
class Segmented:
    """A run on fundfusion's customers."""

    artifacts: Path
    output: str
    summary: SegmentSummary
    card: SegmentCard


def segment(artifacts: Path, *arguments: str | Path) -> Segmented:
    result = run(artifacts, *arguments, module="pipeline.segment")
    assert result.returncode == 0, result.stdout + result.stderr
    return read(artifacts, result.stdout + result.stderr)


def read(artifacts: Path, output: str) -> Segmented:
    done = summary(artifacts, SEGMENT_MODEL.name)
    assert isinstance(done, SegmentSummary)
    assert done.pushed is not None
    card = SegmentCard.from_json((Path(done.pushed.path) / "assets.extra" / "model.json").read_bytes())
    return Segmented(artifacts, output, done, card)


@pytest.fixture(scope="module")
def segmented(real_data, tmp_path_factory) -> Segmented:
    artifacts = tmp_path_factory.mktemp("segments") / "artifacts"
    return segment(artifacts, "--data", real_data / "fundfusion.csv", *FEW)


@pytest.fixture(scope="module")
def server(segmented, first, tmp_path_factory) -> Iterator[ServerProcess]:
    """Serves whatever lies in artifacts/serving: this segment model, and the purchase model of another test."""
    folder = tmp_path_factory.mktemp("both")
    for artifacts, model in ((segmented.artifacts, SEGMENT_MODEL), (first[0], PURCHASE_MODEL)):
        shutil.copytree(serving_folder(artifacts, model.name), folder / "artifacts" / "serving" / model.name)
    with ServerProcess([], folder / "log", cwd=folder) as process:
        yield process


def test_real_customers_become_segments_that_are_pushed(segmented):
    run = segmented.summary
    assert run.gate.blessed
    assert len(run.segments) == run.chosen.candidate.clusters in (4, 5)
    assert run.chosen.stability >= 0.8
    assert run.chosen.macro_silhouette > run.chosen.null_silhouette
    assert sum(segment.shares["train"] for segment in run.segments) == pytest.approx(1.0)
    assert "25,676 different GCIF in 28,129 rows" in segmented.output
    assert "--last-row-counts" in segmented.output
    page = (latest(segmented.artifacts, SEGMENT_MODEL.name) / "report.html").read_text()
    for segment in run.segments:
        assert segment.name in page


def test_every_customer_of_the_file_is_served_the_segment_that_was_trained(segmented, server, real_data, tmp_path):
    file = tmp_path / "assigned.csv"
    lists = tmp_path / "lists"
    assert client([
        str(real_data / "fundfusion.csv"), "--segments", "--out", str(file), "--per-segment", str(lists),
        "--url", server.url,
    ]) == 0  # fmt: skip
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    served = Counter(row["name"] for row in rows)
    run = segmented.summary
    sizes = {split: counts.rows for split, counts in run.splits.items()}
    trained = {
        segment.name: round(sum(share * sizes[split] for split, share in segment.shares.items()))
        for segment in run.segments
    }
    assert served == trained
    assert {row["GCIF"] for row in rows if row["outlier"] == "true"} != set()
    assert 0.002 < np.mean([row["outlier"] == "true" for row in rows]) < 0.03
    assert len(list(lists.iterdir())) == len(run.segments)


def test_both_models_answer_side_by_side(segmented, server):
    for model in (SEGMENT_MODEL.name, PURCHASE_MODEL.name):
        status, _, _ = server.request("GET", f"/v1/models/{model}")
        assert status == 200
    customer = dict.fromkeys(segmented.card.features)
    customer |= {"Usia": 30, "Jumlah_Anak": 0, "Jenis_Kelamin": "Perempuan", "Status_Perkawinan": "Belum Menikah"}
    customer |= {"Pendidikan": "Sarjana", "Area": "Never heard of", "Jalur_Pembukaan": "Cabang", "Vintage": ""}
    (answer,) = server.predict(SEGMENT_MODEL.name, {"instances": [customer]})["predictions"]
    assert answer["name"] == segmented.card.names[answer["segment"]]
    assert sum(answer["membership"]) == pytest.approx(1.0, abs=1e-5)
    assert answer["outlier"] in (True, False)


def test_segments_keep_their_names_and_the_team_may_change_them(segmented, real_data, tmp_path):
    artifacts = tmp_path / "artifacts"
    shutil.copytree(segmented.artifacts, artifacts, symlinks=True)
    # The metadata names files of the folder it was made in, which is still there.
    names = tmp_path / "names.yaml"
    names.write_text(f"{segmented.card.names[0]!r}: our regulars\n")
    again = segment(artifacts, "--data", real_data / "fundfusion.csv", *FEW, "--names", names)
    assert again.card.names == ("our regulars", *segmented.card.names[1:])
    assert again.card.continues == segmented.card.names
    assert again.summary.agreement == 1.0
    cached = {stage.name for stage in again.summary.stages if stage.cached}
    assert {"ContractExampleGen", "Transform", "SegmentSearch"} <= cached


def test_noise_is_refused_with_the_reason(tmp_path):
    random = np.random.default_rng(5)
    contract, file = tmp_path / "noise.yaml", tmp_path / "noise.csv"
    contract.write_text(
        "name: noise\ntitle: columns without any relation\n"
        "numeric: {a: {unit: euros, min: 0, max: 1.0e+6}, b: {unit: euros, min: 0, max: 1.0e+6}, "
        "c: {unit: euros, min: 0, max: 1.0e+6}}\n"
    )
    with file.open("w") as stream:
        stream.write("a,b,c\n")
        np.savetxt(stream, random.lognormal(3, 1.5, (1500, 3)), "%.3f", ",")
    arguments = ("--data", file, "--contract", contract, "--clusters", "2..4", "--method", "kmeans")
    result = run(tmp_path / "artifacts", *arguments, module="pipeline.segment")
    assert result.returncode == NOT_BLESSED, result.stdout + result.stderr
    assert "silhouette_above_shuffled" in result.stdout + result.stderr
    assert not serving_folder(tmp_path / "artifacts", SEGMENT_MODEL.name).exists()
