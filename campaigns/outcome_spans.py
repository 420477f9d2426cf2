"""Adds the outcomes of campaigns to the spans that models are trained on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from campaigns import training
from data import spans
from data.contract import Contract
from data.errors import BadFileError
from data.spans import Span


def add(folder: Path, desk: Path, contract: Contract) -> tuple[Span, ...]:
    """Adds the training rows of all campaigns of a contract, each to the month in which its call list was frozen.

    A campaign is a source of the span, `campaign-7`. Where its rows changed since, the span gets a new version. A file
    that the desk is writing at the moment is left for the next time.

    Args:
      folder: of the spans, see `data.spans.folder`.
      desk: the desk's folder.
      contract: of the rows; campaigns of other contracts are left out.

    Returns:
      The newest versions of the spans that changed, the oldest month first.

    Raises:
      BadFileError: training rows of a campaign cannot be read; those of all others are added first.
    """
    changed: dict[str, Span] = {}
    faults = []
    for found in training.manifests(desk):
        if found.contract != contract.name:
            continue
        try:
            changed |= {span.month: span for span in _add(folder, desk, contract, found)}
        except BadFileError as error:
            faults.append(str(error))
    if faults:
        raise BadFileError("\n".join(faults))
    return tuple(changed[month] for month in sorted(changed))


def _add(folder: Path, desk: Path, contract: Contract, found: training.Manifest) -> tuple[Span, ...]:
    source, file = f"campaign-{found.campaign}", training.file(desk, found.campaign)
    if not found.rows:
        return spans.withdraw(folder, contract, source)
    try:
        whole = hashlib.sha256(file.read_bytes()).hexdigest() == found.sha256
    except FileNotFoundError:
        whole = False
    month = f"{found.day:%Y-%m}" if contract.call_date else None
    return spans.add(folder, file, contract, source, month) if whole else ()
