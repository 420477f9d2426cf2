"""The pages on which a person logs in with a key and logs out."""

from __future__ import annotations

from campaigns import context
from campaigns.security import TOKEN
from campaigns.views.screen import Screen
from pages.blocks import Notice, Section
from pages.forms import Field, Form
from pages.language import tr


def screen(token: str, wrong: bool = False) -> Screen:
    """The page that asks for a key.

    Args:
      token: of the form.
      wrong: whether the key that was sent is none.
    """
    notices = []
    if wrong:
        lines = [tr("It is mistyped, or it was revoked.")]
        notices.append(Notice("problem", tr("This key is not valid."), lines, "bad"))
    hint = tr("It begins with desk_. Whoever runs the desk makes keys.")
    field = Field("key", tr("Your key"), "password", hint=hint, required=True)
    form = Form("login", "/login", [field], tr("Log in"), {TOKEN: token})
    return Screen(tr("Log in to the campaign desk"), [Section("key", tr("Key"), [form])], notices, trail=())


def leave(token: str) -> Screen:
    """The page that ends the session."""
    form = Form("logout", "/logout", [], tr("Log out"), {TOKEN: token})
    title = tr("You are logged in as {name}", name=context.caller.get())
    return Screen(tr("Log out"), [Section("session", title, [form])], here="/logout")
