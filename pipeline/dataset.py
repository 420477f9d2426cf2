"""Finds the files and the contract that a command line means, and refuses at once what cannot be learned from."""

from __future__ import annotations

import shlex
from pathlib import Path

from data import contract as contracts
from data.contract import Contract
from data.errors import BadContractError, BadOptionError
from data.paths import ARTIFACTS
from modules.purchase.hyperparameters import Hyperparameters


def resolve(
    data: str | None, contract: str | None, labelled: bool = True, artifacts: Path = ARTIFACTS
) -> tuple[Path, Contract]:
    """The files to read and their contract.

    Checked here, before TensorFlow is imported: every key of the contract, the header of every file, and that every
    file has rows. The rows themselves are checked when they are read.

    Args:
      data: a CSV file, a folder of them, the URL of either in an object store, the name of a contract to download, or
        None for the synthetic sample.
      contract: a contract's name or file; without one the header of the first file decides.
      labelled: whether the contract must have a label, and valid hyperparameters of the model that learns from it.
      artifacts: the folder that everything is written to, also what a URL means.

    Raises:
      BadFileError: no such file, a file that is empty, has no rows or does not fit the contract, or a failed download.
      BadContractError: no such contract, no contract with this header, no label, or a wrong key.
    """
    from data import reader

    path, rules = _find(data, contract, artifacts)
    if labelled:
        _check_for_purchases(rules, path)
    for file in reader.files(path):
        reader.check(file, rules)
    return path, rules


def _check_for_purchases(rules: Contract, path: Path) -> None:
    """Refuses a contract that the purchase model cannot learn from."""
    if rules.label is None:
        raise BadContractError(
            f"contract {rules.name} has no label, so no purchases can be learned; "
            f"`python -m pipeline.segment --data {shlex.quote(str(path))}` finds segments, which need none"
        )
    try:
        Hyperparameters.from_mapping(rules.modelling.hyperparameters)
    except BadOptionError as error:
        raise BadContractError(f"contract {rules.name}: {error}") from error


def _find(data: str | None, contract: str | None, artifacts: Path) -> tuple[Path, Contract]:
    from data import reader, store_data

    if data is None:
        from data import sample

        return sample.ensure(), contracts.load(contract or "bank-full")
    path = store_data.local(data, artifacts)
    if not path.exists() and path.name == data and (contracts.CONTRACTS / f"{data}.yaml").is_file():
        from data import download

        rules = contracts.load(contract or data)
        return download.fetch(rules), rules
    if contract:
        return path, contracts.load(contract)
    first = reader.files(path)[0]
    return path, contracts.find(reader.header(first)[0], str(first))
