"""Which files and contract a command line means."""

from __future__ import annotations

import pytest

from data import contract as contracts
from data.errors import BadContractError, BadFileError
from data.paths import downloads_folder
from pipeline.dataset import resolve

HEADER = ",".join(sorted(contracts.load("fundfusion").header(contracts.Role.TRAINING)))


@pytest.fixture
def customers(tmp_path):
    """A file of a contract without label, which its header finds."""
    path = tmp_path / "my customers.csv"
    path.write_text(f"{HEADER}\r\n{',' * HEADER.count(',')}\r\n")
    return path


def test_a_file_without_label_can_be_segmented(customers):
    path, contract = resolve(str(customers), None, labelled=False)
    assert (path, contract.name) == (customers, "fundfusion")


def test_the_address_of_a_file_means_a_download(customers, tmp_path):
    path, contract = resolve(customers.as_uri(), None, labelled=False, artifacts=tmp_path / "artifacts")
    assert (path.name, contract.name) == (customers.name, "fundfusion")
    assert path.is_relative_to(downloads_folder(tmp_path / "artifacts"))
    assert path.read_bytes() == customers.read_bytes()


def test_without_a_label_the_command_that_needs_none_is_named(customers):
    with pytest.raises(BadContractError) as error:
        resolve(str(customers), None)
    assert str(error.value) == (
        "contract fundfusion has no label, so no purchases can be learned; "
        f"`python -m pipeline.segment --data '{customers}'` finds segments, which need none"
    )


def test_hyperparameters_concern_only_the_model_that_learns_from_the_label(tmp_path, sample_csv):
    file = tmp_path / "mine.yaml"
    file.write_text((contracts.CONTRACTS / "bank-full.yaml").read_text() + "hyperparameters: {widht: 3}\n")
    with pytest.raises(BadContractError, match="unknown hyperparameter 'widht'"):
        resolve(str(sample_csv), str(file))
    assert resolve(str(sample_csv), str(file), labelled=False)[1].label is not None


def test_files_are_checked_with_and_without_label(customers):
    customers.write_text(HEADER + "\n")
    with pytest.raises(BadFileError, match="a header but no rows"):
        resolve(str(customers), None, labelled=False)
