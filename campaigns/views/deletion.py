"""The page that asks whether a campaign is to be deleted."""

from __future__ import annotations

from campaigns.records import Campaign
from campaigns.security import TOKEN
from campaigns.views.screen import Screen, path, trail
from pages.blocks import Block, Link, Links, Paragraph, Section
from pages.formatting import number
from pages.forms import Form
from pages.language import tr


def link(campaign: Campaign) -> Links:
    """The link that leads here from the campaign's own page."""
    return Links("delete", [Link(tr("Delete this campaign"), path(campaign.id, "delete"))])


def screen(campaign: Campaign, token: str) -> Screen:
    """The page; `token` is that of the form."""
    title = tr("Delete {campaign}?", campaign=campaign.terms.name)
    back = Links("back", [Link(tr("Back to the campaign"), path(campaign.id))])
    if campaign.state in ("waiting", "scoring"):
        text = tr("Its list is being scored. Cancel the scoring first.")
        return Screen(title, [Section("delete", title, [Paragraph("running", text), back])], trail=trail(campaign))
    text = tr(
        "The campaign, its {customers} customers with their probabilities and all outcomes are removed. This cannot be "
        "undone. The request log stays.",
        customers=number(campaign.scored),
    )
    form = Form("delete", path(campaign.id, "delete"), (), tr("Delete the campaign"), {TOKEN: token})
    blocks: list[Block] = [Paragraph("what", text), form, back]
    return Screen(title, [Section("delete", tr("What is deleted"), blocks)], trail=trail(campaign))
