"""Which files a command line means, and what their columns mean."""

from __future__ import annotations

from pathlib import Path

from data import contract as contracts
from data.contract import Contract
from data.errors import BadContractError, UserError
from modules.purchase.hyperparameters import Hyperparameters


def resolve(data: str | None, contract: str | None) -> tuple[Path, Contract]:
    """The files to read and their contract, which is checked to the last key.

    Args:
      data: a CSV file, a folder of them, the name of a contract to download, or None for the synthetic sample.
      contract: a contract's name or file; without one the header finds it.

    Raises:
      BadContractError: no such file or contract, a header no contract has, or a download that fails.
    """
    path, chosen = _find(data, contract)
    try:
        Hyperparameters.from_mapping(chosen.modelling.hyperparameters)
    except UserError as error:
        raise BadContractError(f"contract {chosen.name}: {error}") from error
    return path, chosen


def _find(data: str | None, contract: str | None) -> tuple[Path, Contract]:
    from data import reader

    if data is None:
        from data import sample

        return sample.ensure(), contracts.load(contract or "bank-full")
    path = Path(data)
    if not path.exists() and path.name == data and (contracts.CONTRACTS / f"{data}.yaml").is_file():
        from data import download

        chosen = contracts.load(contract or data)
        return download.fetch(chosen), chosen
    first = reader.files(path)[0]
    names, _ = reader.header(first)
    return path, contracts.load(contract) if contract else contracts.find(names, str(first))
