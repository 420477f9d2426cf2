"""The part of the page of outcomes about training rows."""

from __future__ import annotations

from campaigns.training import Manifest
from campaigns.views.screen import moment, path
from pages.blocks import Block, Command, Link, Links, Paragraph, Section
from pages.formatting import number
from pages.language import ntr, tr


def section(found: Manifest | None) -> Section:
    """The part of the page.

    Args:
      found: what the file of training rows holds; None where there is none, though results are known.
    """
    title = tr("Rows to learn from")
    if found is None:
        text = tr(
            "There are no training rows: the data contract of the model that scored the list is not known here, or "
            "has no label."
        )
        return Section("training", title, [Paragraph("rows", text)])
    blocks: list[Block] = [Paragraph("rows", _rows(found))]
    if found.rows:
        blocks.append(Links("training", [Link(tr("Training rows as CSV"), path(found.campaign, "training.csv"))]))
        blocks += [Paragraph("selection", _selection(found)), *_training(found)]
    return Section("training", title, blocks)


def _rows(found: Manifest) -> str:
    if not found.rows:
        return tr("No result of a call is known any more, so the training rows were removed.")
    text = ntr(
        "{rows} call with a known result is a training row in the shape of the data contract {contract}, "
        "revision {revision} of {time}.",
        "{rows} calls with a known result are training rows in the shape of the data contract {contract}, "
        "revision {revision} of {time}.",
        found.rows,
        rows=number(found.rows),
        contract=found.contract,
        revision=number(found.revision),
        time=moment(found.written),
    )
    if found.blank:
        columns = ", ".join(found.blank)
        text += " " + tr("Blank, since the desk does not know them: {columns}.", columns=columns)
    if found.left_out:
        left_out = number(found.left_out)
        text += " " + tr("Left out, since the contract's CSV cannot hold their cells: {rows}.", rows=left_out)
    return text


def _selection(found: Manifest) -> str:
    drawn = len(found.control_rows)
    text = tr(
        "The model chose {best} of these customers because it ranks them high; it will see few customers like those it "
        "ranks low.",
        best=number(found.rows - drawn),
    )
    if drawn:
        return (
            text
            + " "
            + tr(
                "{drawn} rows are of the control group, which was drawn at random; only they are free of this choice. "
                "The manifest beside the file, {file}, names them.",
                drawn=number(drawn),
                file=f"{found.campaign}.json",
            )
        )
    return text + " " + tr("No control group makes up for that.")


def _training(found: Manifest) -> list[Block]:
    if found.dated:
        says = tr("The schedule adds these rows to the months that models learn from. This does it by hand:")
        file = f"artifacts/campaigns/training/{found.campaign}.csv"
        command = f"python -m data.spans add {file} --month {found.day:%Y-%m} --source campaign-{found.campaign}"
    else:
        says = tr("The files of all campaigns lie in one folder. This trains on them:")
        command = "python -m pipeline.run --data artifacts/campaigns/training"
    return [Paragraph("train", says), Command("train", command)]
