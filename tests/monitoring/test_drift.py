"""Drift of a customer list: which files are read, and what the command shows."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis import profile
from data import contract as contracts
from data import sample
from data.contract import Contract
from data.errors import BadFileError, NotReadyError
from data.model_folder import CONTRACT as CONTRACT_FILE
from data.model_folder import PROFILE, GoldenRequest, ModelFolder
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import serving_folder
from monitoring import drift
from tests.support import stand_in
from tests.support.customers import CONTRACT, FEATURES, model_columns
from tests.support.toy_models import SEGMENT_NAMES

ROOT = Path(__file__).parents[2]
MODEL = PURCHASE_MODEL.name
GOLDEN = GoldenRequest([], [])


def score_or_nan(cell):
    """The name of the score for the header, nan for a row."""
    return "probability" if cell[1] == "y" else "nan"


@pytest.fixture
def version(tmp_path, sample_profile):
    stand_in.write_extras(serving_folder(tmp_path, MODEL) / "3", sample_profile, GOLDEN)
    return ModelFolder(serving_folder(tmp_path, MODEL) / "3")


@pytest.fixture
def listed(tmp_path):
    file = tmp_path / "customers.csv"
    sample.write(file, rows=5000, seed=9)
    return file


def test_a_customer_list_is_counted_as_its_rows_are(listed, version, sample_profile):
    (rows,) = sample.draw(rows=5000, seed=9)
    counts = sample_profile.counts()
    counts.add(model_columns(rows))
    expected = dict(drift.measure(sample_profile, counts).features)
    for name in CONTRACT.derived_columns:  # of which the file says nothing
        del expected[name]
    measured = drift.of_list(listed, version)
    assert (measured.rows, measured.features) == (5000, expected)
    assert measured.score is None


def test_the_size_of_a_list_is_compared_where_the_list_says_it(listed, version):
    header, *lines = listed.read_text().splitlines()
    listed.write_text("\n".join([f'{header};"calls_today"', *(f"{line};5000" for line in lines)]))
    measured = drift.of_list(listed, version)
    assert {*CONTRACT.derived_columns} & {*measured.features} == {"calls_today"}
    assert measured.features["calls_today"].alarm is True


def test_columns_may_stand_anywhere_beside_others_and_carry_scores(tmp_path, version):
    names = [*reversed(FEATURES), "customer", "probability"]
    cells = ["1" if n in CONTRACT.numeric else CONTRACT.categorical[n].values[0] for n in reversed(FEATURES)]
    file = tmp_path / "list.csv"
    rows = [",".join([*cells, '"Smith, Ann"', score]) for score in ("0.25", "0.75")]
    file.write_text("\r\n".join([",".join(names), *rows, ""]), "utf-8-sig")
    measured = drift.of_list(file, version)
    assert (measured.rows, measured.mean_score) == (2, 0.5)


def test_columns_known_only_after_the_call_are_read_for_a_model_that_takes_them(tmp_path, listed):
    (rows,) = sample.draw(rows=3000)
    features = CONTRACT.features(with_after_call=True)
    columns = {n: rows[n].astype(np.float32 if n in CONTRACT.numeric else object) for n in features}
    reference = profile.build(columns, np.full(3000, 0.1, np.float32), CONTRACT, features, "probability")
    stand_in.write_extras(tmp_path / "1", reference, GOLDEN)
    assert drift.of_list(listed, ModelFolder(tmp_path / "1")).features["duration"].alarm is False


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace('"job"', '"occupation"'), "'job'"),
        (
            lambda text: re.sub(r"\n\d+;", "\nforty;", text, count=1),
            r":2: column 'age': got 'forty', expected a",
        ),
        (lambda text: text.replace(";5;", ";5;5;", 1), ":2:.*expected"),
        (lambda text: text[: text.index("\n") + 1], "no rows"),
        (lambda text: "", "empty"),
        (lambda text: text.replace('"y"', '"probability"', 1), "column 'probability': .*, expected a number"),
        (
            lambda text: re.sub('"(no|yes)"$', "nan", text.replace('"y"', '"probability"', 1), flags=re.MULTILINE),
            "finite",
        ),
    ],
)
def test_unusable_lists_are_refused(listed, version, change, says):
    listed.write_text(change(listed.read_text()))
    with pytest.raises(BadFileError, match=says) as refused:
        drift.of_list(listed, version)
    assert str(listed) in str(refused.value)


def test_unreadable_lists_are_refused(tmp_path, version):
    with pytest.raises(BadFileError, match="no such file"):
        drift.of_list(tmp_path / "absent.csv", version)
    (tmp_path / "latin.csv").write_bytes(b"\xe4\xf6\n")
    with pytest.raises(BadFileError, match="UTF-8"):
        drift.of_list(tmp_path / "latin.csv", version)


def test_version_whose_contract_is_of_another_model_is_refused(listed, version):
    version.extra(CONTRACT_FILE).write_text(contracts.load("bank-additional").model_dump_json())
    with pytest.raises(NotReadyError, match="contract and profile have other features; push the model again"):
        drift.of_list(listed, version)


@pytest.mark.parametrize("name", [CONTRACT_FILE, PROFILE])
@pytest.mark.parametrize("content", [None, "{}", "not JSON"])
def test_version_without_what_is_needed_is_refused(listed, version, name, content):
    version.extra(name).unlink()
    if content is not None:
        version.extra(name).write_text(content)
    with pytest.raises(NotReadyError, match="push the model again"):
        drift.of_list(listed, version)


def run(file, columns, *options):
    command = [sys.executable, "-m", "monitoring.drift", file, "--artifacts", file.parent, *options]
    environment = {"COLUMNS": str(columns), "PATH": ""}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.usefixtures("version")
def test_command_line_names_what_has_moved(tmp_path, listed):
    late = tmp_path / "late.csv"
    lines = listed.read_text().splitlines()
    late.write_text("\n".join([lines[0], *lines[-1000:]]))
    moved = [line for line in run(late, 120).stdout.splitlines() if "moved" in line]
    assert any("contact" in line for line in moved)
    assert not any("education" in line for line in moved)
    shown = run(listed, 120).stdout
    assert "moved" not in shown
    assert "Not compared, since the list has no such columns: calls_today, calls_7d, calls_30d" in shown
    refused = run(tmp_path / "absent.csv", 120)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Traceback" not in refused.stderr


def test_command_line_says_which_version_it_compares_with(listed, version):
    shutil.copytree(version.path, version.path.with_name("10"))
    assert "of version 10" in run(listed, 120).stdout
    assert "of version 3" in run(listed, 120, "--version", "3").stdout
    refused = run(listed, 120, "--version", "4")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "there is no version 4" in refused.stderr
    refused = run(listed, 120, "--model", "other")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "no model has been pushed yet" in refused.stderr


@pytest.mark.usefixtures("version")
def test_too_few_rows_are_said_to_give_no_verdict(tmp_path, listed):
    few = tmp_path / "few.csv"
    few.write_text("\n".join(listed.read_text().splitlines()[:100]))
    shown = run(few, 80).stdout
    assert "No verdict: fewer than 200 rows." in shown
    assert "moved" not in shown


@pytest.mark.parametrize("columns", [40, 80])
def test_names_give_way_to_figures_on_a_narrow_screen(tmp_path, columns):
    names = ["pages_" + 54 * "a", "seconds_" + 52 * "b"]
    contract = Contract.model_validate(
        {
            "name": "visits",
            "title": "Visits",
            "numeric": {names[0]: {"unit": "pages", "min": 0, "max": 99}},
            "categorical": {names[1]: {"values": ["short", "long"]}},
        }
    )
    training = {names[0]: np.arange(100, dtype=np.float32), names[1]: np.array(["short"] * 100, object)}
    reference = profile.build(training, np.linspace(0, 1, 100, dtype=np.float32), contract, names, "probability")
    folder = ModelFolder(serving_folder(tmp_path, "visits") / "1")
    stand_in.write_extras(folder.path, reference, GOLDEN)
    folder.extra(CONTRACT_FILE).write_text(contract.model_dump_json())
    file = tmp_path / "list.csv"
    file.write_text("\n".join([",".join([*names, "probability"]), *["99999,long,0.9"] * 300]))
    measured = drift.of_list(file, folder)
    lines = run(file, columns, "--model", "visits").stdout.splitlines()
    for name, shift in [*measured.features.items(), ("(score)", measured.score)]:
        (line,) = [line for line in lines if line.split() and name.startswith(line.split()[0].rstrip("…"))]
        figures = [f"{value:.3f}" for value in (shift.psi, shift.line, shift.l_infinity)]
        shares = [f"{share:.1%}" for share in shift.shares.values()]
        assert line.split()[1:] == [*figures, *shares, "moved"]
        assert ("…" in line) == (len(name) > 20)


def assigned(file, rows):
    """Writes a list of `age`, `housing`, a customer's number and the segments of the segment model."""
    lines = ["customer,age,housing,segment,name"]
    for number, (age, segment) in enumerate(rows):
        lines.append(f'{number},{age},yes,{segment},"{SEGMENT_NAMES[segment]}"')
    file.write_text("\n".join([*lines, ""]))
    return file


@pytest.fixture
def segment_version(tmp_path, sample_columns):
    folder = ModelFolder(serving_folder(tmp_path, SEGMENT_MODEL.name) / "2")
    stand_in.write_extras(folder.path, stand_in.segment_profile(sample_columns), GOLDEN)
    return folder


def test_a_list_for_a_segment_model_needs_only_its_inputs(tmp_path, segment_version):
    file = assigned(tmp_path / "list.csv", [(25, 0), (70, 2), (70, 2), (70, 2)] * 100)
    measured = drift.of_list(file, segment_version)
    assert set(measured.features) == {"age", "housing"}
    assert measured.score.alarm is True
    assert [share.recent for share in measured.texts] == [0.25, 0, 0.75, 0]
    assert (measured.mean_score, measured.reference_mean_score) == (None, None)


def test_a_column_name_that_is_not_the_segments_is_passed_over(tmp_path, segment_version):
    file = tmp_path / "list.csv"
    file.write_text("name,age,housing\n" + "Ann Smith,30,no\n" * 300)
    measured = drift.of_list(file, segment_version)
    assert (measured.rows, measured.score, measured.texts) == (300, None, ())


@pytest.mark.usefixtures("segment_version")
def test_command_line_shows_the_shares_of_segments(tmp_path):
    file = assigned(tmp_path / "list.csv", [(25, 0), (70, 2), (70, 2), (70, 2)] * 100)
    shown = run(file, 100, "--model", SEGMENT_MODEL.name).stdout
    (line,) = [line for line in shown.splitlines() if SEGMENT_NAMES[2] in line]
    assert line.split()[-2] == "75.0%"
    assert re.search(r"\(segment\) .* moved", shown)
    assert "Mean score" not in shown
