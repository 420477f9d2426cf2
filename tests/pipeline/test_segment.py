"""The command line of the segmentation: what it refuses at once, and how its options become settings."""

from __future__ import annotations

import pytest

from data.errors import UserError
from pipeline import run, segment

BANK = "age;job;marital\n30;admin.;single\n"


def settings(*arguments: str):
    return segment._settings(segment._parser().parse_args(list(arguments)))


@pytest.mark.parametrize(("text", "numbers"), [("4", (4, 4)), ("2..10", (2, 10)), ("3..3", (3, 3)), ("20", (20, 20))])
def test_numbers_of_clusters_are_one_or_a_range(text, numbers):
    spec = settings("--clusters", text).spec
    assert (spec.fewest, spec.most) == numbers


@pytest.mark.parametrize("text", ["1", "0..3", "5..3", "2..", "..5", "2-5", "many", "21", "2..21", "2.5", ""])
def test_other_numbers_of_clusters_are_refused(text, capsys):
    with pytest.raises(SystemExit) as stopped:
        segment.main(["--clusters", text])
    assert stopped.value.code == 2
    assert "--clusters" in capsys.readouterr().err


def test_by_default_the_synthetic_sample_is_segmented_by_the_first_view_of_its_contract():
    default = settings()
    assert default.data.synthetic
    assert default.spec.view == next(iter(default.data.contract.views))
    assert default.features == default.data.contract.views[default.spec.view].columns
    assert default.serving.name == "segment-model"
    assert default.run_folder.parent.name == "segment-model"


def test_runs_of_different_views_share_no_baseline():
    names = {settings("--view", view).pipeline_name for view in settings().data.contract.views}
    assert len(names) == len(settings().data.contract.views)


def test_an_unknown_view_is_refused_with_those_that_there_are():
    with pytest.raises(UserError, match=r"no view 'histroy' \(did you mean 'history'\?\); it has history, demography"):
        settings("--view", "histroy")


def test_the_teams_names_are_read_from_a_file(tmp_path):
    file = tmp_path / "names.yaml"
    file.write_text("over 53: silver agers\n")
    assert settings("--names", str(file)).spec.names == {"over 53": "silver agers"}


def test_last_row_counts_needs_identifiers():
    with pytest.raises(UserError, match="--last-row-counts needs identifiers, and contract bank-full has none"):
        settings("--last-row-counts")


@pytest.mark.parametrize(("command", "name"), [(run, "segment-model"), (segment, "purchase-model")])
def test_a_model_cannot_take_the_name_of_the_other_kind(command, name, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--model-name", name])
    assert stopped.value.code == 2
    assert "is the name of another kind of model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (BANK.splitlines()[0] + "\n", "no contract has these columns"),
        ("a,b\n1,2\n", "no contract has these columns"),
    ],
    ids=["empty", "header only", "other columns"],
)
def test_a_file_that_cannot_be_segmented_ends_with_code_2(tmp_path, capsys, text, message):
    file = tmp_path / "customers.csv"
    file.write_text(text)
    assert segment.main(["--data", str(file), "--artifacts", str(tmp_path / "artifacts")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "artifacts").exists()
