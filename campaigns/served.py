"""The models that serve, with what their folders say about them where the folders can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.profile import Profile
from data.assumed_size import AssumedSize, assumed
from data.contract import Contract, from_inputs
from data.errors import NotReadyError, RefusedError
from data.model_folder import CONTRACT, ModelFolder
from data.model_spec import PURCHASE_MODEL
from data.models_config import STABLE
from data.paths import serving_folder
from serving.client import Client, Served

_TEXT = "DT_STRING"


@dataclass(frozen=True)
class ServedModel:
    """A version of a model that serves.

    Attributes:
      name, version: of the model.
      inputs: for each input whether it is text.
      contract: the data contract it was trained with, or one that says no more than its inputs.
      profile: of its training rows; None where the folder of the version cannot be read.
      assumed: what it is told of the size of a list unless somebody says otherwise; None where its folder says nothing.
    """

    name: str
    version: str
    inputs: Mapping[str, bool]
    contract: Contract
    profile: Profile | None
    assumed: AssumedSize | None = None


def ask(server: str, artifacts: Path, name: str = PURCHASE_MODEL.name) -> ServedModel:
    """The version of a model that scores: the champion, which has the label `stable`, else the newest one.

    Args:
      server: its address, such as `http://localhost:8501`.
      artifacts: the folder that runs write to, which may be on another machine: then it need not be there.
      name: of the model.

    Raises:
      ServiceError: the server has no such model or cannot be reached.
    """
    try:
        with Client(server, name, attempts=1, label=STABLE) as client:
            served = client.served()
    except RefusedError:  # no version has that label
        with Client(server, name, attempts=1) as client:
            served = client.served()
    return of_answer(served, artifacts, name)


def of_answer(answer: Served, artifacts: Path, name: str) -> ServedModel:
    """What a server says of a model, with what the version's folder says; see `ask`."""
    inputs = {column: kind == _TEXT for column, kind in answer.inputs.items()}
    folder = ModelFolder(serving_folder(artifacts, name) / answer.version)
    size = assumed(folder, artifacts)
    return ServedModel(name, answer.version, inputs, _contract(folder, name, inputs), _profile(folder), size)


def _contract(folder: ModelFolder, name: str, inputs: Mapping[str, bool]) -> Contract:
    try:
        contract = Contract.model_validate_json(folder.extra(CONTRACT).read_bytes())
    except (OSError, ValueError):
        return from_inputs(name, inputs)
    return contract if inputs.keys() <= {*contract.features()} else from_inputs(name, inputs)


def profile_of(artifacts: Path, name: str | None, version: str | None) -> Profile | None:
    """The profile of a version's training rows; None where its folder cannot be read."""
    return _profile(ModelFolder(serving_folder(artifacts, name) / version)) if name and version else None


def _profile(folder: ModelFolder) -> Profile | None:
    try:
        return Profile.of_version(folder)
    except NotReadyError:
        return None


def contract_to_json(contract: Contract) -> str:
    """A contract as it is stored with a campaign."""
    return contract.model_dump_json()


def contract_from_json(text: str) -> Contract:
    """Reads what `contract_to_json` wrote, also a contract of `from_inputs`, which validation may refuse.

    Raises:
      ValueError: the text is something else.
    """
    document = json.loads(text)
    numeric, categorical = document["numeric"], document["categorical"]
    undated = document.get("derived") and not document.get("call_date")
    if undated or any(not column["values"] for column in categorical.values()):
        return from_inputs(document["name"], dict.fromkeys(numeric, False) | dict.fromkeys(categorical, True))
    return Contract.model_validate(document)
