"""Reads a person's answers about a campaign."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

from campaigns.records import Terms
from campaigns.served import ServedModel
from data import plan
from data.contract import Contract
from data.errors import BadOptionError

PLAN = "plan."
"""Stands before the name of a planned column in the name of its answer."""
LONGEST_NAME = 120
MOST_EUROS = 1e9
MOST_CALLS = 1_000_000_000
MOST_CONTROL = 0.5


def read(answers: Mapping[str, str], contract: Contract) -> Terms:
    """The terms of a new campaign.

    Args:
      answers: texts by name: `name`, `cost`, `margin`, and where it is wanted `calls`, `control_share`, `quarantine`
        (`yes`) and `plan.<column>`; a blank planned value is taken from the file.
      contract: of the served model.

    Raises:
      BadOptionError: answers are wrong; every wrong one is named in a line of its own.
    """
    planned = {name.removeprefix(PLAN): text for name, text in answers.items() if name.startswith(PLAN) and text}
    problems: list[str] = []
    try:
        plan.values(contract, planned)
    except BadOptionError as error:
        problems.append(str(error))
    return _terms(answers, planned, answers.get("quarantine") == "yes", problems)


def with_list_size(terms: Terms, served: ServedModel, columns: Collection[str]) -> Terms:
    """The terms with the usual size of a list as the plan where neither the plan nor the list says it.

    Args:
      terms: of a new campaign.
      served: the model that will score the list.
      columns: of the list.
    """
    lacking = [name for name in served.contract.derived_columns if name not in {*terms.plan, *columns}]
    assumed = served.assumed.values(lacking) if served.assumed else {}
    return replace(terms, plan={**terms.plan, **{name: str(value) for name, value in assumed.items()}})


def revised(terms: Terms, answers: Mapping[str, str]) -> Terms:
    """The terms with the answers about money and calls; the others stay.

    Raises:
      BadOptionError: as for :func:`read`.
    """
    return _terms({**answers, "name": terms.name}, terms.plan, terms.quarantine, [])


def answers(terms: Terms) -> dict[str, str]:
    """Money and calls of some terms as the answers that give them."""
    calls = "" if terms.calls is None else str(terms.calls)
    share = f"{terms.control_share:g}"
    return {"cost": f"{terms.cost:.12g}", "margin": f"{terms.margin:.12g}", "calls": calls, "control_share": share}


def _terms(answers: Mapping[str, str], planned: Mapping[str, str], quarantine: bool, problems: list[str]) -> Terms:
    name = " ".join(answers.get("name", "").split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        problems.append(f"name: got {name[:LONGEST_NAME]!r}, expected 1 to {LONGEST_NAME} printable characters")
    cost = _number(answers, "cost", 0.0, MOST_EUROS, problems)
    margin = _number(answers, "margin", 0.0, MOST_EUROS, problems)
    calls = _number(answers, "calls", 1, MOST_CALLS, problems) if answers.get("calls", "").strip() else None
    if calls is not None and calls % 1 > 0:
        problems.append(f"calls: got {answers['calls']!r}, expected a whole number")
    share = answers.get("control_share", "").strip() or "0"
    control = _number({"control_share": share}, "control_share", 0.0, MOST_CONTROL, problems)
    if margin == 0:
        problems.append("margin: got 0, expected euros above 0")
    if problems:
        raise BadOptionError("\n".join(problems))
    return Terms(name, cost, margin, None if calls is None else int(calls), control, planned, quarantine)


def _number(answers: Mapping[str, str], name: str, low: float, high: float, problems: list[str]) -> float:
    """A number between two limits; a wrong one is added to the problems and is NaN."""
    text = answers.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if low <= value <= high:
        return value
    problems.append(f"{name}: got {text[:40]!r}, expected a number from {low:g} to {high:,.10g}")
    return math.nan
