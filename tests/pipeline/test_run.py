"""The command line, as far as it goes before TensorFlow is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from data import contract as contracts
from data.command import BAD_INPUT
from pipeline import run
from tests.conftest import ROOT


def refused(capsys, *arguments) -> str:
    """The message of a command that must end with exit code 2."""
    assert run.main([*map(str, arguments)]) == BAD_INPUT
    return capsys.readouterr().err


def test_help_imports_neither_tensorflow_nor_tfx():
    code = (
        "import sys\nfrom pipeline import run\n"
        "try: run.main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'tfx', 'apache_beam', 'pyarrow')))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "--with-after-call" in result.stdout
    assert "exit codes" in result.stdout


def test_a_file_that_is_not_there(capsys, tmp_path):
    assert "nowhere.csv" in refused(capsys, "--data", tmp_path / "nowhere.csv", "--artifacts", tmp_path)


def test_an_empty_file(capsys, tmp_path):
    (tmp_path / "empty.csv").touch()
    assert "empty" in refused(capsys, "--data", tmp_path / "empty.csv", "--artifacts", tmp_path)


HEADER = ";".join(contracts.load("bank-full").header(contracts.Role.TRAINING)) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER.encode(), "a header but no rows"),
        (HEADER.encode() + b"\n\r\n", "a header but no rows"),
        (HEADER.replace("job", "jobb").encode() + b"1\n", "missing 'job' (did you mean 'jobb'?)"),
        (b"\x7fELF\0\0\n", "binary"),
        (b"PK\x03\x04", "Excel"),
    ],
)
@pytest.mark.parametrize("folder", [False, True])
def test_faults_of_any_file_are_told_before_tensorflow_is_imported(tmp_path, content, message, folder):
    (tmp_path / "a.csv").write_bytes(HEADER.encode() + b"a row\n")
    (tmp_path / "b.csv").write_bytes(content)
    code = (
        "import sys\nfrom pipeline import run\ncode = run.main(sys.argv[1:])\n"
        "sys.exit(9 if 'tensorflow' in sys.modules or 'tfx' in sys.modules else code)"
    )
    data = tmp_path if folder else tmp_path / "b.csv"
    command = [sys.executable, "-c", code, "--data", data, "--contract", "bank-full", "--artifacts", tmp_path / "out"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == BAD_INPUT, result.stderr
    assert message in result.stderr
    assert "b.csv" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_contract_without_label_cannot_be_learned_from(capsys, tmp_path, sample_csv):
    lines = (contracts.CONTRACTS / "bank-full.yaml").read_text().splitlines()
    file = tmp_path / "mine.yaml"
    file.write_text("\n".join(line for line in lines if not line.startswith("label:")))
    message = refused(capsys, "--data", sample_csv, "--contract", file, "--artifacts", tmp_path)
    assert "contract bank-full has no label" in message


def test_a_header_that_no_contract_has(capsys, tmp_path):
    (tmp_path / "other.csv").write_text("age;jobb;y\n1;2;no\n")
    message = refused(capsys, "--data", tmp_path / "other.csv", "--artifacts", tmp_path)
    assert "other.csv" in message
    assert "nearest is bank-full" in message
    assert "'jobb'" in message


def test_hyperparameters_of_a_contract_are_checked_before_anything_runs(capsys, tmp_path, sample_csv):
    file = tmp_path / "mine.yaml"
    file.write_text((contracts.CONTRACTS / "bank-full.yaml").read_text() + "hyperparameters: {widht: 3}\n")
    message = refused(capsys, "--data", sample_csv, "--contract", file, "--artifacts", tmp_path)
    assert "contract bank-full: unknown hyperparameter 'widht' (did you mean 'width'?)" in message


def test_a_contract_that_is_not_there(capsys, tmp_path, sample_csv):
    message = refused(capsys, "--data", sample_csv, "--contract", "bank-ful", "--artifacts", tmp_path)
    assert "bank-full" in message


def test_time_split_needs_rows_in_date_order(capsys, tmp_path):
    header = "id,customer_age,job_type,marital,education,default,balance,housing_loan,personal_loan,communication_type,"
    header += "day_of_month,month,last_contact_duration,num_contacts_in_campaign,days_since_prev_campaign_contact,"
    header += "num_contacts_prev_campaign,prev_campaign_outcome,term_deposit_subscribed"
    (tmp_path / "customers.csv").write_text(header + "\nid_1\n")
    message = refused(capsys, "--data", tmp_path / "customers.csv", "--split", "time", "--artifacts", tmp_path)
    assert "hackerearth" in message
    assert "row_order" in message


def test_an_artifacts_folder_that_cannot_be_written(capsys, tmp_path, sample_csv):
    (tmp_path / "file").touch()
    assert "file" in refused(capsys, "--data", sample_csv, "--artifacts", tmp_path / "file" / "artifacts")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--trials", "0"],
        ["--keep", "0"],
        ["--trials", "3", "--no-tune"],
        ["--thorough", "--no-tune"],
        ["--thorough", "--trials", "8"],
        ["--model-name", "../elsewhere"],
    ],
)
def test_arguments_that_make_no_sense(arguments):
    with pytest.raises(SystemExit) as ending:
        run.main([*arguments, "--data", "nowhere.csv"])
    assert ending.value.code == 2
