"""What the command line of the report answers, and what a run says of a report that cannot be written."""

import io
from types import SimpleNamespace

import pytest

import report
from data.command import BAD_INPUT
from data.errors import UserError
from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder
from pipeline import launch
from pipeline.screen import Screen
from report import __main__ as command
from tests.support import summaries

RUN = "20260101-120000"


@pytest.fixture
def folder(tmp_path):
    """The folder of a run that stopped half-way."""
    folder = runs_folder(tmp_path, PURCHASE_MODEL.name) / RUN
    folder.mkdir(parents=True)
    return folder


def refused(capsys, *arguments) -> str:
    """The only line that a refused command writes."""
    assert command.main([*map(str, arguments)]) == BAD_INPUT
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_a_run_that_is_not_there(capsys, tmp_path, folder):
    assert RUN in refused(capsys, "20260101-12000", "--artifacts", tmp_path)
    assert "latest" in refused(capsys, "--artifacts", tmp_path)
    assert "segment-model" in refused(capsys, RUN, "--model", "segment-model", "--artifacts", tmp_path)


def test_a_summary_that_cannot_be_read(capsys, tmp_path, folder):
    (folder / "summary.json").write_text("not json")
    assert "summary.json" in refused(capsys, RUN, "--artifacts", tmp_path)


def test_a_run_that_stopped_half_way(capsys, tmp_path, folder):
    assert "pipeline.log" in refused(capsys, RUN, "--artifacts", tmp_path)
    assert "pipeline.log" in refused(capsys, folder)


def test_a_run_whose_metadata_is_gone_is_bad_input(tmp_path, folder):
    summaries.write(folder, summaries.summary(RUN))
    with pytest.raises(UserError, match=rf"{RUN}.*metadata\.sqlite"):
        report.build(folder)
    assert not (tmp_path / "metadata.sqlite").exists()


@pytest.mark.parametrize("text", ["0", "-5", "nan", "inf", "ten"])
def test_cost_and_margin_are_amounts(text, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--cost", text])
    assert stopped.value.code == 2
    assert "--cost" in capsys.readouterr().err


@pytest.mark.parametrize("stopped", [ValueError("no such figure\nand more"), KeyError("settings")])
def test_a_report_that_cannot_be_written_is_one_line_and_no_failure(tmp_path, monkeypatch, capsys, stopped):
    def build(*_):
        raise stopped

    monkeypatch.setattr("report.build", build)
    stream = io.StringIO()
    settings = SimpleNamespace(run_folder=tmp_path, cost=10.0, margin=100.0)
    assert launch._report(settings, Screen(stream)) is None
    (line,) = stream.getvalue().splitlines()
    assert type(stopped).__name__ in line
    assert str(tmp_path / "pipeline.log") in line
    assert "Traceback" in capsys.readouterr().err
