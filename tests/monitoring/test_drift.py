"""Drift of a customer list: how the file is read, and what the command shows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data import sample
from data.errors import UserError
from monitoring import drift
from tests.support.customers import CONTRACT, FEATURES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def listed(tmp_path):
    file = tmp_path / "customers.csv"
    sample.write(file, rows=5000, seed=9)
    return file


def test_a_customer_list_is_counted_as_its_rows_are(listed, sample_profile):
    counts = drift.read(listed, sample_profile)
    (rows,) = sample.draw(rows=5000, seed=9)
    expected = sample_profile.counts()
    columns = {n: rows[n].astype(np.float32 if n in CONTRACT.numeric else object) for n in FEATURES}
    expected.add(columns)
    assert counts.to_dict() == expected.to_dict()


def test_columns_may_stand_anywhere_beside_others_and_carry_scores(tmp_path, sample_profile):
    names = [*reversed(FEATURES), "customer", "probability"]
    cells = ["1" if n in CONTRACT.numeric else CONTRACT.categorical[n].values[0] for n in reversed(FEATURES)]
    file = tmp_path / "list.csv"
    file.write_text(
        ",".join(names) + "\r\n" + ",".join([*cells, "Smith, Ann".join('""'), "0.25"]) + "\r\n", "utf-8-sig"
    )
    counts = drift.read(file, sample_profile)
    assert (counts.rows, counts.mean_score) == (1, 0.25)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace('"job"', '"occupation"'), ":1: the model takes columns that are not there: job"),
        (lambda text: text.replace(";5;", ";fifth;", 1), "column 'day', here or below: .*'fifth'.*expected a number"),
        (lambda text: text.replace(";5;", ";5;5;", 1), ":2: expected 17 cells"),
        (lambda text: text[: text.index("\n") + 1], "the file has no rows"),
        (lambda text: "", "columns that are not there"),
    ],
)
def test_unusable_lists_are_refused(listed, sample_profile, change, says):
    listed.write_text(change(listed.read_text()))
    with pytest.raises(UserError, match=says):
        drift.read(listed, sample_profile)


def test_unreadable_lists_are_refused(tmp_path, sample_profile):
    with pytest.raises(UserError, match="cannot be read"):
        drift.read(tmp_path / "absent.csv", sample_profile)
    (tmp_path / "latin.csv").write_bytes(b"\xe4\xf6\n")
    with pytest.raises(UserError, match="cannot be read"):
        drift.read(tmp_path / "latin.csv", sample_profile)


def test_command_line_names_what_has_moved(tmp_path, listed, sample_profile):
    model = tmp_path / "3"
    (model / "assets.extra").mkdir(parents=True)
    (model / "assets.extra" / "profile.json").write_text(sample_profile.to_json())
    late = tmp_path / "late.csv"
    lines = listed.read_text().splitlines()
    late.write_text("\n".join([lines[0], *lines[-1000:]]))

    def run(file):
        return subprocess.run(
            [sys.executable, "-m", "monitoring.drift", file, "--model", model],
            cwd=ROOT, capture_output=True, text=True, check=False, env={"COLUMNS": "120", "PATH": ""},
        )  # fmt: skip

    moved = [line for line in run(late).stdout.splitlines() if "moved" in line]
    assert any("contact" in line for line in moved)
    assert not any("education" in line for line in moved)
    assert "moved" not in run(listed).stdout
    refused = run(tmp_path / "absent.csv")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Traceback" not in refused.stderr
