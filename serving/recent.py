"""Counts of the rows that a version has scored lately; the exporter computes drift from them. No row is kept."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from analysis.profile import Profile, RollingCounts
from data.model_folder import PROFILE, ModelFolder

PAGE_PATH = "/monitoring/profile"

log = logging.getLogger("serving.recent")


class Recent:
    """Counts of the newest rows of one version, beside those of its training split."""

    def __init__(self, profile: Profile):
        self._profile = profile
        self._window = RollingCounts(profile)

    def add(self, names: Iterable[str], arrays: Sequence[np.ndarray], outputs: Mapping[str, np.ndarray]) -> None:
        """Counts the rows of one run.

        Tensors of other shapes, which a graph may accept by broadcasting, are ignored.

        Args:
          names: the inputs' names.
          arrays: the inputs, each [rows].
          outputs: the outputs by name; the watched one [rows] is one of them.
        """
        scores = outputs[self._profile.output]
        if scores.ndim != 1 or any(array.shape != scores.shape for array in arrays):
            return
        self._window.add(dict(zip(names, arrays, strict=True)), scores)

    def page(self) -> dict[str, Any]:
        """`profile` and `recent`, as `analysis.profile` writes them."""
        return {"profile": self._profile.to_dict(), "recent": self._window.total().to_dict()}


def load(folder: ModelFolder, inputs: Collection[str], outputs: Collection[str]) -> Recent | None:
    """Empty counts for a version, or None if it has no profile of its own inputs and of one of its outputs.

    Args:
      folder: the version's folder.
      inputs: names of the inputs of its default signature.
      outputs: names of the outputs.
    """
    path = folder.extra(PROFILE)
    try:
        profile = Profile.from_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("the reference profile cannot be read: %s", error, extra={"path": str(path)})
        return None
    if set(profile.features) != set(inputs) or profile.output not in outputs:
        log.warning("the reference profile has other features or another output", extra={"path": str(path)})
        return None
    return Recent(profile)
