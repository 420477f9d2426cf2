"""What lies in the folder of a model version, and which versions there are.

<model>/<version>/saved_model.pb, variables/           the SavedModel
<model>/<version>/assets.extra/                        model servers ignore this folder, except for the warm-up
    model.json                  what the Trainer noted: a PurchaseCard or a SegmentCard
    contract.json               the data contract the model was trained with
    golden_request.json         one stored request with the answer it must get: a GoldenRequest
    profile.json                the training split as counts, see analysis.profile
    tf_serving_warmup_requests  requests that a server replays before the version serves
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

EXTRAS = "assets.extra"
CARD = "model.json"
CONTRACT = "contract.json"
GOLDEN_REQUEST = "golden_request.json"
PROFILE = "profile.json"
WARM_UP = "tf_serving_warmup_requests"

_LARGEST_VERSION = 2**63 - 1
"""TensorFlow Serving keeps a version number in a signed 64-bit integer."""


Card = TypeVar("Card", bound="ModelCard")


@dataclass(frozen=True)
class ModelCard:
    """What the Trainer noted about a model of any kind.

    Attributes:
      contract: name of the data contract.
      synthetic: whether it learned from the synthetic sample.
      features: names of the model's inputs.
    """

    contract: str
    synthetic: bool
    features: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls: type[Card], text: str | bytes) -> Card:
        """The fields of this class from what `to_json` of it, or of a class below it, wrote.

        Raises:
          ValueError: the text is something else.
        """
        try:
            document = json.loads(text)
            values: dict[str, Any] = {}
            for field in dataclasses.fields(cls):
                if field.default is not dataclasses.MISSING and field.name not in document:
                    continue
                value = document[field.name]
                values[field.name] = tuple(value) if isinstance(value, list) else value
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a model card: {error}") from error


@dataclass(frozen=True)
class ListSize:
    """How many calls were usual in a month: medians over its days with calls.

    Attributes:
      calls_today: calls on a day.
      calls_7d, calls_30d: calls on the 7 and on the 30 days before.
      month: such as `2009-03`.
    """

    calls_today: int
    calls_7d: int
    calls_30d: int
    month: str


@dataclass(frozen=True)
class PurchaseCard(ModelCard):
    """What the Trainer noted about a purchase model.

    Attributes:
      hyperparameters: by name.
      parameters: number of weights.
      members: number of nets in the ensemble.
      best_epoch: the epoch, from 0, whose weights were kept.
      calibration: fields of `modules.purchase.calibration.Calibration`.
      threshold: the score above which a row counts as positive.
      list_size: what was usual in the newest month of its rows; None where the model does not take the size of the
        list. Cards of earlier models have none.
    """

    hyperparameters: dict[str, Any]
    parameters: int
    members: int
    best_epoch: int
    calibration: dict[str, Any]
    threshold: float
    list_size: ListSize | None = None

    @classmethod
    def from_json(cls, text: str | bytes) -> PurchaseCard:
        """As `ModelCard.from_json`."""
        card, size = super().from_json(text), json.loads(text).get("list_size")
        try:
            return dataclasses.replace(card, list_size=ListSize(**size)) if size else card
        except TypeError as error:
            raise ValueError(f"not a model card: {error}") from error


@dataclass(frozen=True)
class SegmentCard(ModelCard):
    """What the Trainer noted about a segment model.

    Attributes:
      view: name of the contract's view.
      method, representation: see `analysis.segmentation.Candidate`.
      names: of the segments, by number.
      continues: for each segment the name of the segment of the last blessed model that it continues, or None.
      means: mean of the transformed columns in each segment, by which later models find the segment again.
      temperature: `membership` is the softmax of minus the squared distances over it.
      outlier_distance: beyond it a customer is an outlier.
      typical: for each segment the training customer nearest to its centre, as the cells of a CSV file by column;
        empty for a segment without customers. Cards of earlier models have none.
    """

    view: str
    method: str
    representation: str
    names: tuple[str, ...]
    continues: tuple[str | None, ...]
    means: tuple[list[float], ...]
    temperature: float
    outlier_distance: float
    typical: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class GoldenRequest:
    """One stored request with the answer it must get.

    Attributes:
      instances: rows as a REST request has them.
      predictions: the answer, one entry for each row.
    """

    instances: list[dict[str, Any]]
    predictions: list[dict[str, Any]]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> GoldenRequest:
        """Raises ValueError where the text is not what `to_json` wrote."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not a golden request: {error}") from error


@dataclass(frozen=True)
class ModelFolder:
    """One version of a model on disk."""

    path: Path

    @property
    def version(self) -> int:
        return int(self.path.name)

    def extra(self, name: str) -> Path:
        """The path of one of the files above, whether it is there or not."""
        return self.path / EXTRAS / name

    def card(self) -> ModelCard:
        """Raises OSError or ValueError where there is none, or none that can be read."""
        return ModelCard.from_json(self.extra(CARD).read_bytes())

    def golden_request(self) -> GoldenRequest | None:
        """None where there is none, or none that can be read."""
        try:
            return GoldenRequest.from_json(self.extra(GOLDEN_REQUEST).read_bytes())
        except (OSError, ValueError):
            return None


def is_version(name: str) -> bool:
    """Whether a folder of this name is a version: a whole number without sign, as TensorFlow Serving has it."""
    return name.isascii() and name.isdecimal() and len(name) < 20 and int(name) <= _LARGEST_VERSION


def versions(base_path: Path, missing_ok: bool = True) -> list[ModelFolder]:
    """The versions in a model's folder, oldest first; of `7` and `007`, which are one version, only `7`.

    Args:
      base_path: the model's folder.
      missing_ok: whether a folder that is not there counts as an empty one.

    Raises:
      OSError: the folder cannot be read.
    """
    try:
        paths = sorted(base_path.iterdir())
    except FileNotFoundError:
        if not missing_ok:
            raise
        return []
    folders = {int(path.name): ModelFolder(path) for path in paths if is_version(path.name) and path.is_dir()}
    return [folders[number] for number in sorted(folders)]


def models(folder: Path) -> list[str]:
    """The names of the models in a folder that have a version, sorted; none where the folder is missing.

    Raises:
      OSError: a folder cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    return [path.name for path in paths if path.is_dir() and versions(path)]


def newest(base_path: Path) -> ModelFolder | None:
    """The version with the highest number."""
    return next(reversed(versions(base_path)), None)
