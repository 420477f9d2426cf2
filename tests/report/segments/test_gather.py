"""What the report of a segmentation reads from the artifacts of its run."""

from __future__ import annotations

import pytest
from ml_metadata.proto.metadata_store_pb2 import Artifact

from analysis.segmentation import Method
from data.errors import NotReadyError
from modules.artifacts import SEARCH as SEARCH_FILE
from modules.artifacts import SEGMENTATION as SEGMENTATION_FILE
from report.gather import Records
from report.segments.gather import gather
from runs.outputs import SEARCH, SEGMENTATION, RunOutputs
from tests.support import segmentations, summaries

METHODS: tuple[Method, ...] = ("kmeans",)
"""K-Medoids has figures that are NaN, which never equals NaN."""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with the artifacts of the search and of the judge: its folder and its summary."""
    found, tried = segmentations.segmentation(3), segmentations.search(methods=METHODS)
    summary = segmentations.summary(found, tried)
    folder = tmp_path / "runs" / summary.model_name / summary.run_id
    summaries.write(folder, summary)
    contents = {SEARCH: (SEARCH_FILE, tried), SEGMENTATION: (SEGMENTATION_FILE, found)}
    for output, (file, content) in contents.items():
        (tmp_path / output.node).mkdir()
        (tmp_path / output.node / file).write_text(content.to_json(), encoding="utf-8")
    outputs = RunOutputs({output: Artifact(uri=str(tmp_path / output.node)) for output in contents})
    monkeypatch.setattr("report.segments.gather.find_outputs", lambda *_: outputs)
    monkeypatch.setattr("report.segments.gather.records", lambda *_: Records())
    return folder, summary


def test_the_results_of_search_and_judge_are_read_as_they_were_written(run):
    report = gather(*run)
    assert report.search == segmentations.search(methods=METHODS)
    assert report.segmentation == segmentations.segmentation(3)
    assert report.previous is None


@pytest.mark.parametrize("output", [SEARCH, SEGMENTATION])
def test_a_run_whose_artifacts_are_gone_is_bad_input(tmp_path, run, output):
    for file in (tmp_path / output.node).iterdir():
        file.unlink()
    with pytest.raises(NotReadyError, match=run[1].run_id):
        gather(*run)
