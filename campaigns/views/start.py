"""The page on which a campaign is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analysis.figures import COST, MARGIN
from campaigns.sample_list import ROWS, can_be_drawn
from campaigns.security import TOKEN
from campaigns.served import ServedModel
from campaigns.terms import PLAN
from campaigns.views.screen import NEW, Screen, problem_notice
from data.assumed_size import AssumedSize
from pages.blocks import Link, Links, Paragraph, Section
from pages.formatting import number, percent
from pages.forms import Button, Field, Form
from pages.language import tr

SAMPLE = "sample"
"""The answer of the button that takes the sample list instead of a file."""
CONTROL = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of the control group that the page offers."""


def screen(served: ServedModel, answers: Mapping[str, str], problem: str | None, token: str) -> Screen:
    """The page.

    Args:
      served: the model that will score the list.
      answers: what the form shows; after a problem what the person has answered.
      problem: why the campaign could not be started; may have several lines.
      token: of the form.
    """
    notices = []
    if problem:
        notices.append(problem_notice(tr("The campaign was not started."), problem))
    contract, samples = served.contract, []
    if can_be_drawn(served):
        text = tr("Use a sample list of {customers} made-up customers", customers=number(ROWS))
        samples.append(Button(SAMPLE, "yes", text))
    columns = [name for name in contract.features() if name not in contract.planned]
    says = tr(
        "A CSV file with a header. It must have these columns: {columns}. Other columns are kept. A column for the "
        "identifier is used if there is one; otherwise customers are identified by the numbers of their rows.",
        columns=", ".join(columns),
    )
    template = Links("template", [Link(tr("Download a list with these columns as a template (CSV)"), "/sample.csv")])
    form = Form(
        "new",
        "/campaigns",
        list(_fields(served, answers, problem is not None)),
        tr("Upload and score"),
        {TOKEN: token},
        others=samples,
        texts={
            "failed": tr("The campaign was not started."),
            "uploading": tr("Uploading the list"),
            "checking": tr("The list is uploaded; the desk checks its columns."),
            "broken": tr(
                "The upload broke off. Either the desk does not answer, or the file is too large or was changed after "
                "it was chosen."
            ),
        },
    )
    section = Section("list", tr("The list"), [Paragraph("columns", says), template, form])
    return Screen(tr("New campaign"), [section], notices, here=NEW)


def money_fields(answers: Mapping[str, str]) -> Iterator[Field]:
    """Cost, margin, calls and control group."""
    yield Field("cost", tr("Cost of a call, €"), "number", answers.get("cost", f"{COST:g}"), required=True, low=0)
    hint = tr("Before the cost of the call.")
    yield Field("margin", tr("Margin of a buyer, €"), "number", answers.get("margin", f"{MARGIN:g}"), hint, (), True, 0)
    hint = tr("Leave it empty if it is open.")
    yield Field(
        "calls", tr("Calls that can be made"), "number", answers.get("calls", ""), hint, (), False, 1, whole=True
    )
    hint = tr("Share of the calls that go to customers drawn at random. It shows later what the ranking was worth.")
    shares = [(f"{share:g}", percent(share)) for share in CONTROL]
    yield Field("control_share", tr("Control group"), "choice", answers.get("control_share", "0.1"), hint, shares)


def _fields(served: ServedModel, answers: Mapping[str, str], again: bool) -> Iterator[Field]:
    contract = served.contract
    hint = tr("Choose the file again: a browser does not keep it.") if again else ""
    yield Field(
        "file", tr("List of customers (CSV)"), "file", "", hint, required=True, drop=tr("or drop the file here")
    )
    yield Field("name", tr("Name of the campaign"), value=answers.get("name", ""), required=True)
    yield from money_fields(answers)
    for column in contract.at_call:
        name = f"{PLAN}{column}"
        label, value = tr("Planned {column}", column=column), answers.get(name, "")
        if column in contract.categorical and contract.categorical[column].values:
            choices = [("", tr("as in the file")), *((one, one) for one in contract.categorical[column].values)]
            yield Field(name, label, "choice", value, tr("For the whole list."), choices)
        else:
            hint = tr("For the whole list. Leave it empty to take it from the file.")
            yield Field(name, label, "number" if column in contract.numeric else "text", value, hint)
    labels = {
        "calls_today": tr("Planned calls a day"),
        "calls_7d": tr("Calls of the 7 days before"),
        "calls_30d": tr("Calls of the 30 days before"),
    }
    for column in contract.derived_columns:
        name = f"{PLAN}{column}"
        hint = _list_size_hint(column, served.assumed)
        yield Field(name, labels[column], "number", answers.get(name, ""), hint, low=0, whole=True)
    hint = tr("They can be downloaded with the reasons. Otherwise a single bad row refuses the list.")
    yield Field("quarantine", tr("Set bad rows aside"), "check", answers.get("quarantine", ""), hint)


def _list_size_hint(column: str, assumed: AssumedSize | None) -> str:
    """What the desk takes where the person leaves the size of the list open."""
    if assumed is None:
        return tr("For the whole list. Leave it empty to take it from the file; without it, it is unknown.")
    value = number(assumed.value(column))
    if column in assumed.past and assumed.until:
        return tr(
            "For the whole list. Leave it empty to take it from the file, or else {calls}, as known on {day}.",
            calls=value,
            day=str(assumed.until),
        )
    return tr(
        "For the whole list. Leave it empty to take it from the file, or else {calls}, which was usual in {month}.",
        calls=value,
        month=assumed.usual.month,
    )
