"""Counts of the customers that a version has scored, from which the exporter computes drift. No row is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.profile import Profile, RollingCounts

PAGE_PATH = "/monitoring/profile"
PROFILE = Path("assets.extra") / "profile.json"
"""The training split as counts, which the pipeline exports with the model."""
PROBABILITY = "probability"

log = logging.getLogger("serving.recent")


class Recent:
    """The newest customers of one version beside those that it learned from."""

    def __init__(self, profile: Profile):
        self._profile = profile
        self._window = RollingCounts(profile)

    def add(self, names: Iterable[str], arrays: Sequence[np.ndarray], outputs: Mapping[str, np.ndarray]) -> None:
        """Counts the rows of one run: its inputs by name, each [rows], and what came out.

        Tensors of other shapes, which a graph may take by broadcasting them, are no customers and are passed over.
        """
        shape = outputs[PROBABILITY].shape
        if len(shape) != 1 or any(array.shape != shape for array in arrays):
            return
        self._window.add(dict(zip(names, arrays, strict=True)), outputs[PROBABILITY])

    def page(self) -> dict[str, Any]:
        """`profile` and `recent`, as analysis/profile.py writes them."""
        return {"profile": self._profile.to_dict(), "recent": self._window.total().to_dict()}


def load(version: Path, inputs: Iterable[str], outputs: Iterable[str]) -> Recent | None:
    """Empty counts for a version, or None if it carries no profile of its own inputs.

    Args:
      version: folder of the version.
      inputs: names of the inputs of its default signature.
      outputs: names of the outputs.
    """
    try:
        profile = Profile.from_json((version / PROFILE).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("the reference profile cannot be read: %s", error, extra={"path": str(version / PROFILE)})
        return None
    if set(profile.features) != set(inputs) or PROBABILITY not in outputs:
        log.warning("the reference profile is of other features", extra={"path": str(version / PROFILE)})
        return None
    return Recent(profile)
