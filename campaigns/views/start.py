"""The page on which a campaign is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analysis.figures import COST, MARGIN
from campaigns.security import TOKEN
from campaigns.terms import PLAN
from campaigns.views.screen import NEW, Screen
from data.contract import Contract
from pages.blocks import Notice, Paragraph, Section
from pages.forms import Field, Form

CONTROL = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of the control group that the page offers."""


def screen(contract: Contract, answers: Mapping[str, str], problem: str | None, token: str) -> Screen:
    """The page.

    Args:
      contract: of the served model.
      answers: what the form shows; after a problem what the person has answered.
      problem: why the campaign could not be started; may have several lines.
      token: of the form.
    """
    notices = []
    if problem:
        lines = [*problem.splitlines(), "Choose the file again: a browser does not keep it."]
        notices.append(Notice("problem", "The campaign was not started.", lines, "bad"))
    columns = [name for name in contract.features() if name not in contract.at_call]
    says = (
        f"A CSV file with a header. It must have these columns: {', '.join(columns)}. Other columns are kept. A column "
        "for the identifier is used if there is one; otherwise customers are identified by the numbers of their rows."
    )
    form = Form("new", "/campaigns", list(_fields(contract, answers)), "Upload and score", {TOKEN: token})
    return Screen(
        "New campaign", [Section("list", "The list", [Paragraph("columns", says), form])], notices, here=NEW.address
    )


def money_fields(answers: Mapping[str, str]) -> Iterator[Field]:
    """Cost, margin, calls and control group."""
    yield Field("cost", "Cost of a call, €", "number", answers.get("cost", f"{COST:g}"), required=True, low=0)
    hint = "Before the cost of the call."
    yield Field("margin", "Margin of a buyer, €", "number", answers.get("margin", f"{MARGIN:g}"), hint, (), True, 0)
    hint = "Leave it empty if it is open."
    yield Field("calls", "Calls that can be made", "number", answers.get("calls", ""), hint, (), False, 1, whole=True)
    hint = "Share of the calls that go to customers drawn at random. It shows later what the ranking was worth."
    shares = [(f"{share:g}", f"{share:.0%}".replace("%", " %")) for share in CONTROL]
    yield Field("control_share", "Control group", "choice", answers.get("control_share", "0.1"), hint, shares)


def _fields(contract: Contract, answers: Mapping[str, str]) -> Iterator[Field]:
    yield Field("name", "Name of the campaign", value=answers.get("name", ""), required=True)
    yield Field("file", "List of customers (CSV)", "file", required=True)
    yield from money_fields(answers)
    for column in contract.at_call:
        name = f"{PLAN}{column}"
        label, hint, value = f"Planned {column}", "For the whole list.", answers.get(name, "")
        if column in contract.categorical and contract.categorical[column].values:
            choices = [("", "as in the file"), *((one, one) for one in contract.categorical[column].values)]
            yield Field(name, label, "choice", value, hint, choices)
        elif column in contract.numeric:
            yield Field(name, label, "number", value, f"{hint} Leave it empty to take it from the file.")
        else:
            yield Field(name, label, "text", value, f"{hint} Leave it empty to take it from the file.")
    hint = "They can be downloaded with the reasons. Otherwise a single bad row refuses the list."
    yield Field("quarantine", "Set bad rows aside", "check", answers.get("quarantine", ""), hint)
