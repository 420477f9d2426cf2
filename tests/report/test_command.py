"""What the command line of the report answers, and what a run says of a report that cannot be written."""

import io
from types import SimpleNamespace

import pytest

import report
from data.errors import UserError
from pipeline import run
from pipeline.screen import Screen
from report import __main__ as command
from runs.outputs import connect, outputs


@pytest.mark.parametrize("content", [None, "not json"])
def test_a_run_that_is_none_is_one_sentence_and_exit_code_2(tmp_path, capsys, content):
    runs = tmp_path / "runs"
    if content is not None:
        (runs / "20260101-120000").mkdir(parents=True)
        (runs / "20260101-120000" / "summary.json").write_text(content)
    assert command.main(["20260101-120000", "--artifacts", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "20260101-120000" in lines[0]


def test_a_run_that_stopped_half_way_is_told_apart(tmp_path, capsys):
    (tmp_path / "runs" / "20260101-120000").mkdir(parents=True)
    assert command.main(["20260101-120000", "--artifacts", str(tmp_path)]) == 2
    assert "summary.json" in capsys.readouterr().err


def test_a_run_whose_metadata_is_gone_is_bad_input(tmp_path):
    folder = tmp_path / "runs" / "20260101-120000"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text('{"run_id": "20260101-120000"}')
    with pytest.raises(UserError, match=r"20260101-120000.*metadata\.sqlite"):
        report.build(folder)
    assert not (tmp_path / "metadata.sqlite").exists()
    with pytest.raises(UserError, match=r"20260101-120000.*does not know it"):
        outputs(connect(tmp_path / "metadata.sqlite"), "20260101-120000")


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
    assert run._report(settings, Screen(stream)) is None
    (line,) = stream.getvalue().splitlines()
    assert type(stopped).__name__ in line
    assert str(tmp_path / "pipeline.log") in line
    assert "Traceback" in capsys.readouterr().err
