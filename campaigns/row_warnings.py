"""What a model cannot know well about a row: values that its training rows do not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from analysis.bins import CategoryBins, NumberBins
from analysis.profile import Profile
from data.contract import MISSING_TEXT, Categorical, Contract, Numeric

LONGEST_VALUE = 60
"""Characters of a text that a warning quotes."""

_Find = Callable[[np.ndarray], Iterable[tuple[int, str]]]
"""The rows of a column that deserve a warning, and the warning."""


class RowWarnings:
    """Finds the warnings of rows.

    Args:
      contract: of the list; each of its columns is looked at.
      profile: of the model's training rows; None where it is not known.
    """

    def __init__(self, contract: Contract, profile: Profile | None):
        bins = profile.features if profile else {}
        self._columns: dict[str, _Find] = {}
        for name, rule in contract.numeric.items():
            trained = bins.get(name)
            may_lack = name in contract.derived_columns  # which lack a value in all rows or in none
            self._columns[name] = _numbers(name, rule, trained if isinstance(trained, NumberBins) else None, may_lack)
        for name, allowed in contract.categorical.items():
            trained = bins.get(name)
            self._columns[name] = _texts(name, allowed, trained if isinstance(trained, CategoryBins) else None)

    def of(self, batch: pa.RecordBatch) -> list[tuple[str, ...]]:
        """The warnings of each row of a batch that `data.reader.read` made of a list with this contract."""
        found: list[tuple[str, ...]] = [()] * batch.num_rows
        for name, find in self._columns.items():
            for row, warning in find(batch.column(name).to_numpy(zero_copy_only=False)):
                found[row] += (warning,)
        return found


def _numbers(name: str, rule: Numeric, trained: NumberBins | None, may_lack: bool) -> _Find:
    low, high = (-np.inf, np.inf) if trained is None else _training_range(trained)

    def find(values: np.ndarray) -> Iterable[tuple[int, str]]:
        known = (values >= max(low, rule.min)) & (values <= min(high, rule.max))
        if rule.missing is not None:
            known |= values == np.float32(rule.missing)
        if may_lack:
            known |= np.isnan(values)
        for row in np.flatnonzero(~known).tolist():
            value = float(values[row])
            if value != value:
                yield row, f"{name}: missing"
            elif not rule.min <= value <= rule.max:
                yield row, f"{name}: {value:.7g} is outside the contract's {rule.min:.7g} to {rule.max:.7g}"
            else:
                yield row, f"{name}: {value:.7g} is outside the {low:.7g} to {high:.7g} of training"

    return find


def _training_range(bins: NumberBins) -> tuple[float, float]:
    """Lowest and highest number of the training rows; the first edge lies just below the lowest."""
    return float(np.nextafter(np.float32(bins.edges[0]), np.float32(np.inf))), bins.edges[-1]


def _texts(name: str, rule: Categorical, trained: CategoryBins | None) -> _Find:
    known = {*(rule.values if trained is None else trained.values)}
    unknown = "was not seen in training" if trained is not None else "is not a value of the contract"

    def warning(value: str) -> str | None:
        if value == MISSING_TEXT:
            return f"{name}: missing"
        if value in known or not known:
            return None
        short = value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 3] + "..."
        return f"{name}: {short!r} {unknown}"

    def find(values: np.ndarray) -> Iterable[tuple[int, str]]:
        texts = {value: text for value in set(values.tolist()) if (text := warning(value))}
        return ((row, texts[value]) for row, value in enumerate(values.tolist()) if value in texts) if texts else ()

    return find
