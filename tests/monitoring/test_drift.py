"""Drift: it fires on the real shift, keeps quiet on chance, and reads customer lists."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from data import sample
from data.errors import UserError
from monitoring import drift
from tests.monitoring.conftest import CONTRACT, FEATURES, profiled

ROOT = Path(__file__).parents[2]


def against(reference, columns, rows, scores=None):
    counts = reference.counts()
    counts.add({name: column[rows] for name, column in columns.items()}, scores)
    return drift.measure(reference, counts)


def alarms(found):
    return {name for name, shift in found.features.items() if shift.alarm}


def test_the_last_fifth_in_time_fires_on_what_changed(real_columns):
    rows = len(real_columns["age"])
    found = against(profiled(real_columns, slice(rows * 4 // 5)), real_columns, slice(rows * 4 // 5, rows))
    assert {"contact", "month", "pdays", "previous", "poutcome"} <= alarms(found)
    assert not {"balance", "education", "marital", "default", "housing", "loan"} & alarms(found)
    assert found.features["contact"].psi == pytest.approx(0.96, abs=0.02)
    assert found.features["contact"].l_infinity == pytest.approx(0.325, abs=0.005)


def test_a_random_fifth_fires_on_nothing(real_columns):
    order = np.random.default_rng(0).permutation(len(real_columns["age"]))
    training, recent = np.split(order, [len(order) * 4 // 5])
    found = against(profiled(real_columns, training), real_columns, recent)
    assert alarms(found) == set()
    assert max(shift.psi for shift in found.features.values()) < 0.01


def test_small_lists_of_the_same_customers_hardly_ever_fire(real_columns):
    generator = np.random.default_rng(1)
    order = generator.permutation(len(real_columns["age"]))
    training, others = np.split(order, [len(order) * 4 // 5])
    reference = profiled(real_columns, training)
    fired = dict.fromkeys(FEATURES, 0)
    for _ in range(200):
        for name in alarms(against(reference, real_columns, generator.choice(others, 300, replace=False))):
            fired[name] += 1
    assert max(fired.values()) <= 4, fired


def test_too_few_rows_get_no_verdict(sample_profile, sample_columns):
    found = against(sample_profile, sample_columns, slice(-199, None))
    assert {shift.alarm for shift in found.features.values()} == {None}
    assert found.features["month"].psi > 1
    found = against(sample_profile, sample_columns, slice(-200, None))
    assert "month" in alarms(found)


def test_alarm_line_rises_where_noise_does():
    assert drift.alarm_line(10_000, 30_000, 10) == drift.RULE_OF_THUMB
    assert drift.alarm_line(200, 36_000, 10) == pytest.approx(chi2.ppf(0.99, 9) / 200, rel=0.02)
    assert drift.alarm_line(200, 36_000, 1) == drift.RULE_OF_THUMB


@pytest.mark.parametrize("degrees", [1, 2, 3, 9, 12, 40])
def test_chi_squared_quantile_is_that_of_scipy(degrees):
    assert drift.chi_squared_quantile(0.99, degrees) == pytest.approx(chi2.ppf(0.99, degrees), rel=0.01)


def test_shares_that_a_psi_hides(sample_profile, sample_columns):
    columns = {name: column[:1000].copy() for name, column in sample_columns.items()}
    columns["job"][:100] = "astronaut"
    columns["marital"][:50] = ""
    columns["age"][:10] = np.nan
    columns["balance"][:20] = 1e9
    found = against(sample_profile, columns, slice(None)).features
    assert found["job"].shares == {"missing": 0, "unseen": 0.1}
    assert found["marital"].shares["missing"] == 0.05
    assert found["age"].shares["missing"] == 0.01
    assert found["balance"].shares["out_of_range"] == 0.02


def test_scores_are_compared_where_they_are_known(sample_profile, sample_columns):
    rows = slice(0, 2000)
    same = np.random.default_rng(5).beta(1, 8, 2000).astype(np.float32)
    assert against(sample_profile, sample_columns, rows).score is None
    assert against(sample_profile, sample_columns, rows, same).score.alarm is False
    higher = against(sample_profile, sample_columns, rows, np.sqrt(same))
    assert higher.score.alarm is True
    assert higher.mean_score > 2 * higher.reference_mean_score


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
